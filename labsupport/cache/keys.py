"""The name of a result: a digest of everything it depends on, by content, never by a name that two things may share."""

from __future__ import annotations

import enum
import functools
import hashlib
import types
import weakref
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

#: The digests of a "function" and of a "class" as they run now. `code` puts them here: it names the
#: values that a function holds, and so stands above this module.
of_code: dict[str, Callable[[Any], str]] = {}


class Unnamed(TypeError):
    """A value whose content cannot be told apart from another's."""


def fingerprint(value) -> str:
    """A digest of a value's content: numbers, text, tensors, tables, dataclasses, data sets,
    problems, networks, functions.

    Raises Unnamed for what it cannot tell apart.

    >>> fingerprint({"a": 1, "b": [2.0]}) == fingerprint({"b": [2.0], "a": 1})
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    return _digest(value, ())


def _digest(value, above: tuple[int, ...]) -> str:
    if id(value) in above:
        raise Unnamed("A value that holds itself cannot be part of a stored result's name.")
    inner = functools.partial(_digest, above=(*above, id(value)))
    kind = type(value)
    if value is None or kind in (
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        slice,
        type(...),
        torch.dtype,
        torch.device,
        torch.Size,
        torch.layout,
        torch.memory_format,
    ):
        return _join(kind.__name__, repr(value))
    if kind in (list, tuple):
        return _join(kind.__name__, *map(inner, value))
    if kind in (set, frozenset):
        return _join(kind.__name__, *sorted(map(inner, value)))
    if isinstance(value, dict):
        pairs = sorted((inner(k), inner(v)) for k, v in value.items())
        return _join("dict", *(part for pair in pairs for part in pair))
    if isinstance(value, Tensor):
        return tensor_digest(value)
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value), inner, kind.__name__)
    if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
        return _table(value, inner)
    if isinstance(value, str | enum.Enum | PurePath):
        return _join(_name(kind), str(value))
    if isinstance(value, torch.Generator):
        return _join("Generator", inner(value.get_state()))
    return _object(value, inner)


def _object(value, inner: Callable[[object], str]) -> str:
    """A function, a network, a problem, any dataclass."""
    kind = type(value)
    if isinstance(value, nn.Module):
        return _module(value, inner)
    if isinstance(value, functools.partial):
        return _join("partial", inner(value.func), inner(value.args), inner(value.keywords))
    if isinstance(value, types.MethodType):
        return _join("method", inner(value.__self__), inner(value.__func__))
    if isinstance(value, types.MethodDescriptorType | types.WrapperDescriptorType):
        # a compiled class's method, such as Tensor.matmul
        return _join("method", inner(value.__objclass__), value.__name__)
    if callable(value) and (
        isinstance(value, type | types.BuiltinFunctionType)
        or hasattr(value, "__code__")
        or hasattr(value, "__wrapped__")
    ):
        return _join("code", of_code["function"](value))
    home = kind.__module__.split(".")
    # the data themselves, by whatever name they are called
    if home[:2] == ["labsupport", "problem"]:
        return _join("Problem", *value.key[:1], inner(value.load()))
    if home[:2] == ["labsupport", "data"] and kind.__name__ == "Dataset":
        parts = (value.x_train, value.y_train, value.x_test, value.y_test)
        return _join("Dataset", str(value.num_classes), *map(tensor_digest, parts))
    if is_dataclass(value):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        return _join(
            _name(kind),
            of_code["class"](kind),
            *(part for k, v in held.items() for part in (k, inner(v))),
        )
    raise Unnamed(
        f"A {kind.__name__} cannot be part of a stored result's name. Possible: numbers, text, tensors, arrays, "
        "tables, data sets, problems, networks, functions, dataclasses, and lists, tuples or dicts of these."
    )


def _join(*parts: str) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)}:".encode() + part.encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# -- tensors: a data set's are large and are asked for often, so a digest is kept as long as its tensor is unchanged

_known: dict[int, tuple[weakref.ref, tuple, str]] = {}
_LARGE = 1 << 22  # elements; smaller ones are quick enough to be read each time


def tensor_digest(tensor: Tensor) -> str:
    """A digest of a tensor's type, shape and numbers; on which device it lies makes no difference."""
    if tensor.numel() < _LARGE or tensor.is_inference():
        return _tensor(tensor)
    state = (
        tensor._version,
        tensor.data_ptr(),
        tensor.shape,
        tensor.dtype,
        tensor.stride(),
        _look(tensor),
    )
    kept = _known.get(id(tensor))
    if kept is not None and kept[0]() is tensor and kept[1] == state:
        return kept[2]
    found = _tensor(tensor)
    _known[id(tensor)] = (weakref.ref(tensor, functools.partial(_forget, id(tensor))), state, found)
    return found


