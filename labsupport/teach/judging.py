"""What tests compare with: numbers that are close, and functions that travel as source.

A test runs where no submission can reach it. What it gets of the submission are numbers, tensors, texts, and
functions that it may call; the calls happen elsewhere, and what comes back is data again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def numbers(given, count: int | None = None) -> Tensor:
    """``given`` as a float64 vector.

    Raises
    ------
    AssertionError
        It is not made of finite numbers, or not of ``count`` of them.

    >>> numbers([1, 2])
    tensor([1., 2.], dtype=torch.float64)
    """
    found = _tensor(given)
    assert found is not None and found.numel(), "That is not made of numbers."
    found = found.flatten()
    assert torch.isfinite(found).all(), "Some of the numbers are not finite."
    assert count is None or len(found) == count, (
        f"{count} numbers are wanted, {len(found)} were given."
    )
    return found


def close(given, wanted, *, rtol: float = 1e-4, atol: float = 1e-7) -> bool:
    """Whether two numbers, lists or tensors have one shape and differ by little; False for anything else.

    The default allows for float32 on another device. No NaN is close to anything.

    >>> close([1.0, 2.00001], torch.tensor([1.0, 2.0]))
    True
    >>> close([1.0], [1.0, 1.0]), close("1", 1.0), close(float("nan"), float("nan")), close(True, 1.0)
    (False, False, False, False)
    """
    found, expected = _tensor(given), _tensor(wanted)
    if expected is None:
        raise TypeError(f"A test compares with {wanted!r}, which is not made of numbers.")
    if found is None or found.shape != expected.shape or not torch.isfinite(found).all():
        return False
    return bool((found - expected).abs().le(atol + rtol * expected.abs()).all())


def _tensor(value) -> Tensor | None:
    """float64, or None if it is not made of numbers alone."""
    if isinstance(value, Tensor):
        return (
            None
            if value.dtype == torch.bool or value.is_complex()
            else value.detach().cpu().double()
        )
    if hasattr(value, "__array__"):
        return (
            _tensor(torch.as_tensor(value.__array__()))
            if value.__array__().dtype.kind in "iuf"
            else None
        )
    if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
        return None
    if isinstance(value, int | float):
        too_large = isinstance(value, int) and abs(value) >= 2**63
        return None if too_large else torch.tensor(float(value), dtype=torch.float64)
    parts = [_tensor(part) for part in value]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or any(part.shape != known[0].shape for part in known):
        return None
    return torch.stack(known) if known else torch.zeros(0, dtype=torch.float64)


class Function:
    """A function that a test hands to a submission: a lambda as source, so that it can travel."""

    def __init__(self, source: str, values: dict):
        self.source, self.values = source, values
        self._call: Callable = eval(source, {"torch": torch, "math": math} | values)

    def __call__(self, *given):
        return self._call(*given)


def function(source: str, **values) -> Function:
    """The function that ``source``, a lambda, says; it may use torch, math and the ``values``, numbers or tensors.

    >>> function("lambda x: slope @ x", slope=torch.tensor([1.0, -2.0]))(torch.tensor([3.0, 1.0]))
    tensor(1.)
    """
    return Function(source, values)
