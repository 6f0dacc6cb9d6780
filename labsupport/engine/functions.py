"""What a function f of a point must be able to do, so that sharpness, lines and curvature need to know nothing else.

An `objective.Objective` can do all of it. Any plain function of one point works too: `adapt` wraps it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from labsupport.arguments import shown
from labsupport.engine import threads


@runtime_checkable
class Function(Protocol):
    """f as every measure asks for it; x is (n,) or (S, n), values are float64, gradients have x's shape and dtype.

    Optional: ``n``, ``device``, ``dtype``; ``statistics``, which says whose batch norm statistics f uses;
    ``loss_and_accuracy(x)``; ``hessian_at(x)``, a function v -> H v for many products; ``row(s)``, the function of
    model s alone where rows differ.
    """

    def __call__(self, x: Tensor) -> Tensor: ...

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]: ...

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor: ...

    def double(self) -> Function: ...


def check_points(x: Tensor, n: int | None = None, *, what: str = "x") -> Tensor:
    """x (n,) or (S, n) as (S, n), detached; a Parameter is a point, half precision becomes float32.

    Raises
    ------
    TypeError
        What is no tensor of floating-point numbers.
    ValueError
        A wrong shape, no point at all, a value that is not finite.
    """
    size = "n" if n is None else n
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{what} is a {type(x).__name__}; a torch Tensor of shape ({size},) or (S, {size}) is needed."
        )
    if not x.is_floating_point():
        raise TypeError(
            f"{what} holds {x.dtype}; floating-point numbers are needed. Use {what}.float()."
        )
    if x.layout != torch.strided or x.is_meta:
        raise TypeError(
            f"{what} is a tensor of layout {x.layout} on {x.device}; a dense tensor with values is needed."
        )
    if x.dim() not in (1, 2) or (n is not None and x.shape[-1] != n):
        shapes = f"({size},) or (S, {size})"
        raise ValueError(
            f"{what} has shape {tuple(x.shape)}; points of this function have shape {shapes}."
        )
    if x.numel() == 0:
        raise ValueError(
            f"{what} has shape {tuple(x.shape)}: it holds no point. Give at least one."
        )
    x = x.detach()
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    if x.is_inference():
        with torch.inference_mode(False):
            x = x.clone()  # autograd refuses a tensor made under inference mode
    if not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).sum())
        raise ValueError(
            f"{what} has {bad} entries that are not finite numbers. Did its training diverge?"
        )
    return x if x.dim() == 2 else x.unsqueeze(0)


class Plain:
    """A function of one point (n,) -> scalar, differentiable by torch, with an `Objective`'s methods, row by row.

    The function is called with points of ``dtype``, the one it was written for; values come back as float64 and
    gradients in the dtype of the point given.

    Raises
    ------
    TypeError, ValueError
        When it is called: what the function returned is not one number, or torch cannot differentiate it.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], dtype: torch.dtype):
        self.function, self.dtype = function, dtype

    def __call__(self, x: Tensor) -> Tensor:
        if x.dim() == 2:
            return torch.stack([self(row) for row in x])
        with threads.measuring(x.numel()), torch.no_grad():
            value = self.function(x.to(self.dtype))
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if number:  # enough where no gradient is asked for
                return torch.tensor(value, dtype=torch.float64, device=x.device)
            return _one_number(value).double()

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.dim() == 2:
            values, gradients = zip(*(self.value_and_gradient(row) for row in x))
            return torch.stack(values), torch.stack(gradients)
        with threads.measuring(x.numel()), torch.enable_grad():
            leaf = (
                x.detach().clone().to(self.dtype).requires_grad_()
            )  # a clone: inference mode's own have no gradient
            value = _one_number(self.function(leaf))
            (gradient,) = torch.autograd.grad(_attached(value), leaf, allow_unused=True)
        if gradient is None:
            raise ValueError(_DETACHED)
        return value.detach().double(), gradient.to(x.dtype)

    def gradient(self, x: Tensor) -> Tensor:
        return self.value_and_gradient(x)[1]

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        if x.dim() == 2:
            return torch.stack([self.hessian_vector(row, one) for row, one in zip(x, v)])
        with threads.measuring(x.numel()), torch.enable_grad():
            leaf = (
                x.detach().clone().to(self.dtype).requires_grad_()
            )  # a clone: inference mode's own have no gradient
            value = _attached(_one_number(self.function(leaf)))
            (gradient,) = torch.autograd.grad(value, leaf, create_graph=True, allow_unused=True)
            if gradient is None:
                raise ValueError(_DETACHED)
            if not gradient.requires_grad:  # f is linear in x
                return torch.zeros_like(v)
            (product,) = torch.autograd.grad(gradient, leaf, v.to(self.dtype), allow_unused=True)
        return torch.zeros_like(v) if product is None else product.to(x.dtype)

    def double(self) -> Plain:
        return self


_DETACHED = (
    "f returned a number that does not depend on x through torch's graph, so it has no gradient. Compute it from x "
    "with torch alone, without .item(), .detach(), NumPy or torch.no_grad()."
)


def _one_number(value) -> Tensor:
    """What f returned, if it is one number, as a scalar tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"f returned {shown(value)}; it must return one number as a torch Tensor, computed from x."
        )
    if value.numel() != 1:
        raise ValueError(
            f"f returned {shown(value)}; it must return one number. Take its sum or its mean."
        )
    if not value.is_floating_point():
        raise TypeError(
            f"f returned a number of type {value.dtype}; a floating-point number is needed."
        )
    return value.reshape(())


def _attached(value: Tensor) -> Tensor:
    if not value.requires_grad:
        raise ValueError(_DETACHED)
    return value


def adapt(f, dtype: torch.dtype = torch.float32) -> Function:
    """f itself if it has ``value_and_gradient``, else `Plain` around it; TypeError for what cannot be called.

    >>> adapt(lambda x: (x**2).sum()).gradient(torch.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    if hasattr(f, "value_and_gradient"):
        return f
    if not callable(f) or isinstance(f, (type, torch.nn.Module)):
        raise TypeError(
            f"f is {shown(f)}; an Objective, or a function of one point x (n,) that returns one number, is needed. "
            "For a network: Objective(network, inputs, labels)."
        )
    return Plain(f, dtype)


def functions_of_rows(f: Function, points: Tensor) -> list[Function]:
    """The function of each row of points (S, n) alone: f itself unless f treats the rows of a stack differently."""
    if len(points) == 1 or not hasattr(f, "row"):
        return [f] * len(points)
    return [f.row(s) for s in range(len(points))]
