"""How the points of S models lie in memory: one flat tensor, which an optimizer moves in one call.

By rows: a model after the other, as x (S, n) says. By layers: a parameter after the other, each for
all models, so that a layer's weights (S, C, D) are contiguous and torch multiplies them in one
batched call, a tenth faster. Blocks are padded to whole cache lines, so that a model's numbers are
the same whoever lies beside it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from labsupport.engine.layout import Layout

#: Numbers in a cache line.
LINE = 16


def _padded(numbers: int) -> int:
    return -(-numbers // LINE) * LINE


class Storage:
    """The order of the numbers of S models in a flat tensor."""

    def __init__(self, layout: Layout, models: int, *, by_layers: bool):
        self.layout, self.models, self.by_layers = layout, models, by_layers

    def __len__(self) -> int:
        if self.by_layers:
            return sum(_padded(self.models * size) for size in self.layout.sizes)
        return self.models * _padded(self.layout.n)

    def flat(self, rows: Tensor) -> Tensor:
        """x (S, n) in this order, a copy."""
        made = rows.new_zeros(len(self))
        if self.by_layers:
            own = self.layout.split(rows)
            for name, view in self.views(made).items():
                view.copy_(own[name])
        else:
            self.rows(made).copy_(rows)
        return made

    def rows(self, flat: Tensor) -> Tensor:
        """x (S, n): a view of ``flat`` by rows, a copy by layers."""
        if self.by_layers:
            return torch.cat([view.flatten(1) for view in self.views(flat).values()], 1)
        return flat.view(self.models, -1)[:, : self.layout.n]

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """{name: (S, *shape)}, views of ``flat``."""
        if not self.by_layers:
            return self.layout.split(self.rows(flat))
        found, first = {}, 0
        for name, shape, size in zip(self.layout.names, self.layout.shapes, self.layout.sizes):
            found[name] = flat[first : first + self.models * size].view(self.models, *shape)
            first += _padded(self.models * size)
        return found


class Points:
    """Where S models are, x (S, n), and the gradients there: two flat tensors, moved and written in place.

    ``at`` and ``slope`` are views of them by parameter, {name: (S, *shape)}.
    """

    def __init__(self, storage: Storage, x: Tensor):
        self.storage = storage
        self.flat = storage.flat(x)
        self.flat_gradient = torch.zeros_like(self.flat)
        self.at, self.slope = storage.views(self.flat), storage.views(self.flat_gradient)

    @property
    def rows(self) -> Tensor:
        """x (S, n), as `Storage.rows`."""
        return self.storage.rows(self.flat)

    @property
    def gradient(self) -> Tensor:
        """The gradients (S, n), as `Storage.rows`."""
        return self.storage.rows(self.flat_gradient)
