"""Chapter 4's names at a small size, and the wrong answers that readers give."""

from __future__ import annotations

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
        "port": lambda f, x, factor: (factor, None),
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
        _SEARCH.format(body="return torch.zeros_like(x)"): "It finds 0 percent",
        _SEARCH.format(
            body="return 10 * box * f.value_and_gradient(x)[1].sign()"
        ): "as far as it may",
        _SEARCH.format(
            body="[f.value_and_gradient(x) for _ in range(30)]; return 0 * x"
        ): "the budget was 11",
        _SEARCH.format(body="return 0 * x, 0.0"): "must return y alone",
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
