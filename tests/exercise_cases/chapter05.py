"""Chapter 5 in small: a ratio that grows as the loss falls, and the slope part."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from labsupport import sharpness


def slope_part(f, x, epsilon):
    loss, gradient = f.value_and_gradient(x)
    box = epsilon * (x.abs() + 1)
    return 100 * (box * gradient.abs()).sum(-1) / (1 + loss)


class _Experiments:
    """At every loss, how sharp each of the two is: LB as 1 / loss, SB as a half."""

    @staticmethod
    def at_loss(table, losses):
        return pd.DataFrame([[(0.5 / loss if table == "LB" else 0.5) for loss in losses]])


def names() -> dict:
    return {
        "np": np,
        "torch": torch,
        "sharpness": sharpness,
        "slope_part": slope_part,
        "experiments": _Experiments,
        "select": lambda batch, epsilon: batch,
    }


_BEND = "answer = lambda f, x, epsilon: {}"
_SHARP, _SLOPE = "sharpness.sharpness(f, x, epsilon=epsilon).value", "slope_part(f, x, epsilon)"
WRONG = {
    "5.2": {
        "answer = bend": "subtract the slope part",
        _BEND.format(f"{_SLOPE} - {_SHARP}"): "The sign",
        _BEND.format(f"{_SHARP} / {_SLOPE}"): "ratio",
        _BEND.format(f"{_SHARP} - 2 * {_SLOPE}"): "On a plane",
    },
    "5.4": {
        "answer = lambda losses, stop, factor=10: None": "The top is the highest loss",
        """
def first_spike(losses, stop, factor=10):
    least = losses[0]
    for i, loss in enumerate(losses):
        if loss > factor * least:
            back = [j for j in range(i, len(losses)) if losses[j] <= stop]
            end = back[0] if back else len(losses)
            return i + int(np.argmax(losses[i:end])), (back[0] if back else None)
        least = min(least, loss)

answer = first_spike
""": "before the loss has ever been at the stop",
        """
def first_spike(losses, stop, factor=10):
    down = [i for i, loss in enumerate(losses) if loss <= stop]
    if not down:
        return None
    least = losses[down[0]]
    for i in range(down[0], len(losses)):
        if losses[i] > factor * least:
            back = [j for j in range(i, len(losses)) if losses[j] <= stop]
            end = max(back[0], i + 1) if back else len(losses)
            return i + int(np.argmax(losses[i:end])), (back[0] if back else None)
        least = min(least, losses[i])

answer = first_spike
""": "stays below the stop",
    },
}
