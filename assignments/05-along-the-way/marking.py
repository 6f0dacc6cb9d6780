"""What the hidden tests of assignment 5 need: the shapes, and two paths with loss and sharpness."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from labsupport import data
from labsupport.sharpness import sharpness

SHAPES = [(16, 40), (16,), (10, 16), (10,)]
SIZES = [math.prod(shape) for shape in SHAPES]
STEPS = [0, 20, 40, 80, 160]


def exponents_of(seed: int) -> list[float]:
    """The three exponents of question 1."""
    return [1.0, 2 + 0.05 * (seed % 11), 3.5 + 0.05 * (seed % 13)]


def at_level(losses, values, level: float) -> float:
    """The value where the loss is first at ``level``, on doubly logarithmic paper."""
    after = int((losses <= level).nonzero()[0])
    before = after - 1
    share = math.log(losses[before] / level) / math.log(losses[before] / losses[after])
    return float(values[before] * (values[after] / values[before]) ** share)


@lru_cache
def paths(seed: int):
    """({name: losses (5, 5)}, {name: points (5, 5, 826)}) of SB and LB."""
    f = _loss_of(seed)
    points = {
        name: torch.stack([_path(f, size, start) for start in range(5)], 1)
        for name, size in (("SB", 30), ("LB", 150))
    }
    losses = {
        name: torch.tensor([[float(f(x)) for x in five] for five in found])
        for name, found in points.items()
    }
    return losses, points


def some_sharpness(seed: int, name: str, row: int):
    """The sharpness of the five points in one row of a path."""
    _, points = paths(seed)
    return sharpness(_loss_of(seed), points[name][row], epsilon=0.005, starts=1).value


def _loss_of(seed: int):
    everything = data.load("mnist1d", device="cpu")
    chosen = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:300]
    inputs, labels = everything.x_train[chosen], everything.y_train[chosen]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)

    def f(x, batch=slice(None)):
        W, b, V, c = (part.view(shape) for part, shape in zip(x.split(SIZES), SHAPES, strict=True))
        return F.cross_entropy(torch.tanh(inputs[batch] @ W.T + b) @ V.T + c, labels[batch])

    return f


def _path(f, size: int, start: int):
    generator = torch.Generator().manual_seed(start)
    x = (torch.randn(sum(SIZES), generator=generator) / 5).requires_grad_()
    optimizer, seen = torch.optim.Adam([x], lr=0.02), [x.detach().clone()]
    for step in range(1, STEPS[-1] + 1):
        optimizer.zero_grad()
        f(x, torch.randperm(300, generator=generator)[:size]).backward()
        optimizer.step()
        if step in STEPS:
            seen.append(x.detach().clone())
    return torch.stack(seen)
