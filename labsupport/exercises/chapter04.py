"""Chapter 4's exercises: slope and curvature, one's own estimator, a step's length, a box that turns a verdict."""

from __future__ import annotations

import torch

from labsupport.exercises import Answer
from labsupport.sharpness import sharpness

#: What the reader's search may ask for, and the share of the package's value that it must find.
BUDGET, SHARE = 11, 0.9


class _Counted:
    """f, of which only ``value_and_gradient`` may be used, and that is counted."""

    def __init__(self, f):
        self._f, self.calls = f, 0

    def value_and_gradient(self, x):
        self.calls += 1
        return self._f.value_and_gradient(x)


def test_search(search, f, x) -> str | None:
    """Exercise 4.2: does ``search(f, x, epsilon, budget)`` stay in box and budget, and find enough?"""
    if not callable(search):
        return "The answer is the function itself: answer = search."
    epsilon, counted = 1e-3, _Counted(f)
    y = search(counted, x, epsilon, BUDGET)
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        return f"The function must return y alone, a tensor of shape {tuple(x.shape)}."
    if counted.calls > BUDGET:
        return f"It made {counted.calls} calls of value_and_gradient; the budget was {BUDGET}."
    reach = float((y.abs() / (epsilon * (x.abs() + 1))).max())
    if reach > 1 + 1e-4:
        return (
            f"Some weight moves {reach:.3g} times as far as it may: "
            "the box is epsilon (|x_i| + 1) for each weight."
        )
    here = float(f(x))
    value = 100 * (float(f(x + y)) - here) / (1 + here)
    package = sharpness(f, x, epsilon=epsilon, starts=1).value[0].item()
    if value < SHARE * package:
        return f"It finds {value:.3g} percent; the package finds {package:.3g} with as many calls."
    return None


def test_turned(epsilon, f, x_SB, x_LB) -> str | None:
    """Exercise 4.5: is SB the sharper one in a box of this half-width?"""
    epsilon = float(epsilon)
    if epsilon <= 0:
        return f"A box of half-width {epsilon:g} holds nothing; a positive number is needed."
    small, large = (
        sharpness(f, x, epsilon=epsilon, starts=1).value[0].item() for x in (x_SB, x_LB)
    )
    if small > large:
        return None
    hint = "A wider box reaches more of LB's rise" if epsilon > 1e-3 else "Think of what slope adds"
    return f"There SB has {small:.3g} percent and LB {large:.3g}. {hint}."


ANSWERS = {
    "4.1": Answer(
        8 / 3,
        tolerance=0.01,
        mistakes={
            "That leaves out the slope: its half of the rise only doubles.": 4,
            "That leaves out the curvature: its half of the rise grows fourfold.": 2,
            "That averages 2 and 4; halve the box, add up the two rises, and then divide.": 3,
            "That is the smaller box over the larger one; the question asks the other way round.": 3
            / 8,
        },
    ),
    "4.2": Answer(test=test_search),
    "4.3": Answer(
        lambda gradient, box: box.norm() / gradient.norm(),
        tolerance=0.02,
        mistakes={
            "That is the inverse: a factor of this size would make the step even shorter.": lambda gradient, box: (
                gradient.norm() / box.norm()
            ),
            "That compares the longest side with the largest entry, not the lengths.": lambda gradient, box: (
                box.abs().max() / gradient.abs().max()
            ),
            "That compares sums of absolute values; a length is the root of a sum of squares.": lambda gradient, box: (
                box.abs().sum() / gradient.abs().sum()
            ),
        },
    ),
    "4.4": Answer(
        13.75,
        mistakes={
            "You divided by f; the measure divides by 1 + f, which is 16.": 100 * 2.2 / 15,
            "The rise is 2.2; it still has to be divided by 1 + f = 16.": 220,
            "That is a share; the measure is in percent.": 0.1375,
            "Each side of the box is epsilon (|x_i| + 1): 0.2 and 0.4, not 0.1 for both.": 100
            * 0.7
            / 16,
            "You left out the + 1: the sides are 0.1 (1 + 1) and 0.1 (3 + 1).": 100 * 1.5 / 16,
            "The second slope is negative, so the worst y_2 is negative too: both parts raise f.": 100
            * (0.6 - 1.6)
            / 16,
        },
    ),
    "4.5": Answer(test=test_turned),
}
