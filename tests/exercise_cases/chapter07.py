"""Chapter 7 in small: outputs made by hand, and a training at smoke scale."""

from __future__ import annotations

import numpy as np

from labsupport import settings
from tests import chapters


def names() -> dict:
    wanted = ("watch", "set_aside", "chosen", "to_the_end")
    found = chapters.names("07", *wanted, s=settings.TABLE["smoke"])
    return {"np": np, **{name: found[name] for name in wanted}}


_LOSS = """
def calibrated_loss(held, y_held, test, y_test, temperatures=np.geomspace(0.5, 16, 31)):
    losses = [{} for T in temperatures]
    return cross_entropy({})

answer = calibrated_loss
"""
_BEST = "temperatures[int(np.argmin(losses))]"
_TABLE = """
table = watch(*set_aside(0.1), {{"LB": to_the_end}})
best = chosen(table, "test_accuracy").test_accuracy.to_numpy()
last = table.groupby("seed").test_accuracy.last().to_numpy()
answer = {}
"""

WRONG = {
    "7.1": {
        "def stop_at(values, patience): return int(np.argmax(values))": "not see what comes after",
        "def stop_at(values, patience): return len(values) - 1": "in a row",
        """
def stop_at(values, patience):
    best = 0
    for i, value in enumerate(values):
        if value >= values[best]:
            best = i
        elif i - best >= patience:
            break
    return best
""": "Equal is not better",
    },
    "7.2": {
        "answer = calibrated_loss": "Both bugs",
        _LOSS.format(
            "cross_entropy(test / T, y_test)", f"test / {_BEST}, y_test"
        ): "chosen on the test set",
        _LOSS.format(
            "cross_entropy(held * T, y_held)", f"test / {_BEST}, y_test"
        ): "still multiplies",
        _LOSS.format(
            "cross_entropy(held / T, y_held)", f"held / {_BEST}, y_held"
        ): "the test loss is asked for",
    },
    "7.3": {
        _TABLE.format("best.mean()"): "at the best look",
        "answer = 99.0": "99.00 points",
    },
    "7.4": {
        "answer = lambda looks, sigma: sigma": "One look chooses nothing",
        "answer = lambda n, sigma: np.random.default_rng(0).normal(size=(100_000, n)).max(1).mean()": "depend on sigma",
        "answer = lambda looks, sigma: sigma * np.sqrt(2 * np.log(looks))": "is right",
    },
}
