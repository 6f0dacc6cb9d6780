"""The Hessian of a sum of losses times a vector, also where torch's fastest kernels cannot be differentiated twice.

H v = d/dx (g(x) . v), where g is the gradient: one pass forward and two back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


class Hessian:
    """v (n,) -> H v (n,) of the sum of ``losses``, functions of x (1, n) -> scalar, at ``point`` (1, n).

    The gradient of a single loss is the same for every v. To ``keep`` its graph leaves one pass back of three from the
    second product on, and holds what any one product needs while it is made. Several losses would hold a graph each;
    they are made anew for every v.

    Raises
    ------
    ValueError
        At a product: a kernel without a second derivative, for which torch has no slower one with it.
    """

    def __init__(self, losses: Iterable[Loss], point: Tensor, keep: bool = False):
        self.losses, self.point = list(losses), point
        self.keep = keep and len(self.losses) == 1
        self.kept: tuple[Tensor, Tensor] | None = None
        self.slower = False

    def __call__(self, v: Tensor) -> Tensor:
        if not self.slower:
            try:
                return self._product(v)
            except RuntimeError as error:
                if not _once_only(error):
                    raise
            self.slower, self.kept = True, None
        try:
            with slower_kernels():
                return self._product(v)
        except RuntimeError as error:
            if not _once_only(error):
                raise
            words = " ".join(str(error).split())[:200]
            raise ValueError(
                f"A layer of the network has no second derivative in torch, so f has no Hessian: {words} "
                "Value, gradient and sharpness need none."
            ) from error

    def _product(self, v: Tensor) -> Tensor:
        total = torch.zeros_like(v)
        for part, loss in enumerate(self.losses):
            leaf, gradient = self.kept or self._gradient(loss, first=part == 0)
            if self.keep:
                self.kept = leaf, gradient
            if gradient.requires_grad:  # else this loss is linear in x
                total += torch.autograd.grad(
                    gradient, leaf, v[None], materialize_grads=True, retain_graph=self.keep
                )[0][0]
        return total

    def _gradient(self, loss: Loss, *, first: bool) -> tuple[Tensor, Tensor]:
        """A point of its own, and the gradient there as a function of it."""
        leaf = self.point.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
        if first:
            _complain_of_ends(gradient)
        return leaf, gradient


def _complain_of_ends(gradient: Tensor) -> None:
    """RuntimeError where the gradient's graph ends in a function that is @once_differentiable.

    Torch cuts the graph there, so that a product would come out without that part, and without a word.
    """
    waiting, seen = [gradient.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() in ("DelayedError", "Error", "torch::autograd::Error", "NotImplemented"):
            raise RuntimeError("a function of the network is marked @once_differentiable.")
        waiting += [one for one, _ in node.next_functions]


def _once_only(error: RuntimeError) -> bool:
    """Whether torch says that a kernel cannot be differentiated twice."""
    words = str(error).lower()
    return any(
        sign in words
        for sign in (
            "derivative for",
            "double backward",
            "differentiable twice",
            "once_differentiable",
        )
    )


@contextmanager
def slower_kernels():
    """Attention and recurrent layers by kernels that have a second derivative."""
    libraries: list[Any] = [torch.backends.cudnn, torch.backends.mkldnn]
    before = [one.enabled for one in libraries]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        try:
            for one in libraries:
                one.enabled = False
            yield
        finally:
            for one, kept in zip(libraries, before):
                one.enabled = kept
