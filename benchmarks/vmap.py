"""Does `torch.func.vmap` over seeds beat one seed after another? ``python -m benchmarks.vmap``.

The loss and gradient of several models on a batch each, on one core: the general engine's loop, and
one call for all. The rule of `engine.functional.Functional.sharing` stands on this table.
"""

from __future__ import annotations

import copy
import functools
import itertools
import math
import statistics
import time
from collections.abc import Callable

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import residual
from labsupport import training
from labsupport.engine.functional import Functional
from labsupport.objective import Objective, flatten, summed_loss
from labsupport.recipe import Recipe
from labsupport.training.step import Stepper

SEEDS, ROUNDS, CALLS = 5, 7, 4


class Residual(nn.Module):
    """A residual network of about F0's size, with or without layer norms."""

    def __init__(self, *, norm: bool):
        super().__init__()
        self.first, self.last = nn.Linear(40, 110), nn.Linear(110, 10)
        self.inner = nn.ModuleList(nn.Linear(110, 110) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(110) if norm else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        for layer, norm in zip(self.inner, self.norms):
            h = h + F.relu(norm(layer(h)))
        return self.last(h)


def convolutional() -> nn.Sequential:
    """A small network with two convolutions and an activation that the stacked engine does not know."""
    return nn.Sequential(
        *[nn.Conv2d(1, 8, 3, padding=1), nn.GELU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(8, 16, 3, padding=1), nn.GELU(), nn.AdaptiveAvgPool2d(2)],
        *[nn.Flatten(), nn.Linear(64, 10)],
    )


def arms(
    network: nn.Module, x: Tensor, y: Tensor
) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """(one model after another, all together): gradients (S, n) at points beside each other, of x (S, B, ...)."""
    f = Objective(network, x[0], y[0])
    assert isinstance(f.engine, Functional), f"{f} is not computed by the general engine"
    noise = torch.randn(len(x), f.n, generator=torch.Generator().manual_seed(0))
    points = flatten(network) + 0.01 * noise

    def gradient(logits: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        leaf = points.detach().requires_grad_()
        losses = summed_loss(logits(leaf, x), y) / y.shape[1]
        return torch.autograd.grad(losses.sum(), leaf)[0]

    def loop() -> Tensor:
        return gradient(functools.partial(f.engine.one_by_one, shared=False))

    def together() -> Tensor:
        return gradient(f.engine.in_one_call)

    return loop, together


def table() -> pd.DataFrame:
    """network, models, batch, millions of operations of one model's forward pass, milliseconds of the
    loop, and vmap's time over the loop's: median, lowest, highest round.
    """
    cases = [
        ("residual", lambda: Residual(norm=False), (40,), (8, 32, 64, 128, 256)),
        ("residual, layer norms", lambda: Residual(norm=True), (40,), (32, 64)),
        ("residual, batch norms", residual.Residual, (40,), (32, 64)),
        ("two convolutions", convolutional, (1, 16, 16), (4, 8, 32, 64)),
    ]
    rows = []
    for name, make, shape, batches in cases:
        for models, batch in itertools.product((2, 3, SEEDS, 4 * SEEDS), batches):
            torch.manual_seed(0)
            x = torch.randn(models, batch, *shape)
            rows.append({"network": name, **compared(make(), x)})
    return pd.DataFrame([*rows, steps()])


def compared(network: nn.Module, x: Tensor) -> dict[str, float]:
    """A row of the table, without its name, for samples x (S, B, ...)."""
    y = torch.randint(10, x.shape[:2])
    both = arms(network, x, y)
    wanted, found = (arm() for arm in both)
    assert torch.allclose(wanted, found, atol=1e-5), "other gradients"
    work = Objective(network, x[0], y[0]).engine.work
    size = {"models": len(x), "batch": x.shape[1]}
    return {**size, "operations, millions": round(work * x.shape[1] / 1e6, 1), **_ratio(*both)}


def steps(batch: int = 32) -> dict[str, object]:
    """The last row: whole steps of Adam, the batch gathered, for the residual network with batch norms."""
    torch.manual_seed(0)
    network = residual.Residual()
    f = Objective(network, torch.randn(batch, 40), torch.randint(10, (batch,)))
    one_by_one = copy.copy(f)
    one_by_one.engine = f.engine.to(f.device, f.dtype)
    one_by_one.engine.work = math.inf
    x = training.start(network, range(SEEDS))
    order = torch.stack([torch.randperm(batch) for _ in range(SEEDS)])
    both = [
        functools.partial(Stepper(one, Recipe(batch, epochs=1), x, range(SEEDS)).step, order)
        for one in (one_by_one, f)
    ]
    wanted, found = (step() for step in both)
    assert torch.allclose(wanted, found, atol=1e-5), "other losses"
    work = round(f.engine.work * batch / 1e6, 1)
    size = {"models": SEEDS, "batch": batch, "operations, millions": work}
    return {"network": "residual, batch norms: a step", **size, **_ratio(*both)}


def _ratio(one_by_one: Callable[[], object], shared: Callable[[], object]) -> dict[str, float]:
    """The loop's milliseconds, and the time of the other arm over the loop's."""
    taken: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        loop, together = (_milliseconds(arm) for arm in (one_by_one, shared))
        taken.append((loop, together / loop))
    ratios = [ratio for _, ratio in taken]
    return {
        "loop, ms": round(statistics.median(loop for loop, _ in taken), 2),
        "ratio": round(statistics.median(ratios), 2),
        "lowest": round(min(ratios), 2),
        "highest": round(max(ratios), 2),
    }


def _milliseconds(function: Callable[[], object]) -> float:
    began = time.process_time()  # not the clock on the wall: others may use this core too
    for _ in range(CALLS):
        function()
    return (time.process_time() - began) / CALLS * 1e3


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table().to_string(index=False))
