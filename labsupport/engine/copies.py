"""Copies of a module that share nothing with the caller's: without the numbers of x, on another device or in another
precision.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from labsupport.engine.layout import trained


def private_copy(network: nn.Module) -> nn.Module:
    """The module without the numbers that x replaces: a change of either never reaches the other.

    Where a parameter of x stood, one nan stands, expanded to its shape: what reads it past x comes out as nan.

    Raises
    ------
    TypeError
        Something in the module cannot be copied, or calls the module from outside.
    """
    memo: dict[int, Any] = {
        id(p): nn.Parameter(p.new_full((), torch.nan).expand(p.shape)) for _, p in trained(network)
    }
    for module in network.modules():
        for value in vars(module).values():  # weight_norm and prune leave their last product there
            if isinstance(value, Tensor) and value.grad_fn is not None:
                memo[id(value)] = value.detach().clone()
    try:
        made = copy.deepcopy(network, memo)
    except Exception as error:
        raise TypeError(
            f"The network ({type(network).__name__}) cannot be copied: {error}. "
            "Keep locks, files and generators out of the module."
        ) from error
    return made


def held_as(network: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A private copy whose held tensors (frozen parameters, buffers, plain attributes) lie there, in that precision."""
    made = private_copy(network)

    def moved(value):
        if isinstance(value, nn.Parameter) and value.requires_grad:
            return value  # x takes its place
        found = value.detach().to(device, dtype if value.is_floating_point() else value.dtype)
        return (
            nn.Parameter(found, requires_grad=False) if isinstance(value, nn.Parameter) else found
        )

    for module in made.modules():
        for group in (module._parameters, module._buffers, vars(module)):
            for name, value in list(group.items()):
                if isinstance(value, Tensor):
                    group[name] = moved(value)
    return made
