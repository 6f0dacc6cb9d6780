"""Chapter 4's names at a small size, and the wrong answers that readers give."""

from __future__ import annotations

import torch

from labsupport.engine.functions import Plain


def turning(x: torch.Tensor) -> torch.Tensor:
    """A function with slope 0.01 at (0, 0, 1, 0), and a steep fourth power at (0, 1e-5, 0, 1e8)."""
    return 0.01 * x[0] * x[2] + x[3] * x[1] ** 4


class _Small(Plain):
    """`turning`, with an `Objective`'s gradient."""

    def gradient(self, x: torch.Tensor) -> torch.Tensor:
        return self.value_and_gradient(x)[1]


def names() -> dict:
    small, large = ([0.0, 0.0, 1.0, 0.0], [0.0, 1e-5, 0.0, 1e8])
    return {
        "torch": torch,
        "f": _Small(turning, torch.float64),
        "x_SB": torch.tensor(small, dtype=torch.float64),
        "x_LB": torch.tensor(large, dtype=torch.float64),
        "bottom": {"LB": torch.ones(1, 4, dtype=torch.float64)},
        "port": lambda f, x, factor: (factor, None),
    }


_SEARCH = """
def search(f, x, epsilon, budget):
    box = epsilon * (x.abs() + 1)
    {body}
answer = search
"""

WRONG = {
    "4.1": {"answer = 2.5": "Your answer is"},
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
    "4.5": {
        "answer = -1.0": "a positive number",
        "answer = 0.1": "wider box",
        "answer = 1e-3": "SB has",
    },
}
