"""Sign ascent: the estimator ``strong`` of `labsupport.sharpness`. All models at once, on their device.

A convex function is largest at a corner of the box, and the gradient's sign names the corner it points to. Points are
held as u = y / box, so that the box is [-1, 1] in every coordinate.

The finish with momentum follows Auto-PGD (Croce and Hein 2020), which `benchmarks.apgd` has whole, to measure against.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Of Auto-PGD: the share of steps that must climb, and the weight of a new step beside the last move.
CLIMBING, MOMENTUM = 0.75, 0.75
#: Searches of fewer evaluations than this go to the corners at once.
SHORT = 7

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


@dataclass
class Best:
    """The best point of each row so far: u (S, p), f (S,) float64, its gradient (S, p); f after each evaluation."""

    u: Tensor
    value: Tensor
    gradient: Tensor | None
    history: list[Tensor]

    def offer(self, u: Tensor, value: Tensor, gradient: Tensor) -> None:
        """Keep, row by row, what is higher."""
        up = value > self.value
        if self.gradient is None:
            self.gradient = gradient
        rows = up[:, None]
        self.u = torch.where(rows, u, self.u)
        self.gradient = torch.where(rows, gradient, self.gradient)
        self.value = torch.where(up, value, self.value)


def search(f, x: Tensor, space, box: Tensor, iterations: int, starts: int, seed: int):
    """y (S, p), evaluations (S,), history (S, evaluations), notes; starts * (iterations + 1) evaluations in all.

    The first search climbs from x and hardens slowly, which finds better corners. The second looks on the other side:
    at a minimizer f rises as much away from a corner as towards it, up to the third derivative. Any further ones start
    at random points. The last carries on from the best, with momentum. Three starts share equally; one or two leave the
    last three evaluations of eleven. Beside an evaluation at most 8 vectors of length n are held.

    Measured on F0's minima, both boxes, against Auto-PGD at 11 and at 33 evaluations: see `benchmarks.apgd`.
    """
    generator = torch.Generator(x.device).manual_seed(seed)
    not_finite = torch.zeros(len(x), dtype=torch.int64, device=x.device)

    def evaluate(u: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = f.value_and_gradient(x + space.matvec(u * box))
        finite = torch.isfinite(value)
        not_finite.add_(~finite)
        return torch.where(finite, value.double(), -torch.inf), space.rmatvec(gradient)

    lowest = x.new_full((len(x),), -torch.inf, dtype=torch.float64)
    best = Best(torch.zeros_like(box), lowest, None, [])
    total = starts * (iterations + 1)
    if (
        starts > 3
        # half of all for the first: small spaces have many local maxima, and a slow climb finds higher ones
    ):
        first, share = total // 2, max(1, (total - total // 2) // starts)
        finish = total - first - share * (starts - 2)
    else:
        finish = total // 3 if starts == 3 else total * 3 // 11
        first = total - finish if starts == 1 else total // starts
        share = total - first - finish
    climb(evaluate, best, best.u, first, generator)
    if starts > 1:
        climb(evaluate, best, -best.u, share, generator)
    for _ in range(starts - 3):  # one point for all rows
        point = torch.rand(box.shape[1:], generator=generator, device=x.device, dtype=x.dtype)
        point = point.mul_(2).sub_(1).expand_as(box)
        climb(evaluate, best, point, share, generator, harden=False)
    carry_on(evaluate, best, finish)
    history = torch.stack(best.history, 1)
    evaluations = torch.full((len(x),), history.shape[1], device="cpu")
    return (
        best.u * box,
        evaluations,
        history,
        [{"not_finite": lost} for lost in not_finite.tolist()],
    )


def climb(
    evaluate: Evaluate,
    best: Best,
    u: Tensor,
    evaluations: int,
    generator: torch.Generator,
    harden: bool = True,
) -> None:
    """One search from u.

    A step aims at the corner named by the sign of g + (g - g_before): where the gradient is on its way to another
    sign, that saves the wait (two per cent more in eleven evaluations, measured on F0). A step that does not climb
    is tried again without this guess, then half as far. With ``harden`` only coordinates with a large gradient go all
    the way to the corner at first; small ones decide later, when the large ones have moved.
    """
    steps = evaluations - 1
    hardness = np.logspace(-1, 1.5, steps - 2).tolist() if harden and evaluations >= SHORT else []

    def aim(step: int, g: Tensor) -> Tensor:
        if step >= len(hardness):
            return g.sign()
        return (g * (hardness[step] / g.abs().mean(1, keepdim=True).clamp_min(1e-30))).clamp_(-1, 1)

    value, gradient = evaluate(u)
    best.offer(u, value, gradient)
    best.history.append(best.value)
    # Level to the last bit, as at the bottom of a bowl: no corner is named, so any will do.
    if not gradient.any(1).all():
        any_way = torch.randn(u.shape[1:], generator=generator, device=u.device, dtype=u.dtype)
        gradient = torch.where(gradient.any(1, keepdim=True), gradient, 1e-20 * any_way)
    before = gradient
    reach, guess = u.new_ones(len(u), 1), u.new_zeros(len(u), 1)
    for step in range(steps):
        trial = torch.lerp(
            u, aim(step, gradient + guess * (gradient - before)), reach
        )  # at reach 1 the aim, exactly
        found, slope = evaluate(trial)
        best.offer(trial, found, slope)
        best.history.append(best.value)
        up = (found > value)[:, None]
        reach = torch.where(up | (guess > 0), reach, reach / 2)
        guess = up.to(u.dtype)
        before = torch.where(up, gradient, before)
        gradient, u = torch.where(up, slope, gradient), torch.where(up, trial, u)
        value = torch.maximum(found, value)
        del trial, slope


def reviews(steps: int) -> set[int]:
    """The steps after which Auto-PGD looks back at its step length."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {int(-(-share * steps // 1)) for share in shares[1:]}


def carry_on(evaluate: Evaluate, best: Best, steps: int) -> None:
    """From the best point on, with momentum; where too few steps climb, back to the best with half the step."""
    assert best.gradient is not None  # a search has been here before
    u = last = best.u
    value, gradient = best.value, best.gradient
    step = u.new_ones(len(u), 1)
    climbed, since, best_before = torch.zeros_like(value), 0, best.value
    for k in range(1, steps + 1):
        aim = (u + step * gradient.sign()).clamp_(-1, 1)
        moved = (u + MOMENTUM * (aim - u) + (1 - MOMENTUM) * (u - last)).clamp_(-1, 1)
        del aim, gradient
        last, u, lower = u, moved, value
        value, gradient = evaluate(u)
        best.offer(u, value, gradient)
        best.history.append(best.value)
        climbed += value > lower
        if k in reviews(steps):
            halve = (climbed < CLIMBING * (k - since)) | (best.value == best_before)
            rows = halve[:, None]
            step = torch.where(rows, step / 2, step)
            u, last = torch.where(rows, best.u, u), torch.where(rows, best.u, last)
            value, gradient = (
                torch.where(halve, best.value, value),
                torch.where(rows, best.gradient, gradient),
            )
            climbed, since, best_before = torch.zeros_like(value), k, best.value
