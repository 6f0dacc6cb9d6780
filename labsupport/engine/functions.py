"""What a function f of a point must be able to do, so that sharpness, lines and curvature need to know nothing else.

An `objective.Objective` can do all of it. Any plain function of one point works too: `adapt` wraps it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def check_points(x: Tensor, n: int | None = None, *, what: str = "x") -> Tensor:
    """x (n,) or (S, n) as (S, n); a wrong shape or a value that is not finite is an error in the learner's words."""
    size = "n" if n is None else n
    if not isinstance(x, Tensor):
        raise TypeError(f"{what} is a {type(x).__name__}; a torch Tensor of shape ({size},) or (S, {size}) is needed.")
    if not x.is_floating_point():
        raise TypeError(f"{what} holds {x.dtype}; floating-point numbers are needed. Use {what}.float().")
    if x.dim() not in (1, 2) or (n is not None and x.shape[-1] != n):
        raise ValueError(f"{what} has shape {tuple(x.shape)}; points of this function have shape ({size},) or (S, {size}).")
    if x.numel() == 0:
        raise ValueError(f"{what} has shape {tuple(x.shape)}: it holds no point. Give at least one.")
    if not torch.isfinite(x).all():
        bad = int((~torch.isfinite(x)).sum())
        raise ValueError(f"{what} has {bad} entries that are not finite numbers. Did its training diverge?")
    return x if x.dim() == 2 else x.unsqueeze(0)


class Plain:
    """A function of one point (n,) -> scalar, differentiable by torch, with an `Objective`'s methods, row by row.

    The function is called with points of ``dtype``, the one it was written for; values come back as float64 and
    gradients in the dtype of the point given.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], dtype: torch.dtype):
        self.function, self.dtype = function, dtype

    def __call__(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            if x.dim() == 2:
                return torch.stack([self(row) for row in x])
            return self.function(x.to(self.dtype)).double()

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.dim() == 2:
            values, gradients = zip(*(self.value_and_gradient(row) for row in x))
            return torch.stack(values), torch.stack(gradients)
        leaf = x.detach().to(self.dtype).requires_grad_()
        with torch.enable_grad():
            value = self.function(leaf)
            gradient = torch.autograd.grad(value, leaf)[0]
        return value.detach().double(), gradient.to(x.dtype)

    def gradient(self, x: Tensor) -> Tensor:
        return self.value_and_gradient(x)[1]

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        return torch.autograd.functional.hvp(self.function, x.to(self.dtype), v.to(self.dtype))[1].to(x.dtype)

    def double(self) -> Plain:
        return self


def adapt(f, dtype: torch.dtype = torch.float32):
    """f itself if it has ``value_and_gradient``, else `Plain` around it.

    >>> adapt(lambda x: (x**2).sum()).gradient(torch.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    return f if hasattr(f, "value_and_gradient") else Plain(f, dtype)
