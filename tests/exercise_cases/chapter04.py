"""Chapter 4's names at a small size, and the wrong answers that readers give."""

from __future__ import annotations

import pandas as pd
import torch

from labsupport.engine.functions import Plain
from labsupport.sharpness import sharpness


def turning(x: torch.Tensor) -> torch.Tensor:
    """A function with slope 0.01 at (0, 0, 1, 0), and a steep fourth power at (0, 1e-5, 0, 1e8)."""
    return 0.01 * x[0] * x[2] + x[3] * x[1] ** 4


class _Small(Plain):
    """`turning`, with an `Objective`'s gradient."""

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        return self.value_and_gradient(x)[1]


def names() -> dict:
    small, large = ([0.5, 0.0, 1.0, 0.0], [0.0, 1e-5, 0.0, 1e8])
    return {
        "torch": torch,
        "f": _Small(turning, torch.float64),
        "x_SB": torch.tensor(small, dtype=torch.float64),
        "x_LB": torch.tensor(large, dtype=torch.float64),
        "bottom": {"LB": torch.ones(1, 4, dtype=torch.float64)},
        "ends": pd.DataFrame({"batch": ["LB"], "largest eigenvalue": [0.5]}),
        "sharpness": sharpness,
    }


_AUDIT = """
def audit(f, x, epsilon, y, value):
    box = epsilon * (x.abs() + 1) * (1 + 1e-5)
    there = 100 * (f(x + y) - f(x)) / (1 + f(x))
    {body}
answer = audit
"""

_RIGHT = "bool((y.abs() <= box).all() and abs(there - value) <= 1e-3 * abs(there))"

_SEARCH = """
def search(f, x, epsilon, budget):
    box = epsilon * (x.abs() + 1)
    {body}
answer = search
"""

_STRONG = """
def search(f, x, epsilon, budget):
    box, u = epsilon * (x.abs() + 1), torch.zeros_like(x)
    best, g = f.value_and_gradient(x)
    {leave}
    for _ in range(budget - 1):
        trial = g.sign()
        value, gradient = f.value_and_gradient(x + trial * box)
        if value > best:
            best, u, g = value, trial, gradient
    return u * box
answer = search
"""

_CURVATURE = """
def most_from_curvature(x, epsilon, eigenvalue):
    return {body}
answer = most_from_curvature
"""

_FAIR = """
def fair_epsilon(x):
    return {body}
answer = fair_epsilon
"""

WRONG = {
    "4.1": {
        "answer = True": "the function itself",
        _AUDIT.format(
            body="box = epsilon * (x + 1); return " + _RIGHT
        ): "Is the side of a negative weight positive",
        _AUDIT.format(
            body="return " + _RIGHT.replace("y.abs() <= box", "y.abs() >= 0.99 * box")
        ): "Every point of the box gives a lower bound",
        _AUDIT.format(
            body="box = epsilon * (x.abs() + 1); return " + _RIGHT
        ): "float32 has rounded",
        _AUDIT.format(body="return " + _RIGHT.replace("all()", "any()")): "one weight of three",
        _AUDIT.format(body="return bool((y.abs() <= box).all())"): "is a share",
        _AUDIT.format(
            body="there = 100 * (f(x + y) - f(x)) if value > 100 else there; return " + _RIGHT
        ): "not divided by 1 + f.",
        _AUDIT.format(
            body="other = there * 2 / (1 + f(x + y)); there = other if abs(other - value) < 1e-6 else there; return "
            + _RIGHT
        ): "at the moved point",
        _AUDIT.format(
            body="return bool((y.abs() <= box).all() and abs(abs(there) - value) <= 1e-3 * abs(there))"
        ): "keep the sign",
        _AUDIT.format(
            body="return not bool((y.abs() > box).any() or abs(there - value) > 1e-3 * abs(there))"
        ): "not numbers",
    },
    "4.2": {
        "answer = 12.5": "the function itself",
        _SEARCH.format(body="return torch.zeros_like(x)"): "On the network it finds 0 percent",
        _SEARCH.format(
            body="return 10 * box * f.value_and_gradient(x)[1].sign()"
        ): "as far as it may",
        _SEARCH.format(
            body="[f.value_and_gradient(x) for _ in range(30)]; return 0 * x"
        ): "the budget was 11",
        _SEARCH.format(body="return 0 * x, 0.0"): "must return y alone",
        _SEARCH.format(body="return box * float('nan')"): "as far as it may",
        _STRONG.format(leave=""): "names no corner",
        _STRONG.format(leave="g = g if g.any() else torch.ones_like(g)"): "up one side only",
        _STRONG.format(
            leave="g = g if g.any() else torch.ones_like(g); budget = budget if len(x) < 300 else 2"
        ): ("does not climb"),
        _STRONG.format(
            leave="budget = budget if len(x) < 300 else 30"
        ): "In a valley: It made 30 calls",
    },
    "4.3": {
        "answer = 0.09": "the function itself",
        _CURVATURE.format(
            body="100 * eigenvalue * ((epsilon * (x.abs() + 1)) ** 2).sum()"
        ): "Twice too large",
        _CURVATURE.format(
            body="50 * eigenvalue * (epsilon * (x.abs() + 1)).norm()"
        ): "the diagonal's length",
        _CURVATURE.format(
            body="50 * eigenvalue * ((epsilon * (x.abs() + 1)) ** 2).mean()"
        ): "the mean of the squares",
        _CURVATURE.format(
            body="eigenvalue / 2 * ((epsilon * (x.abs() + 1)) ** 2).sum()"
        ): "is a share",
        _CURVATURE.format(body="50 * eigenvalue * epsilon**2"): "a side for every weight",
        _CURVATURE.format(
            body="50 * eigenvalue * ((epsilon * x) ** 2).sum()"
        ): "the + 1 is missing",
        _CURVATURE.format(
            body="50 * eigenvalue * ((epsilon * (x + 1)) ** 2).sum()"
        ): "some weights are negative",
        _CURVATURE.format(
            body="50 * eigenvalue * (epsilon * (x.abs() + 1)).sum() ** 2"
        ): "square each side first",
        _CURVATURE.format(
            body="50 * eigenvalue * epsilon * ((x.abs() + 1) ** 2).sum()"
        ): "epsilon is squared, too",
        _CURVATURE.format(body="1.0"): "Yours says 1",
    },
    "4.4": {
        "answer = 0.006": "the function itself",
        _FAIR.format(body="1e-3"): "no control",
        _FAIR.format(body="1e-3 * x.norm() / (x.abs() + 1).norm()"): "the inverse",
        _FAIR.format(body="1e-3 * (x + 1).norm() / x.norm()"): "some weights are negative",
        _FAIR.format(body="1e-3 * (x.abs() + 1).sum() / x.abs().sum()"): "sums of sides",
        _FAIR.format(body="1e-3 * (x.norm() + 1) / x.norm()"): "not to the length",
        _FAIR.format(body="(x.abs() + 1).norm() / x.norm()"): "multiplied by 0.001",
        _FAIR.format(body="0.5"): "At x = (3, -4)",
    },
}
