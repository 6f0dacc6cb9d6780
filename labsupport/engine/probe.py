"""What is asked of a network once, on a few samples, before any long work: can it take them, and what comes out?

Every refusal names the layer, says what was given and what to change.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from labsupport.arguments import shown
from labsupport.engine.functional import ONE_SAMPLE, Functional, Norms, NothingCarried

#: Samples that are tried.
SAMPLES = 4


def accepted(
    network: Functional, at: dict[str, Tensor], inputs: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """All samples in the type that the network takes: as they are, else images / 255, whole numbers as int64 or floats.

    With them, the outputs of the first few: a large network is called as rarely as possible.

    Raises
    ------
    TypeError, ValueError
        The network takes none of these; the first error names the layer.
    """
    kinds: list[Callable[[Tensor], Tensor]] = [
        lambda t: t.to(dtype) if t.is_floating_point() else t
    ]
    if inputs.dtype == torch.uint8:
        kinds.append(lambda t: t.to(dtype) / 255)
    if not inputs.is_floating_point():
        kinds += [lambda t: t.long(), lambda t: t.to(dtype)]
    refusals: list[Refused] = []
    for kind in kinds:
        try:
            out = outputs(network, at, kind(inputs[:SAMPLES]))
            return kind(inputs), out
        except Refused as error:
            refusals.append(error)
    raise ValueError(str(refusals[0])) from refusals[0].__cause__


class Refused(ValueError):
    """A call of the network that failed, with the layer's name."""