def _forget(number: int, _) -> None:
    _known.pop(number, None)


def _look(tensor: Tensor) -> str:
    """A quick look that notices what torch's own count of changes does not: through NumPy, through ``.data``."""
    total = tensor.detach().sum(dtype=None if tensor.dtype.is_complex else torch.float64)
    return f"{total.item()} {_tensor(tensor.detach().flatten()[::997])}"


def _tensor(tensor: Tensor) -> str:
    if tensor.layout is not torch.strided or tensor.is_quantized:
        raise Unnamed(
            f"A {tensor.layout} tensor cannot be part of a stored result's name; give a dense one."
        )
    plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    numbers: Any = plain.flatten().view(torch.uint8).numpy() if plain.numel() else b""
    content = hashlib.sha256(numbers).hexdigest()
    return _join("Tensor", str(plain.dtype), str(tuple(plain.shape)), content)


def _array(array: np.ndarray, inner: Callable[[object], str], kind: str) -> str:
    if array.dtype.hasobject:
        return _join(kind, str(array.shape), *map(inner, array.ravel().tolist()))
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return _join(kind, array.dtype.descr.__repr__(), str(array.shape), content)


def _table(table, inner: Callable[[object], str]) -> str:
    if isinstance(table, pd.DataFrame):
        columns = [inner(table.iloc[:, i]) for i in range(table.shape[1])]
        return _join("DataFrame", inner(table.index), inner(table.columns), *columns)
    if isinstance(table, pd.MultiIndex):
        return _join("MultiIndex", inner(list(table.names)), inner(table.tolist()))
    content = table.to_numpy()
    index = inner(table.index) if isinstance(table, pd.Series) else ""
    missing = [bool(pd.isna(v)) for v in content] if content.dtype.hasobject else []
    plain = [None if gone else v for v, gone in zip(content, missing)] if missing else content
    return _join(
        type(table).__name__,
        inner(table.name),
        str(table.dtype),
        index,
        inner(plain),
        inner(missing),
    )


# -- networks --------------------------------------------------------------------------------------

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_INNER = {
    "_parameters",
    "_buffers",
    "_modules",
    "_non_persistent_buffers_set",
    "_is_full_backward_hook",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
    "_compiled_call_impl",
    *_HOOKS,
}


def _module(module: nn.Module, inner: Callable[[object], str]) -> str:
    """Its layers by name, their code, what they hold, and their parameters and buffers; tied ones
    are told from equal ones.
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise Unnamed(
            "A compiled network (torch.jit) has no source that could be told apart from another's."
        )
    parts: list[str] = []
    first: dict[int, str] = {}
    for name, layer in module.named_modules(remove_duplicate=False):
        parts += [
            name,
            str(first.setdefault(id(layer), name)),
            _name(type(layer)),
            of_code["class"](type(layer)),
        ]
        held = {k: v for k, v in vars(layer).items() if k not in _INNER}
        parts += [part for k in sorted(held) for part in (k, inner(held[k]))]
        parts += [inner(list(getattr(layer, hooks, {}).values())) for hooks in _HOOKS]
    for kind in (module.named_parameters, module.named_buffers):
        for name, tensor in kind(remove_duplicate=False):
            tied = str(first.setdefault(id(tensor), name))
            parts += [name, tied, str(tensor.requires_grad), tensor_digest(tensor)]
    return _join("Module", *parts)
