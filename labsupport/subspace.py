"""The random manifolds of Metric 2.1: x + A y with A (n, p) of independent N(0, 1) entries, never larger than memory allows.

A is made in blocks of columns, each from its own seed. If the whole of it fits into a quarter of the free memory it
is kept; otherwise each block is made again whenever it is needed.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

_BLOCK = 10  # columns made together


def free_bytes(device: torch.device) -> int:
    """Free memory of a device, in bytes; 4 GiB where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


class FullSpace:
    """A = I."""

    def coordinates(self, x: Tensor) -> Tensor:
        return x

    def lift(self, y: Tensor) -> Tensor:
        return y

    def drop(self, gradient: Tensor) -> Tensor:
        return gradient


class RandomManifold:
    """A (n, p), the same for all models; ``like`` tells device and dtype."""

    def __init__(self, n: int, p: int, seed: int, like: Tensor):
        self.n, self.p, self.seed, self.device, self.dtype = n, p, seed, like.device, like.dtype
        self._kept: list[tuple[slice, Tensor]] | None = None
        if n * p * like.element_size() < free_bytes(like.device) // 4:
            self._kept = list(self._blocks())

    def _blocks(self):
        """(slice of columns, their entries (n, <=10)), one after another."""
        if self._kept is not None:
            yield from self._kept
            return
        for start in range(0, self.p, _BLOCK):
            width = min(_BLOCK, self.p - start)
            generator = torch.Generator(self.device).manual_seed(self.seed * 1_000_003 + start)
            yield slice(start, start + width), torch.randn(self.n, width, generator=generator, device=self.device,
                                                           dtype=self.dtype)

    def lift(self, y: Tensor) -> Tensor:
        """A y: (S, p) -> (S, n)."""
        return sum(y[:, columns] @ block.to(y.dtype).T for columns, block in self._blocks())

    def drop(self, gradient: Tensor) -> Tensor:
        """A^T g: (S, n) -> (S, p)."""
        return torch.cat([gradient @ block.to(gradient.dtype) for _, block in self._blocks()], 1)

    def coordinates(self, x: Tensor) -> Tensor:
        """A^+ x: (S, n) -> (S, p), by Cholesky of A^T A.

        In float64 throughout: a tall random A is well conditioned, but with p near n it is not.
        """
        gram = torch.zeros(self.p, self.p, dtype=torch.float64, device=self.device)
        for columns, block in self._blocks():
            block = block.double()
            for others, other in self._blocks():
                if others.start >= columns.start:  # the upper triangle is all that Cholesky reads
                    gram[columns, others] = block.T @ other.double()
        upper = torch.linalg.cholesky(gram, upper=True)
        return torch.cholesky_solve(self.drop(x.double()).T, upper, upper=True).T.to(x.dtype)