def outputs(network: Functional, at: dict[str, Tensor], inputs: Tensor) -> Tensor:
    """Outputs (B, ...) with parameters ``at``, or `Refused`, which names the layer."""
    inside: list[tuple[str, nn.Module]] = []
    handles = []
    for name, module in network.module.named_modules():
        handles.append(
            module.register_forward_pre_hook(lambda m, _, name=name: inside.append((name, m)))
        )
        handles.append(module.register_forward_hook(lambda m, _, out: inside.pop() and None))
    try:
        with torch.no_grad(), Norms(carried=network.carried):
            out = torch.func.functional_call(network.module, at, (inputs,))
        if (
            isinstance(out, Tensor)
            and out.isnan().any()
            and (not inputs.is_floating_point() or inputs.isfinite().all())
        ):
            raise RuntimeError(
                "the outputs are nan. Either the weights are, or a parameter is used through a plain list or "
                "attribute beside its registration, where x cannot reach it; use nn.ParameterList there"
            )
        return out
    except Exception as error:
        name, module = inside[-1] if inside else ("", network.module)
        if isinstance(error, NothingCarried):
            raise NothingCarried(called(name, module).capitalize()) from error
        if ONE_SAMPLE in str(error):
            raise
        words = " ".join(str(error).split())
        raise Refused(
            f"The network does not take inputs of shape {_shape(inputs)} and {inputs.dtype}: {called(name, module)} "
            f"says: {words[:300]}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


def called(name: str, module: nn.Module) -> str:
    """A layer in words.

    >>> called("conv1", nn.Conv2d(1, 1, 3)), called("", nn.Sequential())
    ('layer conv1 (Conv2d)', 'the network (Sequential)')
    """
    kind = type(module).__name__
    return f"layer {name} ({kind})" if name else f"the network ({kind})"


def _shape(inputs: Tensor) -> str:
    return str(("B", *inputs.shape[1:])).replace("'", "")


def refuse_random(
    network: Functional, at: dict[str, Tensor], inputs: Tensor, first: Tensor
) -> None:
    """ValueError if another call gives other outputs than ``first``: then f is no function of x. Names the layer that
    draws.
    """
    draws: list[str] = []
    with torch.random.fork_rng(devices=[inputs.device] if inputs.is_cuda else []):
        torch.manual_seed(1 + torch.initial_seed() % 2**32)
        before = _states(inputs)
        second = outputs(network, at, inputs)
        drew = before != _states(inputs)
    if not torch.equal(torch.nan_to_num(first), torch.nan_to_num(second)):
        draws = _drawing_layers(network, at, inputs) if drew else []
        where = (
            f"{draws[0]} draws random numbers" if draws else "it gives two outputs for one input"
        )
        raise ValueError(
            f"The network is no function of its inputs: {where} in evaluation mode too. "
            "Draw only while self.training holds: F.dropout(h, p, training=self.training)."
        )


def _states(inputs: Tensor) -> bytes:
    own = torch.get_rng_state().numpy().tobytes()
    return (
        own + torch.cuda.get_rng_state(inputs.device).numpy().tobytes() if inputs.is_cuda else own
    )


def _drawing_layers(network: Functional, at: dict[str, Tensor], inputs: Tensor) -> list[str]:
    """The innermost layers during whose call torch's generator moved on."""
    found, open_states, handles = [], [], []
    for name, module in network.module.named_modules():
        handles.append(
            module.register_forward_pre_hook(lambda m, _: open_states.append(_states(inputs)))
        )
        handles.append(
            module.register_forward_hook(
                lambda m, _, out, name=name: (
                    found.append(called(name, m)) if open_states.pop() != _states(inputs) else None
                )
            )
        )
    try:
        outputs(network, at, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found  # inner layers end before the outer ones


def refuse_outside_calls(network: nn.Module) -> None:
    """TypeError where a hook or a stored function reaches the caller's own module, whose weights are not x."""
    own = {id(module) for module in network.modules()} | {id(p) for p in network.parameters()}
    for name, module in network.named_modules():
        if any(id(value) in own for function in _functions(module) for value in _reached(function)):
            raise TypeError(
                f"A hook or stored function of {called(name, module)} uses the network from outside, through a "
                "variable. Write it as a method of a module, which uses self."
            )


def _functions(module: nn.Module) -> Iterator[types.FunctionType]:
    """The plain functions that a module holds: hooks, a replaced forward, attributes; methods are copied with it."""
    for value in vars(module).values():
        inner = (
            value.values()
            if isinstance(value, dict)
            else value
            if isinstance(value, list | tuple)
            else [value]
        )
        for one in inner:
            one = one.func if isinstance(one, functools.partial) else one
            if isinstance(one, types.FunctionType):
                yield one


def _reached(function: types.FunctionType) -> list:
    """What a plain function refers to beyond its arguments."""
    seen = inspect.getclosurevars(function)
    values = [*seen.nonlocals.values(), *seen.globals.values(), *(function.__defaults__ or ())]
    return values + [value for part in values if isinstance(part, list | tuple) for value in part]


def number_of_classes(out, samples: int) -> int:
    """K from outputs (B, K).

    Raises
    ------
    TypeError, ValueError
        What is no tensor of logits.
    """
    if not isinstance(out, Tensor):
        raise TypeError(
            f"The network returns {shown(out)}; a tensor of logits (B, K), one column a class, is needed. "
            "Wrap it in a module that returns the logits alone."
        )
    if out.dim() != 2 or len(out) != samples or out.shape[1] < 2 or not out.is_floating_point():
        raise ValueError(
            f"For {samples} samples the network returns {out.dtype} of shape {tuple(out.shape)}; logits (B, K), "
            "one row a sample and one column a class, at least 2, are needed. For others give loss=."
        )
    return out.shape[1]


def check_loss(loss: Callable, engine, x: Tensor, inputs: Tensor, labels: Tensor) -> int:
    """The number of classes, 0 where there are none, of a network at x (n,) with a loss of its own.

    Raises TypeError or ValueError unless ``loss(logits, labels)`` is a scalar and a mean over samples.
    """
    inputs, labels = inputs[:SAMPLES], labels[:SAMPLES]
    with torch.no_grad():
        out = engine.logits(x[None], inputs)[0].movedim(-1, 0)  # (..., B) -> (B, ...)
    _refuse_unless_mean(loss, out, labels)
    numbered = labels.dim() == 1 and labels.dtype == torch.int64
    return out.shape[1] if numbered and out.dim() == 2 and out.shape[1] > 1 else 0


def _refuse_unless_mean(loss: Callable, out: Tensor, labels: Tensor) -> None:
    if not isinstance(out, Tensor) or out.dim() == 0 or len(out) != len(labels):
        raise ValueError(
            f"For {len(labels)} samples the network returns {shown(out)}; one row a sample is needed."
        )
    out = out.detach().requires_grad_()
    with torch.enable_grad():
        try:
            whole = loss(out, labels)
        except Exception as error:
            words = " ".join(str(error).split())[:300]
            raise ValueError(
                f"loss(logits, labels) does not take {shown(out)} and {shown(labels)}: {words}"
            ) from error
    if not isinstance(whole, Tensor) or whole.dim() != 0 or not whole.is_floating_point():
        raise TypeError(
            f"loss(logits, labels) returns {shown(whole)}; one number, a scalar tensor, is needed: the mean."
        )
    if not whole.requires_grad:
        raise ValueError(
            "loss(logits, labels) does not depend on the logits through torch's graph, so it has no gradient."
        )
    with torch.no_grad():
        parts = torch.stack([loss(out[k : k + 1], labels[k : k + 1]) for k in range(len(labels))])
    if not torch.allclose(whole, parts.mean(), rtol=1e-3, atol=1e-5):
        raise ValueError(
            f"loss is no mean over samples: {len(labels)} samples together give {float(whole.detach()):.5g}, one by "
            f"one on average {float(parts.mean()):.5g}. Use reduction='mean', without weights a class."
        )


def in_float64(x: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Where two ways to compute a network are compared: x (n,) and a point beside it, (2, n), and the samples."""
    generator = torch.Generator("cpu").manual_seed(0)
    noise = torch.randn(x.shape, generator=generator, device="cpu", dtype=torch.float64)
    points = torch.stack([x.double(), x.double() + 0.05 * noise.to(x.device)])
    return points, inputs.double() if inputs.is_floating_point() else inputs
