"""Values as plain JSON and arrays, and back; a closed list of types, and no code in what is written."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

#: Dataclasses of this package that a result may hold, and the module of each.
CLASSES = {
    "Runs": "labsupport.training",
    "Sharpness": "labsupport.sharpness",
    "Recipe": "labsupport.recipe",
    "Problem": "labsupport.problem",
    "Dataset": "labsupport.data",
    "Claim": "labsupport.check",
}
#: NumPy has no such numbers; their bits are kept as whole numbers.
_AS_BITS = {torch.bfloat16: torch.int16}
_DTYPES = {
    str(kind).removeprefix("torch."): kind
    for kind in (
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.complex64,
        torch.complex128,
    )
}


def _class(name: str) -> type | None:
    """The dataclass of this name; None for one that a result may not hold."""
    return getattr(importlib.import_module(CLASSES[name]), name) if name in CLASSES else None


class Writer:
    """Turns a value into plain JSON; the arrays in it gather in ``arrays``."""

    def __init__(self, given: Mapping[str, object]):
        self.given = given
        self.arrays: list[np.ndarray] = []

    def encode(self, value):
        """A list ["kind", ...], or a plain number, text, bool or None."""
        for name, argument in self.given.items():
            if value is argument and (
                isinstance(value, nn.Module) or type(value).__name__ in ("Problem", "Dataset")
            ):
                return ["given", name]
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else ["float", str(value)]
        if kind in (list, tuple, set, frozenset):
            return [kind.__name__, [self.encode(v) for v in value]]
        if kind is dict:
            return ["dict", [[self.encode(k), self.encode(v)] for k, v in value.items()]]
        if kind is bytes:
            return ["bytes", self._keep(np.frombuffer(value, np.uint8))]
        if kind is complex:
            return ["complex", [self.encode(value.real), self.encode(value.imag)]]
        if kind is np.ndarray or isinstance(value, np.generic):
            return self._array(value)
        if kind in (Tensor, nn.Parameter):
            return self._tensor(value)
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return self._table(value)
        if is_dataclass(value) and kind is _class(kind.__name__):
            return [
                "class",
                kind.__name__,
                {f.name: self.encode(getattr(value, f.name)) for f in fields(value)},
            ]
        raise TypeError(
            f"a {kind.__name__} cannot be stored. Possible: numbers, text, None, lists, tuples, sets, dicts, "
            "arrays, tensors, tables, and the results of this package"
        )

    def _keep(self, array: np.ndarray) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1

    def _array(self, value):
        if value.dtype.hasobject:
            if isinstance(value, np.ndarray):
                return [
                    "objects",
                    list(value.shape),
                    [self.encode(v) for v in value.ravel().tolist()],
                ]
            raise TypeError(f"a {type(value).__name__} cannot be stored")
        return [
            "array" if isinstance(value, np.ndarray) else "scalar",
            self._keep(np.asarray(value)),
        ]

    def _tensor(self, value: Tensor):
        if (
            value.layout is not torch.strided
            or value.is_quantized
            or value.dtype not in _DTYPES.values()
        ):
            raise TypeError(
                f"a {value.layout} tensor of {value.dtype} cannot be stored; give a dense one"
            )
        plain = value.detach().cpu().resolve_conj().resolve_neg()
        bits = plain.view(_AS_BITS.get(plain.dtype, plain.dtype))
        name = str(value.dtype).removeprefix("torch.")
        return [
            "tensor",
            name,
            value.device.type,
            self._keep(np.ascontiguousarray(bits.numpy()).reshape(bits.shape)),
        ]

    def _table(self, value):
        if isinstance(value, pd.DataFrame):
            if value.attrs or not value.columns.is_unique:
                raise TypeError(
                    "a table with two columns of one name, or with attrs, cannot be stored"
                )
            columns = [self._column(value.iloc[:, i]) for i in range(value.shape[1])]
            return ["DataFrame", self._table(value.index), self._table(value.columns), columns]
        if isinstance(value, pd.Series):
            return [
                "Series",
                self.encode(value.name),
                self._table(value.index),
                self._column(value),
            ]
        if isinstance(value, pd.RangeIndex):
            return ["RangeIndex", [value.start, value.stop, value.step], self.encode(value.name)]
        if isinstance(value, pd.MultiIndex):
            levels = [self._table(value.get_level_values(i)) for i in range(value.nlevels)]
            return ["MultiIndex", levels, self.encode(list(value.names))]
        return ["Index", self._column(value), self.encode(value.name)]

    def _column(self, column: pd.Series | pd.Index):
        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype):
            whole = pd.Categorical(column)
            return [
                "category",
                self._keep(np.asarray(whole.codes)),
                self._table(whole.categories),
                bool(whole.ordered),
            ]
        if isinstance(kind, np.dtype) and not kind.hasobject:
            return ["numbers", self._keep(np.ascontiguousarray(column.to_numpy()))]
        if isinstance(kind, np.dtype):
            return ["mixed", [self.encode(v) for v in column.to_numpy().tolist()]]
        if str(kind) in _COLUMNS:
            return [
                "typed",
                str(kind),
                [None if pd.isna(v) else self.encode(_plain(v)) for v in column],
            ]
        raise TypeError(f"a column of {kind} cannot be stored")


#: Column types of pandas beyond NumPy's; all their values are numbers, text, or missing.
_COLUMNS = {
    "str",
    "string",
    "boolean",
    "Float32",
    "Float64",
    *(f"{sign}nt{bits}" for sign in ("I", "UI") for bits in (8, 16, 32, 64)),
}


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


class Reader:
    """Turns plain JSON and arrays back into the value. Raises ValueError for a kind it does not know."""

    def __init__(self, arrays: Mapping[str, np.ndarray], given: Mapping[str, object]):
        self.given = given
        self.arrays = {int(name): array for name, array in arrays.items()}

    def decode(self, value):
        """What `Writer.encode` was given."""
        if not isinstance(value, list):
            return value
        kind, *rest = value
        if kind not in self._KINDS:
            raise ValueError(f"of the unknown kind {kind!r}")
        return self._KINDS[kind](self, *rest)

    def _many(self, values):
        return [self.decode(v) for v in values]

    def _objects(self, shape, values):
        array = np.empty(len(values), dtype=object)
        array[:] = self._many(values)
        return array.reshape(shape)

    def _tensor(self, name, device, number):
        bits = torch.from_numpy(self.arrays[number].copy())
        tensor = bits.view(_DTYPES[name])
        return tensor.to(device) if device != "cpu" else tensor

    def _made(self, name, values):
        kind = _class(name)
        if kind is None:
            raise ValueError(f"of a class {name!r} that no result holds")
        return kind(**{field: self.decode(v) for field, v in values.items()})

    def _frame(self, index, columns, content):
        names = self.decode(columns)
        table = pd.DataFrame(
            {i: self._column(*c) for i, c in enumerate(content)}, index=self.decode(index)
        )
        table.columns = names
        return table

    def _column(self, kind, *rest):
        if kind == "numbers":
            return self.arrays[rest[0]]
        if kind == "mixed":
            return self._objects([len(rest[0])], rest[0])
        if kind == "category":
            return pd.Categorical.from_codes(
                self.arrays[rest[0]], self.decode(rest[1]), ordered=rest[2]
            )
        name, values = rest
        if kind != "typed" or name not in _COLUMNS:
            raise ValueError(f"a column of the unknown kind {kind!r}")
        return pd.array(self._many(values), dtype=name)

    _KINDS: dict[str, Any] = {
        "given": lambda self, name: self.given[name],
        "float": lambda self, text: float(text),
        "list": lambda self, values: self._many(values),
        "tuple": lambda self, values: tuple(self._many(values)),
        "set": lambda self, values: set(self._many(values)),
        "frozenset": lambda self, values: frozenset(self._many(values)),
        "dict": lambda self, pairs: {self.decode(k): self.decode(v) for k, v in pairs},
        "bytes": lambda self, number: self.arrays[number].tobytes(),
        "complex": lambda self, parts: complex(*self._many(parts)),
        "array": lambda self, number: self.arrays[number],
        "scalar": lambda self, number: self.arrays[number][()],
        "objects": _objects,
        "tensor": _tensor,
        "class": _made,
        "DataFrame": _frame,
        "Series": lambda self, name, index, column: pd.Series(
            self._column(*column), index=self.decode(index), name=self.decode(name)
        ),
        "RangeIndex": lambda self, parts, name: pd.RangeIndex(*parts, name=self.decode(name)),
        "MultiIndex": lambda self, levels, names: pd.MultiIndex.from_arrays(
            self._many(levels), names=self.decode(names)
        ),
        "Index": lambda self, column, name: pd.Index(self._column(*column), name=self.decode(name)),
    }
