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


def at_loss(table, losses):
    """At every loss, how sharp each of the two is: SB a half, LB as 1 / loss and more in a larger box."""
    batch, epsilon = table
    return pd.DataFrame(
        [[(0.5 / loss * (epsilon / 5e-4) ** 0.5 if batch == "LB" else 0.5) for loss in losses]]
    )


def names() -> dict:
    return {
        "np": np,
        "torch": torch,
        "sharpness": sharpness,
        "slope_part": slope_part,
        "at_loss": at_loss,
        "select": lambda batch, epsilon: (batch, epsilon),
    }


_BEND = "answer = (lambda f, x, epsilon: {}, 'larger')"
_SHARP, _SLOPE = "sharpness.sharpness(f, x, epsilon=epsilon).value", "slope_part(f, x, epsilon)"
_RISE = """
def average_rise(f, x, epsilon, samples, seed=0):
    g, box = torch.Generator().manual_seed(seed), epsilon * (x.abs() + 1)
    rises = [100 * (f(x + box * ({draw})) - f(x)) / (1 + f(x)) for _ in range(samples)]
    return {rise}

answer = average_rise
"""
_UNIFORM, _MEAN = "2 * torch.rand(x.shape, generator=g) - 1", "torch.stack(rises).mean()"

WRONG = {
    "5.2": {
        "answer = bend": "the function and the verdict",
        'answer = (bend, "larger")': "subtract the slope part",
        _BEND.format(f"{_SHARP} - {_SLOPE}").replace("larger", "smaller"): "from whose sharpness",
        _BEND.format(f"{_SLOPE} - {_SHARP}"): "The sign",
        _BEND.format(f"{_SHARP} / {_SLOPE}"): "ratio",
        _BEND.format(f"{_SHARP} - 2 * {_SLOPE}"): "On a plane",
    },
    "5.4": {
        _RISE.format(draw=_UNIFORM, rise="max(rises)"): "not the highest",
        _RISE.format(draw="torch.rand(x.shape, generator=g).sign()", rise=_MEAN): "not its corners",
        _RISE.format(draw="torch.rand(x.shape, generator=g)", rise=_MEAN): "both sides",
        _RISE.format(draw="torch.rand(x.shape, generator=g) - 0.5", rise=_MEAN): "half of the box",
        _RISE.format(draw=_UNIFORM, rise="-" + _MEAN): "The sign",
        _RISE.format(draw=_UNIFORM, rise=_MEAN + " / 100"): "percent",
        _RISE.format(draw=_UNIFORM, rise=_MEAN).replace("x.abs() + 1", "1"): "the box is 0.4 wide",
        _RISE.format(draw=_UNIFORM, rise=_MEAN).replace(" / (1 + f(x))", ""): "divided by 2",
    },
}
