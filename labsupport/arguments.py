"""Checks of arguments, in one place: what was given, what is possible, what to do.

Each function returns the value in the plain type that the caller needs. A wrong type is a TypeError,
a value out of range a ValueError; both say the argument's name.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from labsupport.errors import choose, shown

__all__ = [
    "boolean",
    "fraction",
    "instance",
    "number",
    "one_of",
    "positive",
    "seed",
    "seeds",
    "several",
    "shown",
    "text",
    "whole_number",
    "whole_numbers",
]


def _plain(given):
    """A scalar of NumPy or torch as Python's own; anything else as it is."""
    if isinstance(given, np.generic):
        return given.item()
    if isinstance(given, (torch.Tensor, np.ndarray)) and given.ndim == 0:
        return given.item()
    return given


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _range(least, most) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" of at least {least}"
    return f" of at most {most}" if most is not None else ""


def whole_number(
    name: str, given, *, least: int | None = None, most: int | None = None, hint: str = ""
) -> int:
    """``given`` as an int; whole numbers of any kind are accepted: NumPy's, torch's, 400.0 too.

    Raises
    ------
    TypeError
        Text, None, True or False, a list, anything that is no number.
    ValueError
        2.5, nan, a number below ``least`` or above ``most``.

    >>> whole_number("iterations", np.int64(10), least=1)
    10
    >>> whole_number("iterations", 2.5, least=1)
    Traceback (most recent call last):
    ...
    ValueError: iterations is 2.5; a whole number of at least 1 is needed.
    """
    value: Any = _plain(given)
    wanted = (
        f"{name} is {shown(given)}; a whole number{_range(least, most)} is needed.{_spaced(hint)}"
    )
    if not _is_number(value):
        raise TypeError(wanted)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(wanted)
    if (least is not None and value < least) or (most is not None and value > most):
        raise ValueError(wanted)
    return int(value)


def number(
    name: str,
    given,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    hint: str = "",
) -> float:
    """``given`` as a finite float, above ``above`` or at least ``least``, below ``below`` or at most ``most``.

    Raises
    ------
    TypeError
        Text, None, True or False, a list, anything that is no number.
    ValueError
        nan, an infinity, a number out of range.

    >>> number("epsilon", "1e-3", above=0)
    Traceback (most recent call last):
    ...
    TypeError: epsilon is '1e-3'; a finite number above 0 is needed.
    """
    bounds = {"above": above, "of at least": least, "below": below, "of at most": most}
    said = " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)
    wanted = f"{name} is {shown(given)}; a finite number{_spaced(said)} is needed.{_spaced(hint)}"
    value = _plain(given)
    if not _is_number(value):
        raise TypeError(wanted)
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(wanted)
    if (above is not None and not value > above) or (least is not None and value < least):
        raise ValueError(wanted)
    if (below is not None and not value < below) or (most is not None and value > most):
        raise ValueError(wanted)
    return value


def positive(name: str, given, hint: str = "") -> float:
    """``given`` as a finite float above 0."""
    return number(name, given, above=0, hint=hint)


def fraction(name: str, given, hint: str = "") -> float:
    """``given`` as a float from 0 to 1.

    >>> fraction("label_noise", 20)
    Traceback (most recent call last):
    ...
    ValueError: label_noise is 20; a finite number of at least 0 and of at most 1 is needed.
    """
    return number(name, given, least=0, most=1, hint=hint)


def boolean(name: str, given) -> bool:
    """``given`` if it is True or False, Python's or NumPy's; 0 and 1 are a TypeError."""
    value = _plain(given)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {shown(given)}; True or False is needed.")
    return value


def one_of(kind: str, given, known: Iterable):
    """The same as `errors.choose`: a known name, or `errors.UnknownName` with the nearest one."""
    return choose(kind, given, known)


def several(name: str, given, *, of: str = "values") -> list:
    """A list, tuple, range, array or tensor as a list that is not empty.

    Raises
    ------
    TypeError
        Text, a dict, one number, None.
    ValueError
        Nothing is in it.
    """
    one = isinstance(given, str | bytes | dict) or getattr(given, "ndim", 1) == 0
    if one or not isinstance(given, Iterable):
        raise TypeError(f"{name} is {shown(given)}; a list of {of} is needed.")
    found = given.tolist() if isinstance(given, torch.Tensor | np.ndarray) else list(given)
    if not found:
        raise ValueError(f"{name} is empty; a list of at least one of its {of} is needed.")
    return found


def whole_numbers(
    name: str, given, *, least: int | None = None, most: int | None = None, distinct: bool = False
) -> tuple[int, ...]:
    """A list of whole numbers as a tuple of ints; with ``distinct`` none may stand twice."""
    listed = several(name, given, of="whole numbers")
    found = tuple(
        whole_number(f"{name}[{place}]", value, least=least, most=most)
        for place, value in enumerate(listed)
    )
    twice = [value for value in found if found.count(value) > 1]
    if distinct and twice:
        raise ValueError(
            f"{name} is {shown(listed)}, where {twice[0]} stands twice; give each once."
        )
    return found


def seeds(given, name: str = "seeds") -> tuple[int, ...]:
    """``given`` as a tuple of seeds, each once.

    >>> seeds(range(3)), seeds(np.array([4, 2]))
    ((0, 1, 2), (4, 2))
    >>> seeds([3, 3])
    Traceback (most recent call last):
    ...
    ValueError: seeds is [3, 3], where 3 stands twice; give each once.
    """
    return whole_numbers(name, given, least=0, most=2**63 - 1, distinct=True)


def instance(name: str, given, kind: type | tuple[type, ...], possible: str):
    """``given`` if it is of that kind; else a TypeError that says what is ``possible``."""
    if not isinstance(given, kind):
        raise TypeError(f"{name} is {shown(given)}; {possible} is needed.")
    return given


def seed(name: str, given) -> int:
    """``given`` as a seed that torch and NumPy both take: a whole number from 0 to 2^63 - 1."""
    return whole_number(name, given, least=0, most=2**63 - 1)


def text(name: str, given, hint: str = "") -> str:
    """``given`` if it is a text that is not blank."""
    if not isinstance(given, str):
        raise TypeError(f"{name} is {shown(given)}; a text is needed.{_spaced(hint)}")
    if not given.strip():
        raise ValueError(f"{name} is {given!r}; a text that is not blank is needed.{_spaced(hint)}")
    return given


def _spaced(words: str) -> str:
    return f" {words}" if words else ""
