"""Does `torch.func.vmap` over seeds beat one seed after another? ``python -m benchmarks.vmap``.

The loss and gradient of five models on a batch each, on one core: the general engine's loop, and
one call for all five.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

SEEDS, ROUNDS, CALLS = 5, 9, 8

Weights = dict[str, Tensor]


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
) -> tuple[Callable[[], list[Tensor]], Callable[[], list[Tensor]]]:
    """(one model after another, all together): gradients of models that lie beside each other, x (S, B, ...)."""
    stacked = {
        name: torch.stack([p.detach() + 0.01 * torch.randn_like(p) for _ in range(SEEDS)])
        for name, p in network.named_parameters()
    }

    def loss(at: Weights, inputs: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(network, at, (inputs,)), labels)

    def loop() -> list[Tensor]:
        found = []
        for s in range(SEEDS):
            at = {name: p[s].detach().requires_grad_() for name, p in stacked.items()}
            found.append(torch.autograd.grad(loss(at, x[s], y[s]), list(at.values())))
        return [torch.stack(parts) for parts in zip(*found)]

    def together() -> list[Tensor]:
        at = {name: p.detach().requires_grad_() for name, p in stacked.items()}
        return list(torch.autograd.grad(vmap(loss)(at, x, y).sum(), list(at.values())))

    return loop, together


def table() -> pd.DataFrame:
    """network, batch, milliseconds of the loop, and vmap's time over the loop's: median, lowest, highest round."""
    cases = {
        "residual": (lambda: Residual(norm=False), (32, 40)),
        "residual, layer norms": (lambda: Residual(norm=True), (32, 40)),
        "two convolutions": (convolutional, (32, 1, 16, 16)),
        "residual, larger batch": (lambda: Residual(norm=False), (256, 40)),
    }
    rows = []
    for name, (make, shape) in cases.items():
        torch.manual_seed(0)
        network = make()
        x, y = torch.randn(SEEDS, *shape), torch.randint(10, (SEEDS, shape[0]))
        both = arms(network, x, y)
        for wanted, found in zip(*(arm() for arm in both)):
            assert torch.allclose(wanted, found, atol=1e-5), f"{name}: other gradients"
        taken: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            loop, together = (_milliseconds(arm) for arm in both)
            taken.append((loop, together / loop))
        ratios = [ratio for _, ratio in taken]
        rows.append(
            {
                "network": name,
                "batch": shape[0],
                "loop, ms": round(statistics.median(loop for loop, _ in taken), 2),
                "ratio": round(statistics.median(ratios), 2),
                "lowest": round(min(ratios), 2),
                "highest": round(max(ratios), 2),
            }
        )
    return pd.DataFrame(rows)


def _milliseconds(function: Callable[[], object]) -> float:
    began = time.process_time()  # not the clock on the wall: others may use this core too
    for _ in range(CALLS):
        function()
    return (time.process_time() - began) / CALLS * 1e3


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(table().to_string(index=False))
