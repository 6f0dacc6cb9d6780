"""Auto-PGD (Croce and Hein 2020, algorithm 1) on the box of Metric 2.1, as Andriushchenko et al. 2023 use it.

In units of the box, u = y / box, it steps along the sign of the gradient, with momentum, and halves the step where
too few steps climbed. A peer of ``strong`` to measure against, at equal evaluations; the book itself never uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labsupport.sharpness import sharpness

#: The share of steps that must climb, and the weight of a new step beside the last move.
CLIMBING, MOMENTUM = 0.75, 0.75


def reviews(steps: int) -> set[int]:
    """The steps after which Auto-PGD looks back at its step length."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {int(-(-share * steps // 1)) for share in shares[1:]}


def auto_pgd(f, x: Tensor, *, epsilon: float = 1e-3, evaluations: int = 11) -> Tensor:
    """The largest f found in the box around each row of x (S, n), float64 (S,), after so many values and gradients."""
    box = epsilon * (x.abs() + 1)

    def evaluate(u):
        value, gradient = f.value_and_gradient(x + u * box)
        return value.double(), gradient

    u = torch.zeros_like(x)
    value, gradient = evaluate(u)
    best, best_u, best_gradient = value.clone(), u.clone(), gradient.clone()
    step = torch.full((len(x), 1), 2.0, dtype=x.dtype)
    before, climbed = u.clone(), torch.zeros(len(x))
    best_at_review, step_at_review = best.clone(), step.clone()
    review, last = reviews(evaluations - 1), 0
    for k in range(1, evaluations):
        z = (u + step * gradient.sign()).clamp(-1, 1)
        share = 1.0 if k == 1 else MOMENTUM
        moved = (u + share * (z - u) + (1 - share) * (u - before)).clamp(-1, 1)
        before, u, lower = u, moved, value
        value, gradient = evaluate(u)
        climbed += value > lower
        higher = value > best
        best = torch.where(higher, value, best)
        best_u = torch.where(higher[:, None], u, best_u)
        best_gradient = torch.where(higher[:, None], gradient, best_gradient)
        if k in review:
            few = climbed < CLIMBING * (k - last)
            stuck = (step == step_at_review)[:, 0] & (best == best_at_review)
            halve = (few | stuck)[:, None]
            best_at_review, step_at_review = best.clone(), step.clone()
            step = torch.where(halve, step / 2, step)
            u = torch.where(halve, best_u, u)
            before = torch.where(halve, best_u, before)
            value = torch.where(halve[:, 0], best, value)
            gradient = torch.where(halve, best_gradient, gradient)
            climbed, last = torch.zeros(len(x)), k
    return best


def rises(f, x: Tensor, *, epsilon: float = 1e-3, evaluations: int = 11) -> tuple[Tensor, Tensor]:
    """The rises (S,) that ``strong`` and Auto-PGD find; ``evaluations`` is a multiple of 11."""
    theirs = auto_pgd(f, x, epsilon=epsilon, evaluations=evaluations)
    ours = sharpness(f, x, epsilon=epsilon, starts=evaluations // 11)
    return ours.f_max - ours.f_x, theirs - ours.f_x


def against_strong(f, x: Tensor, *, epsilon: float = 1e-3, evaluations: int = 11) -> Tensor:
    """The rise that ``strong`` finds over the rise that Auto-PGD finds, (S,), as `rises`."""
    ours, theirs = rises(f, x, epsilon=epsilon, evaluations=evaluations)
    return ours / theirs
