"""What may pass between a submission's process and the grader's: JSON of a few known forms, and nothing else.

    number, text, true, false, null, [...]          themselves
    {"float": "nan"}                                 a float that JSON has no word for
    {"tensor": base64, "dtype": ..., "shape": [...]} a tensor or an array
    {"dict": {...}}                                  a dictionary with texts as keys; a table, by columns
    {"function": true}  {"blank": true}              a function; an answer that was not given
    {"other": "its type"}                            anything else: it can be named, not had

Nothing is ever unpickled. `decode` checks each form and its size, so that a hostile message is an error, not a load.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from types import EllipsisType

import numpy as np
import torch
from torch import Tensor

DTYPES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")
#: Bytes of one message, elements of one tensor, items of all lists of a message, levels of nesting, letters of a text.
MESSAGE, ELEMENTS, ITEMS, DEPTH, TEXT = 16 * 2**20, 2**20, 200_000, 12, 100_000


class WireError(ValueError):
    """A message that fits no known form, or is too large."""


@dataclass(frozen=True)
class Other:
    """Something of the submission that is no value: only its type is known. Equal to nothing, not even itself."""

    kind: str

    def __eq__(self, other) -> bool:
        return False

    def __hash__(self) -> int:
        raise TypeError("a value that is not known has no hash")


@dataclass(frozen=True)
class Callable:
    """A function of the submission, before it gets a way to be called."""


def encode(value, depth: int = 0):
    """``value`` in JSON's forms.

    >>> encode([1, float("inf"), "a"])
    [1, {'float': 'inf'}, 'a']
    >>> encode(torch.tensor([True, False]))
    {'tensor': 'AQA=', 'dtype': 'bool', 'shape': [2]}
    >>> encode(object())
    {'other': 'object'}
    """
    kind = type(
        value
        # a subclass may lie about what it is: it is sent as what it inherits, by torch's or numpy's own hand
    )
    if depth > DEPTH:
        return {"other": "too deep"}
    if value is None or kind in (bool, str):
        return value
    if kind is int:
        return value if abs(value) < 2**63 else {"other": "int of more than 64 bits"}
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is EllipsisType:
        return {"blank": True}
    if kind in (list, tuple):
        return [encode(part, depth + 1) for part in value]
    if kind is dict:
        return _dictionary(value, depth)
    return _array_or_other(value, depth)


def _dictionary(value: dict, depth: int):
    if all(type(key) in (str, int, float, bool) for key in value):
        return {"dict": {str(key): encode(part, depth + 1) for key, part in value.items()}}
    return {"other": "dict whose keys are no texts or numbers"}


def _array_or_other(value, depth: int):
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    if isinstance(value, np.generic):
        return encode(value.item(), depth)
    if isinstance(value, np.ndarray):
        return _array(value, depth)
    module = type(value).__module__.partition(".")[0]
    if module == "pandas" and hasattr(value, "to_dict"):
        if hasattr(value, "columns"):
            return encode({str(name): value[name].to_numpy() for name in value.columns}, depth)
        return encode(value.to_numpy(), depth)
    if callable(value):
        return {"function": True}
    return {"other": type(value).__name__}


def _array(value: np.ndarray, depth: int):
    name = value.dtype.name
    if name in DTYPES:
        flat = np.ascontiguousarray(value)
        flat = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
        return {
            "tensor": base64.b64encode(flat.tobytes()).decode(),
            "dtype": name,
            "shape": list(value.shape),
        }
    return (
        encode(value.tolist(), depth) if value.dtype.kind in "OU" else {"other": f"array of {name}"}
    )


def decode(message):
    """The value that ``message`` stands for; tensors are new, on the CPU.

    Raises
    ------
    WireError
        It fits no form, or is larger than allowed.

    >>> decode({"tensor": "AQA=", "dtype": "bool", "shape": [2]})
    tensor([ True, False])
    >>> decode({"tensor": "AQA=", "dtype": "object", "shape": [2]})
    Traceback (most recent call last):
    ...
    labsupport.teach.wire.WireError: A tensor of dtype 'object' and shape [2] fits no form, or is too large.
    """
    return _decode(message, 0, [ITEMS])


def _decode(message, depth: int, left: list[int]):
    left[0] -= 1
    if depth > DEPTH or left[0] < 0:
        raise WireError("The message is nested too deeply, or has too many parts.")
    if message is None or isinstance(message, bool | float):
        return message
    if isinstance(message, int):
        if abs(message) >= 2**63:
            raise WireError("An integer has more than 64 bits.")
        return message
    if isinstance(message, str):
        if len(message) > TEXT:
            raise WireError(f"A text has {len(message)} letters; {TEXT} are allowed.")
        return message
    if isinstance(message, list):
        return [_decode(part, depth + 1, left) for part in message]
    if not isinstance(message, dict):
        raise WireError(f"A {type(message).__name__} fits no form.")
    return _object(message, depth, left)


def _object(message: dict, depth: int, left: list[int]):
    keys = set(message)
    if keys == {"float"} and message["float"] in ("nan", "inf", "-inf"):
        return float(message["float"])
    if keys == {"blank"}:
        return ...
    if keys == {"function"}:
        return Callable()
    if keys == {"other"} and isinstance(message["other"], str):
        return Other(message["other"][:80])
    if keys == {"dict"} and isinstance(message["dict"], dict):
        return {
            _decode(key, depth + 1, left): _decode(part, depth + 1, left)
            for key, part in message["dict"].items()
        }
    if keys == {"tensor", "dtype", "shape"}:
        return _tensor(message["tensor"], message["dtype"], message["shape"])
    raise WireError(f"An object with the keys {sorted(map(str, keys))[:5]} fits no form.")


def _tensor(content, dtype, shape) -> Tensor:
    sound = (
        isinstance(content, str) and dtype in DTYPES and isinstance(shape, list) and len(shape) <= 8
    )
    sound = sound and all(type(size) is int and 0 <= size <= ELEMENTS for size in shape)
    count = math.prod(shape) if sound else 0
    if not sound or count > ELEMENTS:
        raise WireError(
            f"A tensor of dtype {str(dtype)[:20]!r} and shape {str(shape)[:60]} fits no form, or is too large."
        )
    try:
        raw = base64.b64decode(content, validate=True)
    except ValueError as error:
        raise WireError(f"A tensor's content is no base64: {error}.") from None
    kind = np.dtype(dtype).newbyteorder("<")
    if len(raw) != count * kind.itemsize:
        raise WireError(
            f"A tensor of shape {shape} and dtype {dtype} has {count * kind.itemsize} bytes, not {len(raw)}."
        )
    if dtype == "bool" and raw.strip(b"\0\1"):
        raise WireError("A tensor of truth values holds other bytes than 0 and 1.")
    return torch.from_numpy(np.frombuffer(raw, kind).astype(dtype).reshape(shape))


def dumps(message) -> bytes:
    """One line of JSON."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def loads(line: bytes) -> dict:
    """One line back into a dictionary. Raises WireError for anything else."""
    if len(line) > MESSAGE:
        raise WireError(f"A message has more than {MESSAGE // 2**20} MiB.")
    try:
        found = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise WireError(f"A message is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise WireError("A message is no JSON object.")
    return found


def _no_constant(name: str):
    raise ValueError(f"{name} is no JSON")
