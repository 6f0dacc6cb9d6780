"""Chapter 3's exercises: a shift's cost, equal bends, a renamed network, a law, a bend of one's own."""

from __future__ import annotations

import numpy as np
import torch

from labsupport.exercises import Answer


def test_factor(factor, ratio) -> str | None:
    """Exercise 3.2: are the bends equal, ``ratio(factor)`` between 0.8 and 1.25?"""
    factor = float(factor)
    if factor <= 0:
        return f"A factor of {factor:g} would change what the units compute; it must be positive."
    found = float(ratio(factor))
    if found >= 1.25:
        return f"The mean ratio is {found:.2f}: LB still bends more. Its rows must be longer."
    if found <= 0.8:
        return f"The mean ratio is {found:.2f}: now SB bends more. LB's rows are too long."
    return None


def test_renamed(function, f, x) -> str | None:
    """Exercise 3.3: is ``function(x)`` another point that computes the same?"""
    if not callable(function):
        return "The answer is the function itself: answer = renamed."
    before = x.clone()
    y = function(x)
    if not torch.equal(x, before):
        return "The function changed x itself; begin with x = x.clone()."
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        return f"The function must return a point of shape {tuple(x.shape)}."
    if torch.equal(x, y):
        return "Nothing has moved."
    if not torch.allclose(x.sort().values, y.sort().values):
        return (
            "Some weights were lost or came twice: copy from a `.clone()`, not from what you write."
        )
    if not torch.allclose(f(x), f(y), rtol=1e-3):
        return f"The loss was {f(x):.4f} and is {f(y):.4f}: some piece was not permuted with the others."
    return None


def test_bend(bend, f, x, longer, other) -> str | None:
    """Exercise 3.5: does ``bend(f, x, seed)`` measure, and forget the lengths of rows?"""
    if not callable(bend):
        return "The answer is the function itself: answer = own_bend."
    at = {name: float(bend(f, point, 0)) for name, point in (("x", x), ("longer", longer))}
    if not np.isfinite(list(at.values())).all():
        return "It returns a number that is not finite."
    if np.isclose(at["x"], float(bend(f, x, 1)), rtol=1e-6):
        return "Two seeds give the same number: the direction does not depend on the seed."
    if np.isclose(at["x"], float(bend(f, other, 0)), rtol=1e-6):
        return "Two different networks get the same number: it does not look at f."
    if not np.isclose(at["x"], at["longer"], rtol=0.05):
        return (
            f"With rows three times as long it goes from {at['x']:.4g} to {at['longer']:.4g}: "
            "the direction has to grow with the rows."
        )
    return None


def _slope(mean) -> float:
    return float(np.polyfit(np.log(mean.index), np.log(mean), 1)[0])


ANSWERS = {
    "3.1": Answer(
        9,
        mistakes={
            "The width enters squared: the curvature of the valley is 1 / w^2.": 3,
            "That is the inverse: the narrow valley costs more.": 1 / 9,
            "You squared twice: the cost is s^2 / (2 w^2).": 81,
            "The 2 in s^2 / (2 w^2) stands in both costs and cancels.": 4.5,
        },
    ),
    "3.2": Answer(test=test_factor),
    "3.3": Answer(test=test_renamed),
    "3.4": Answer(
        _slope,
        tolerance=0.05,
        mistakes={
            "That is the inverse: fit the distance against the updates.": lambda mean: (
                1 / _slope(mean)
            ),
            "That is the fit without logarithms.": lambda mean: float(
                np.polyfit(mean.index, mean, 1)[0]
            ),
            "That is the intercept; the slope is the first of the two numbers.": lambda mean: float(
                np.polyfit(np.log(mean.index), np.log(mean), 1)[1]
            ),
            "Steps in one direction would give 1; look at the fit.": 1.0,
        },
    ),
    "3.5": Answer(test=test_bend),
}
