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


def product(losses: Iterable[Loss], point: Tensor, v: Tensor) -> Tensor:
    """The Hessian of the sum of ``losses``, functions of x (1, n) -> scalar, at ``point`` (1, n), times v (n,): (n,).

    Raises
    ------
    ValueError
        A kernel without a second derivative, for which torch has no slower one with it.
    """
    losses = list(losses)
    try:
        return _product(losses, point, v)
    except RuntimeError as error:
        if not _once_only(error):
            raise
    try:
        with slower_kernels():
            return _product(losses, point, v)
    except RuntimeError as error:
        if not _once_only(error):
            raise
        words = " ".join(str(error).split())[:200]
        raise ValueError(
            f"A layer of the network has no second derivative in torch, so f has no Hessian: {words} "
            "Value, gradient and sharpness need none."
        ) from error


def _product(losses: list[Loss], point: Tensor, v: Tensor) -> Tensor:
    total = torch.zeros_like(v)
    for part, loss in enumerate(losses):
        leaf = point.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
        if part == 0:
            _complain_of_ends(gradient)
        if gradient.requires_grad:  # else this loss is linear in x
            total += torch.autograd.grad(gradient, leaf, v[None], materialize_grads=True)[0][0]
    return total


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
