"""What the hidden tests of assignment 3 need: the valleys, a network, and curvature at five points."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F

from labsupport import data
from labsupport.landscape import normalized_direction

SHAPES = [(16, 40), (16,), (10, 16), (10,)]
SIZES = [math.prod(shape) for shape in SHAPES]


def widths(seed: int) -> tuple[float, float]:
    """The flat and the sharp width of question 1."""
    return 1.2 + 0.01 * (seed % 43), 0.2 + 0.002 * (seed % 37)


def two_layers():
    """W, b, V, c of a network that is not balanced, double precision."""
    generator = torch.Generator().manual_seed(3)
    shapes = [(5, 3), (5,), (4, 5), (4,)]
    W, b, V, c = (torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)
    return 3 * W, 2 * b, V * torch.tensor([0.1, 1.0, 10.0, 0.5, 2.0]), c


def network(z, W, b, V, c):
    """Its outputs for inputs z (m, 3)."""
    return torch.relu(z @ W.T + b) @ V.T + c


@lru_cache
def measured(seed: int) -> dict:
    """The four rows of five curvatures of question 5."""
    f = _loss_of(seed)
    points = [_trained(f, start) for start in range(5)]
    rows = [slice(40 * j, 40 * j + 40) for j in range(16)] + [slice(640, 656)]
    rows += [slice(656 + 16 * k, 672 + 16 * k) for k in range(10)] + [slice(816, 826)]

    def second(x, d, h):
        return float(f(x + h * d) - 2 * f(x) + f(x - h * d)) / h**2

    def plain(x, k):
        d = torch.randn(826, generator=torch.Generator().manual_seed(k), dtype=torch.float64)
        return second(x, d / d.norm(), 0.05)

    def own(x, k):
        return second(x, normalized_direction(x, rows, torch.Generator().manual_seed(k)), 0.02)

    def of_all(kind, at):
        return torch.tensor([sum(kind(at(x), k) for k in range(8)) / 8 for x in points])

    return {
        "plain": of_all(plain, lambda x: x),
        "plain_stretched": of_all(plain, _stretched),
        "own": of_all(own, lambda x: x),
        "own_stretched": of_all(own, _stretched),
    }


def _loss_of(seed: int):
    everything = data.load("mnist1d", device="cpu")
    chosen = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:300]
    inputs, labels = everything.x_train[chosen].double(), everything.y_train[chosen]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)

    def f(x):
        W, b, V, c = (part.view(shape) for part, shape in zip(x.split(SIZES), SHAPES, strict=True))
        return F.cross_entropy(torch.relu(inputs @ W.T + b) @ V.T + c, labels)

    return f


def _trained(f, start: int):
    generator = torch.Generator().manual_seed(start)
    x = torch.randn(sum(SIZES), generator=generator, dtype=torch.float64) / 5
    optimizer = torch.optim.Adam([x.requires_grad_()], lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        f(x).backward()
        optimizer.step()
    return x.detach()


def _stretched(x):
    W, b, V, c = x.split(SIZES)
    return torch.cat([4 * W, 4 * b, V / 4, c])
