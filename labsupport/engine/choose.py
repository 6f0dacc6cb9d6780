"""Which engine computes a network: the first that reproduces it exactly.

Written out: chains of linear layers, batch norms and ReLUs. Stacked: plain sequences of the layers in `STACKABLE`.
Functional: every other module. Decided once, when an objective is made, by exact types: a subclass, a hook, a
parametrization, a shared or a frozen parameter may change what a layer computes, and leads to the third.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labsupport.engine import probe, stacked, vmapped, written_out
from labsupport.engine.batches import together
from labsupport.engine.functional import Functional
from labsupport.engine.layout import flatten

#: What the stacked engine knows, by exact type.
STACKABLE = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.ReLU,
    nn.MaxPool2d,
    nn.Dropout,
    nn.Flatten,
    nn.Unflatten,
    nn.Identity,
)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

#: Classes of the networks whose fast engine was once seen to agree with the functional one, by structure.
_AGREED: dict[tuple, int] = {}

Engine = written_out.WrittenOut | stacked.Stacked | Functional


def engine(
    network: nn.Module, inputs: Tensor, *, carried: bool, dtype: torch.dtype, loss: bool = False
) -> tuple[Engine, Tensor, int]:
    """The engine for a network, the samples as it takes them, and its number of classes (0 with an own ``loss``).

    ``carried`` says whether batch norm uses the running statistics that the network carries.

    Raises
    ------
    TypeError, ValueError
        The network does not take the inputs, gives no logits (B, K), or draws random numbers; the
        message names the layer.
    """
    fast = None
    if isinstance(network, nn.Sequential) and not_plain(network) is None:
        fast = _fast(network, carried=carried, device=inputs.device, dtype=dtype)
    structure = (repr(network), inputs.shape[1:], inputs.dtype, carried, loss)
    if fast and structure in _AGREED and len(inputs) > 1:
        return fast, inputs, _AGREED[structure]
    probe.refuse_outside_calls(network)
    functional = Functional(network, carried=carried, device=inputs.device, dtype=dtype)
    x = flatten(network).to(inputs.device, dtype)
    at = functional.layout.split_one(x)
    inputs, out = probe.accepted(functional, at, inputs, dtype)
    few = inputs[: probe.SAMPLES]
    classes = 0 if loss else probe.number_of_classes(out, len(few))
    probe.refuse_random(functional, at, few, out)
    if fast and _agree(fast, functional, x, few):
        structure = (repr(network), inputs.shape[1:], inputs.dtype, carried, loss)
        _AGREED[structure] = classes
        return fast, inputs, classes
    functional.work = vmapped.work(functional, x, few)
    return functional, inputs, classes


def group(engine: Engine, network: nn.Module, where: torch.device, models: int, batch: int) -> int:
    """How many models to compute in one pass, on ``batch`` samples each: a measured rule for each kind of engine."""
    if isinstance(engine, Functional):
        return engine.sharing(models, batch)
    return together(network, engine.layout.n, where, models, batch)


def _fast(
    network: nn.Sequential, *, carried: bool, device: torch.device, dtype: torch.dtype
) -> Engine:
    blocks = None if carried else written_out.chain(network)
    if blocks:
        return written_out.WrittenOut(network, blocks)
    return stacked.Stacked(network, carried=carried, device=device, dtype=dtype)


def _agree(fast: Engine, slow: Functional, x: Tensor, inputs: Tensor) -> bool:
    """Whether the two give the same logits in float64, at x and beside it."""
    points, inputs = probe.in_float64(x, inputs)
    with torch.no_grad():
        wanted = slow.to(x.device, torch.float64).logits(points, inputs)
        try:
            found = fast.to(x.device, torch.float64).logits(points, inputs)
        except RuntimeError:  # a shape that torch's own layers take and the stacked pass does not
            return False
    return found.shape == wanted.shape and torch.allclose(found, wanted, rtol=1e-6, atol=1e-8)


def not_plain(network: nn.Module) -> str | None:
    """Why the network is no plain sequence of known layers, in words; None where it is one.

    >>> not_plain(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    >>> not_plain(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
    'layer 1 is a Tanh'
    """
    if type(network) is not nn.Sequential:
        return f"it is a {type(network).__name__}"
    if _changed(network):
        return "it has a hook or a forward of its own"
    seen: set[int] = set()
    for name, layer in network._modules.items():
        reason = _layer_not_plain(layer) or _parameters_not_plain(layer, seen)
        if reason:
            return f"layer {name} {reason}"
    if len(list(network.named_parameters())) != len(seen):
        return "it has parameters beside those of its layers"
    return None


def _changed(module: nn.Module) -> bool:
    return "forward" in vars(module) or any(getattr(module, hooks, None) for hooks in _HOOKS)


def _layer_not_plain(layer: nn.Module) -> str | None:
    if type(layer) not in STACKABLE:
        return f"is a {type(layer).__name__}"
    if _changed(layer):
        return "has a hook or a forward of its own"
    if len(layer._modules) > 0:
        return "has layers inside"
    if isinstance(layer, nn.Conv1d | nn.Conv2d) and layer.padding_mode != "zeros":
        return f"has padding_mode {layer.padding_mode!r}"
    if isinstance(layer, nn.MaxPool2d) and layer.return_indices:
        return "returns indices"
    if isinstance(layer, nn.Flatten) and (layer.start_dim, layer.end_dim) != (1, -1):
        return "flattens some dimensions only"
    if isinstance(layer, nn.Unflatten) and layer.dim not in (1, -1):
        return f"unflattens dimension {layer.dim}"
    return None


def _parameters_not_plain(layer: nn.Module, seen: set[int]) -> str | None:
    for name, parameter in layer._parameters.items():
        if parameter is None:
            continue
        if name not in ("weight", "bias") or type(parameter) is not nn.Parameter:
            return f"has a parameter {name!r} of another kind"
        if not parameter.requires_grad:
            return "has a frozen parameter"
        if id(parameter) in seen:
            return "shares a parameter"
        seen.add(id(parameter))
    return None
