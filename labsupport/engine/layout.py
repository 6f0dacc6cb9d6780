"""Where each parameter of a network lies in its flat vector x, and the way there and back.

x holds the parameters that require a gradient, in the order of ``network.named_parameters()``; one that is shared by
several layers stands in it once. All else (frozen parameters, buffers) is no part of x and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labsupport.arguments import shown
from labsupport.engine.functions import check_points


def trained(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The names and parameters that make up x: those that require a gradient, each once.

    Raises
    ------
    TypeError
        What is no module; parameters that are not floating-point numbers.
    ValueError
        A lazy parameter, which has no shape yet; no parameter at all.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"network is {shown(network)}; a torch.nn.Module, or a name such as 'F0', is needed."
        )
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    for name, parameter in named:
        if nn.parameter.is_lazy(parameter):
            raise ValueError(
                f"Parameter {name} has no shape yet. Call the network once, network(inputs[:2]), first."
            )
        if not parameter.is_floating_point():
            raise TypeError(
                f"Parameter {name} holds {parameter.dtype}; real floating-point numbers are needed."
            )
    if not named:
        raise ValueError(
            "The network has no parameter that requires a gradient, so there is no x. "
            "Set requires_grad_(True) on what may move."
        )
    return named


@dataclass(frozen=True)
class Layout:
    """Names, shapes and sizes of the parameters in x, in order."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, network: nn.Module) -> Layout:
        named = trained(network)
        names, parameters = zip(*named)
        return cls(names, tuple(p.shape for p in parameters), tuple(p.numel() for p in parameters))

    @property
    def n(self) -> int:
        """The length of x."""
        return sum(self.sizes)

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """x (S, n) -> {name: (S, *shape)}, views of x."""
        parts = x.split(self.sizes, dim=1)
        found = {}
        for name, shape, part in zip(self.names, self.shapes, parts):
            found[name] = part if len(shape) == 1 else part.view(-1, *shape)
        return found

    def split_one(self, x: Tensor) -> dict[str, Tensor]:
        """x (n,) -> {name: (*shape)}, views of x."""
        parts = x.split(self.sizes)
        return {name: part.view(shape) for name, shape, part in zip(self.names, self.shapes, parts)}


def aligned(values: Tensor) -> Tensor:
    """Parameters as a GPU's kernels can read them: themselves, or a copy where they do not begin at a multiple of 16
    bytes, as a tensor of its own always does. Some kernels read 16 bytes at a time and do not ask.
    """
    if values.device.type == "cuda" and values.storage_offset() * values.element_size() % 16:
        return values.clone()
    return values


def flatten(network: nn.Module, state: Mapping[str, Tensor] | None = None) -> Tensor:
    """x (n,) of a module: the parameters that require a gradient, as one vector, a copy.

    ``state`` brings other values for the same network: a ``state_dict``, from a file for instance.

    Raises
    ------
    TypeError, ValueError
        What is no module; a ``state`` that lacks a parameter or holds it in another shape.

    >>> net = nn.Linear(2, 1)
    >>> torch.equal(flatten(net), flatten(net, net.state_dict())), len(flatten(net))
    (True, 3)
    """
    named = trained(network)
    if state is None:
        return torch.cat([p.detach().flatten() for _, p in named])
    found = []
    for name, parameter in named:
        value = state.get(name)
        if not isinstance(value, Tensor) or value.shape != parameter.shape:
            given = "missing" if value is None else shown(value)
            raise ValueError(
                f"In the state, {name} is {given}; a tensor of shape {tuple(parameter.shape)} is needed."
            )
        found.append(value.detach().flatten())
    return torch.cat(found)


def unflatten(x: Tensor, network: nn.Module) -> dict[str, Tensor]:
    """x (n,) as a whole ``state_dict``, ready for ``network.load_state_dict``.

    What is in x is a view of x; all else (buffers, parameters that require no gradient) is the network's own.

    >>> net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    >>> net.load_state_dict(unflatten(torch.zeros(10), net))
    <All keys matched successfully>
    """
    layout = Layout.of(network)
    if len(check_points(x, layout.n)) > 1 or x.dim() == 2:
        raise ValueError(
            f"x has shape {tuple(x.shape)}; one point ({layout.n},) is needed. Take a row: x[0]."
        )
    at = layout.split_one(x)
    names = {id(p): name for name, p in trained(network)}
    whole = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        if id(tensor) in names:
            whole[name] = at[names[id(tensor)]]
        else:
            whole[name] = tensor.detach() if isinstance(tensor, Tensor) else tensor
    return whole
