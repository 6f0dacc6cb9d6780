"""Adam and SGD for all points at once, in place: the formulas, and torch's fused kernel where it is to be had.

`torch.optim` walks through its options in Python before it calls that kernel, which takes longer than the kernel for
networks of this size. The kernels are private names of torch, so each is tried once; where one is missing or does not
do what the formula says, the formula is used.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import torch
from torch import Tensor


class Adam:
    """Kingma and Ba 2015, with torch's defaults.

    m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,
    x = x - rate * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps),  with g the gradient plus ``weight_decay`` times x.
    """

    b1, b2, eps = 0.9, 0.999, 1e-8

    def __init__(self, x: Tensor, weight_decay: float = 0.0):
        self.weight_decay = weight_decay
        self.m, self.v = torch.zeros_like(x), torch.zeros_like(x)
        # as the kernel wants t
        self.t, self.one = torch.zeros((), device=x.device), torch.ones((), device=x.device)
        self.kernel = kernel("_fused_adam_", x.device.type)

    def step(self, x: Tensor, gradient: Tensor, rate: float) -> None:
        """Move x in place."""
        self.t.add_(self.one)
        if self.kernel is None:
            self.formula(x, gradient, rate)
            return
        self.kernel(
            [x],
            [gradient],
            [self.m],
            [self.v],
            [],
            [self.t],
            lr=rate,
            beta1=self.b1,
            beta2=self.b2,
            weight_decay=self.weight_decay,
            eps=self.eps,
            amsgrad=False,
            maximize=False,
        )

    def formula(self, x: Tensor, gradient: Tensor, rate: float) -> None:
        t = float(self.t)
        g = gradient.add(x, alpha=self.weight_decay) if self.weight_decay else gradient
        self.m.lerp_(g, 1 - self.b1)
        self.v.mul_(self.b2).addcmul_(g, g, value=1 - self.b2)
        spread = self.v.sqrt().div_(math.sqrt(1 - self.b2**t)).add_(self.eps)
        x.addcdiv_(self.m, spread, value=-rate / (1 - self.b1**t))

    @property
    def state(self) -> dict[str, Tensor]:
        """What it remembers: tensors shaped like x, and the number of steps."""
        return {"m": self.m, "v": self.v, "t": self.t}

    @state.setter
    def state(self, given: dict[str, Tensor]) -> None:
        for name, value in given.items():
            getattr(self, name).copy_(value)


class SGD:
    """v = momentum v + g,  x = x - rate * v,  with g the gradient plus ``weight_decay`` times x."""

    def __init__(self, x: Tensor, weight_decay: float = 0.0, momentum: float = 0.0):
        self.weight_decay, self.momentum = weight_decay, momentum
        self.v = torch.zeros_like(x) if momentum else x.new_empty(0)
        self.kernel = kernel("_fused_sgd_", x.device.type)

    def step(self, x: Tensor, gradient: Tensor, rate: float) -> None:
        """Move x in place."""
        if self.kernel is None:
            self.formula(x, gradient, rate)
            return
        remembered = [self.v] if self.momentum else []
        self.kernel(
            [x],
            [gradient],
            remembered,
            lr=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )

    def formula(self, x: Tensor, gradient: Tensor, rate: float) -> None:
        g = gradient.add(x, alpha=self.weight_decay) if self.weight_decay else gradient
        x.add_(self.v.mul_(self.momentum).add_(g) if self.momentum else g, alpha=-rate)

    @property
    def state(self) -> dict[str, Tensor]:
        """What it remembers: a tensor shaped like x, with momentum."""
        return {"v": self.v} if self.momentum else {}

    @state.setter
    def state(self, given: dict[str, Tensor]) -> None:
        if self.momentum:
            self.v.copy_(given["v"])


def make(recipe, x: Tensor) -> Adam | SGD:
    """The optimizer that a `Recipe` names, for points x."""
    if recipe.optimizer == "adam":
        return Adam(x, recipe.weight_decay)
    return SGD(x, recipe.weight_decay, recipe.momentum)


@functools.cache
def kernel(name: str, device_type: str):
    """Torch's fused kernel of this private name, if it exists and agrees with the formula on a small example."""
    found = getattr(torch, name, None)
    if found is None:
        return None
    x = torch.linspace(-1, 1, 24, device=device_type)
    pairs = []
    for one in (found, None):
        moved = x.clone()
        optimizer: Any = object.__new__(Adam if "adam" in name else SGD)
        optimizer.weight_decay, optimizer.momentum, optimizer.kernel = 0.1, 0.9, one
        optimizer.m, optimizer.v = torch.zeros_like(x), torch.zeros_like(x)
        optimizer.t, optimizer.one = (
            torch.zeros((), device=device_type),
            torch.ones((), device=device_type),
        )
        try:
            for _ in range(2):
                optimizer.step(moved, x.square(), 0.01)
        except (RuntimeError, TypeError, NotImplementedError):
            return None
        pairs.append(moved)
    return found if torch.allclose(pairs[0], pairs[1], atol=1e-6) else None
