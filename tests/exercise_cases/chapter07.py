"""Chapter 7 in small: tables of bins and of looks made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labsupport import settings
from tests import chapters


def names() -> dict:
    wanted = ("set_aside", "chosen", "to_the_end", "calibration_error")
    found = chapters.names("07", *wanted, s=settings.TABLE["smoke"])
    return {"np": np, "pd": pd, "watch": watch, **{name: found[name] for name in wanted}}


def watch(problem, held, recipes) -> pd.DataFrame:
    """A curve that turns, by hand: a training at smoke scale is too short for one."""
    looks = {
        "epoch": [4, 8, 12, 16],
        "test_accuracy": [50.0, 54.0, 53.0, 51.0],
        "held_out_accuracy": [45.0, 46.0, 48.0, 44.0],
        "held_out_loss": [1.2, 1.5, 1.7, 1.9],
    }
    seeds = [pd.DataFrame(looks).assign(seed=seed, batch="LB") for seed in (0, 1)]
    return pd.concat(seeds, ignore_index=True)


_SIGNED = """
def signed_error(table):
    off = table.confidence - table.right
    return {}

cancel = {}
"""
_RIGHT = "(table.samples * off).sum() / table.samples.sum()"
_CANCEL = 'pd.DataFrame({{"samples": {}, "confidence": {}, "right": {}}})'
_TWO = _CANCEL.format([50, 50], [65, 85], [75, 75])


def _cancelled(samples: list, confidence: list, right: list) -> str:
    """The right function with a table of one's own."""
    return _SIGNED.format(_RIGHT, _CANCEL.format(samples, confidence, right))


_TABLE = """
table = watch(*set_aside(0.1), {{"LB": to_the_end}})
last = table.groupby("seed").test_accuracy.last().to_numpy()
kept = chosen(table, {}).test_accuracy.to_numpy()
answer = {}
"""
_HELD = '"held_out_accuracy"'
_RULE = """
def patience_needed(values):
    {}
"""
_GAIN = """
def gain_of_choosing(right):
    halves = [right[:, ::2], right[:, 1::2]]
    gains = []
    for choose, score in {}:
        best = choose.mean(axis=1).argmax()
        gains.append(100 * (score[best].mean() - score[-1].mean()))
    return {}

answer = gain_of_choosing
"""
_BOTH = "(halves, halves[::-1])"

WRONG = {
    "7.1": {
        _RULE.format("return int(np.argmax(values))"): "not only once",
        _RULE.format("return len(values)"): "not the least",
        _RULE.format(
            "return next(p for p in range(9) if stop_at(values, p + 1) == int(np.argmax(values)))"
        ): "One too few",
        _RULE.format(
            "return next(p for p in range(9) if stop_at(values, p) == int(np.argmax(values)))"
        ): "before it has looked",
        _RULE.format(
            """top = [i for i, v in enumerate(values) if v == max(values[: i + 1])]
    return max([1, *np.diff(top)])"""
        ): "Equal is not better",
        _RULE.format(
            """first = int(np.argmax(values))
    records = [i for i in range(first + 1) if values[i] > max(values[:i], default=0)]
    return max(1, len(values) - 1 - first, *np.diff(records))"""
        ): "after the best one",
        _RULE.format("return 7"): "outlast the longest wait",
    },
    "7.2": {
        _SIGNED.format("None", _TWO): "gives None",
        _SIGNED.format("-(table.samples * off).sum() / table.samples.sum()", _TWO): "sign is wrong",
        _SIGNED.format("off.mean()", _TWO): "counts alike",
        _SIGNED.format("calibration_error(table)", _TWO): "keep the sign",
        _SIGNED.format(f"abs({_RIGHT})", _TWO): "sign is lost",
        _SIGNED.format("(table.samples * off).sum()", _TWO): "divide by their number.",
        _SIGNED.format("(table.samples * off).mean()", _TWO): "not that of the bins",
        _SIGNED.format(f"{_RIGHT} / 100", _TWO): "unit is points",
        _SIGNED.format("7.0", _TWO): "On 2 bins",
        _SIGNED.format(_RIGHT, "[65, 85]"): "must be a DataFrame",
        _cancelled([50], [75], [75]): "1 rows",
        _cancelled([50, 50], [0.65, 0.85], [-9, 75]): "percents from 0 to 100",
        _cancelled([50, 50], [62, 68], [72, 58]): "that is one bin",
        _cancelled([50, 50], [65, 85], [75, 65]): "Of cancel it is 5",
        _cancelled([50, 50], [65, 85], [65, 85]): "lie on the line",
        _cancelled([50, 50], [65, 85], [70, 80]): "is 5; 10 is wanted",
    },
    "7.3": {
        _TABLE.format('"test_accuracy"', "(kept - last).mean()"): "peeking",
        _TABLE.format('"held_out_loss", least=True', "(kept - last).mean()"): "held-out loss",
        _TABLE.format(
            _HELD,
            """(chosen(table, "held_out_accuracy").held_out_accuracy.to_numpy()
          - table.groupby("seed").held_out_accuracy.last().to_numpy()).mean()""",
        ): "they choose the look",
        _TABLE.format(_HELD, "kept.mean()"): "is the chosen look",
        _TABLE.format(_HELD, "last.mean()"): "is the last look",
        _TABLE.format(_HELD, "(last - kept).mean()"): "sign",
        "answer = 99.0": "99.00 points",
    },
    "7.4": {
        _GAIN.format("[(right, right)]", "gains[0]"): "hindsight",
        _GAIN.format("[(h, h) for h in halves]", "np.mean(gains)"): "chose itself",
        _GAIN.format("[(h, right) for h in halves]", "np.mean(gains)"): "among the samples",
        _GAIN.format("[halves]", "gains[0]"): "Only the even half",
        _GAIN.format("[halves[::-1]]", "gains[0]"): "Only the odd half",
        _GAIN.format(_BOTH, "np.mean(gains) / 100"): "unit is points",
        _GAIN.format(_BOTH, "-np.mean(gains)"): "sign",
        "answer = lambda right: 0.0": "right is",
    },
}
