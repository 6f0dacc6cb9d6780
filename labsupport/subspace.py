"""The random manifolds of Metric 2.1: x + A y with A (n, p) of independent N(0, 1) entries, never larger than memory
allows.

A is made in blocks of columns, each from its own seed. If the whole of it fits into a quarter of the free memory it
is kept; otherwise each block is made again whenever it is needed.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from labsupport.arguments import seed as as_seed
from labsupport.arguments import shown, whole_number
from labsupport.engine import threads

_BLOCK = 10  # columns made together


def free_bytes(device: torch.device) -> int:
    """Free memory of a device, in bytes; 4 GiB where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def _check(given: Tensor, length: int, name: str) -> None:
    if not isinstance(given, Tensor) or given.dim() != 2 or given.shape[1] != length:
        raise ValueError(f"{name} is {shown(given)}; a Tensor of shape (S, {length}) is needed.")


class FullSpace:
    """A = I: every direction of R^n, p = n. It offers what `RandomManifold` does."""

    def coordinates(self, x: Tensor) -> Tensor:
        """x (S, n) itself."""
        return x

    def matvec(self, y: Tensor) -> Tensor:
        """A y = y (S, n)."""
        return y

    def rmatvec(self, gradient: Tensor) -> Tensor:
        """A^T g = g (S, n)."""
        return gradient


class RandomManifold:
    """A (n, p), the same for all models; ``like`` tells device and dtype."""

    def __init__(self, n: int, p: int, seed: int, like: Tensor):
        if not isinstance(like, Tensor) or not like.is_floating_point():
            raise TypeError(
                f"like is {shown(like)}; a tensor of floating-point numbers tells device and precision."
            )
        self.n = n = whole_number("n", n, least=1)
        self.p = p = whole_number(
            "p", p, least=1, most=n, hint=f"A manifold in R^{n} has 1 to {n} dimensions."
        )
        self.seed = as_seed("seed", seed) % 2**43  # so that a block's own seed fits 63 bits
        self.device, self.dtype = like.device, like.dtype
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
            yield (
                slice(start, start + width),
                torch.randn(
                    self.n, width, generator=generator, device=self.device, dtype=self.dtype
                ),
            )

    def matvec(self, y: Tensor) -> Tensor:
        """A y: (S, p) -> (S, n)."""
        _check(y, self.p, "y")
        with threads.measuring(self.n):  # full precision, whatever is switched on outside
            return sum(y[:, columns] @ block.to(y.dtype).T for columns, block in self._blocks())

    def rmatvec(self, gradient: Tensor) -> Tensor:
        """A^T g: (S, n) -> (S, p)."""
        _check(gradient, self.n, "gradient")
        with threads.measuring(self.n):
            return torch.cat(
                [gradient @ block.to(gradient.dtype) for _, block in self._blocks()], 1
            )

    def coordinates(self, x: Tensor) -> Tensor:
        """A^+ x: (S, n) -> (S, p), by Cholesky of A^T A.

        In float64 throughout: a tall random A is well conditioned, but with p near n it is not.
        """
        _check(x, self.n, "x")
        with threads.measuring(self.n):
            return self._least_squares(x)

    def _least_squares(self, x: Tensor) -> Tensor:
        gram = torch.zeros(self.p, self.p, dtype=torch.float64, device=self.device)
        for columns, block in self._blocks():
            block = block.double()
            for others, other in self._blocks():
                if others.start >= columns.start:  # the upper triangle is all that Cholesky reads
                    gram[columns, others] = block.T @ other.double()
        upper = torch.linalg.cholesky(gram, upper=True)
        return torch.cholesky_solve(self.rmatvec(x.double()).T, upper, upper=True).T.to(x.dtype)
