"""Chapter 5 in small: the slope part."""

from __future__ import annotations

import numpy as np
import torch

from labsupport import sharpness


def slope_part(f, x, epsilon):
    loss, gradient = f.value_and_gradient(x)
    box = epsilon * (x.abs() + 1)
    return 100 * (box * gradient.abs()).sum(-1) / (1 + loss)


def names() -> dict:
    return {
        "np": np,
        "torch": torch,
        "sharpness": sharpness,
        "slope_part": slope_part,
    }


_BEND = "answer = (lambda f, x, epsilon: {}, 'larger')"
_SHARP, _SLOPE = "sharpness.sharpness(f, x, epsilon=epsilon).value", "slope_part(f, x, epsilon)"
_RISE = """
def average_rise(f, x, epsilon, samples, seed=0):
    g, box = torch.Generator().manual_seed(seed), epsilon * (x.abs() + 1)
    rises = [100 * (f(x + box * ({draw})) - f(x)) / (1 + f(x)) for _ in range(samples)]
    return {rise}

answer = (average_rise, 0.33)
"""
_UNIFORM, _MEAN = "2 * torch.rand(x.shape, generator=g) - 1", "torch.stack(rises).mean()"

_SHARE = "answer = (lambda larger, smaller: {}, 'LB')"
_PASSAGE = """
def first_passage(losses, values, level):
    for i in range(1, len(losses)):
        if losses[i] {at} level < losses[i - 1]:
            return {value}
    return {otherwise}

answer = first_passage
"""
_PART = "np.log(losses[i - 1] / level) / np.log(losses[i - 1] / losses[i])"
_ON_LOGS = f"values[i - 1] * (values[i] / values[i - 1]) ** ({_PART})"
_LINEAR = "np.interp(level, losses[[i, i - 1]], values[[i, i - 1]])"
_LOSS_ONLY = f"values[i - 1] + (values[i] - values[i - 1]) * ({_PART})"
_VALUE_ONLY = "np.exp(np.interp(level, losses[[i, i - 1]], np.log(values[[i, i - 1]])))"


def _passage(value=_ON_LOGS, at="<=", otherwise="np.nan") -> str:
    return _PASSAGE.format(value=value, at=at, otherwise=otherwise)


WRONG = {
    "5.1": {
        "answer = share": "the function and the name",
        "answer = (share, 'LB')": "nothing yet",
        _SHARE.format("4 * smaller / larger - 1").replace("LB", "SB"): "above 4",
        _SHARE.format("2 - 4 * smaller / larger"): "the bend's share",
        _SHARE.format("4 * smaller - larger"): "the slope's part itself",
        _SHARE.format("2 * smaller / larger"): "a quarter of the bend",
        _SHARE.format("4 * larger / smaller - 1"): "exchanged",
        _SHARE.format("(4 * smaller - larger) / smaller"): "by the smaller value",
        _SHARE.format("larger / smaller"): "the ratio of the two",
        _SHARE.format("0.5"): "instead of 0.75",
    },
    "5.3": {
        "answer = first_passage": "the order of time",
        _passage("np.nan"): "nothing at a loss that the run passes",
        _passage(_LINEAR): "linear axes",
        _passage(_VALUE_ONLY): "The losses need",
        _passage(_LOSS_ONLY): "The values need",
        _passage("values[i]"): "the record before it",
        _passage("values[i - 1]"): "instead of 20",
        _passage(at="<"): "at the level itself",
        _passage(otherwise="values[-1]"): "never falls to 0.001",
        _passage(otherwise="values[0] if level > losses[0] else np.nan"): "begins below 2",
    },
    "5.2": {
        "answer = bend": "the function and the verdict",
        'answer = (bend, "larger")': "nothing yet",
        _BEND.format(_SHARP): "subtract the slope part",
        _BEND.format(f"{_SHARP} - {_SLOPE}").replace("larger", "smaller"): "from whose sharpness",
        _BEND.format(f"{_SLOPE} - {_SHARP}"): "The sign",
        _BEND.format(f"{_SHARP} / {_SLOPE}"): "ratio",
        _BEND.format(f"{_SHARP} - 2 * {_SLOPE}"): "On a plane",
    },
    "5.4": {
        "answer = average_rise": "the function and the number",
        "answer = (average_rise, 0.33)": "nothing yet",
        "answer = (average_rise, 1)": "the worst corner",
        "answer = (average_rise, 0)": "to both sides",
        "answer = (average_rise, 0.25)": "the mean |z|",
        "answer = (average_rise, 0.5)": "half of the highest",
        "answer = (average_rise, 0.0033)": "multiply by 100",
        "answer = (average_rise, 0.7)": "cannot be 0.7",
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
