"""What the package says when it is given something it cannot use: what was given, what is possible, what to do."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable
from typing import Any


class UnknownName(ValueError):
    """A name that is not in the list it is looked up in."""


class DataUnavailable(RuntimeError):
    """A data set that is neither on this disk nor to be had from its host."""


class UnknownEdition(UserWarning):
    """A stored data set whose content is no edition that this package knows."""


class TrainingDiverged(RuntimeError):
    """A training loss that stopped being a finite number."""


class EigenvalueWarning(UserWarning):
    """An eigenvalue whose residual is larger than the tolerance asked for."""


class NotFiniteWarning(RuntimeWarning):
    """A result that is infinite or no number."""


class SharpnessWarning(UserWarning):
    """A sharpness that is a bound from a search which found nothing."""


def shown(value: Any) -> str:
    """A value as an error message shows it: short, on one line; a tensor or array by its shape.

    >>> shown("F0"), shown(["a long list"] * 9)
    ("'F0'", "['a long list', 'a long list', 'a long list', 'a long lis...")
    """
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        if tuple(value.shape):
            return f"a {type(value).__name__} of shape {tuple(value.shape)}"
        value = value.item()
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def choose(kind: str, given: Any, known: Iterable[Any]) -> Any:
    """Return ``given`` if it is one of ``known``, else raise `UnknownName` with the nearest valid name.

    >>> choose("data set", "mnist", ["mnist", "cifar10"])
    'mnist'
    >>> choose("data set", "mnsit", ["mnist", "cifar10"])
    Traceback (most recent call last):
    ...
    labsupport.errors.UnknownName: No data set is called 'mnsit'. Did you mean 'mnist'? Known: mnist, cifar10.
    """
    known = list(known)
    comparable = isinstance(given, str | numbers.Number) and not isinstance(given, bool)
    if comparable and given in known:
        return known[known.index(given)]
    written = str(given) if comparable else ""
    near = difflib.get_close_matches(written, [str(k) for k in known], n=1, cutoff=0.4)
    lower = {str(k).lower(): k for k in known}
    guess = lower.get(written.lower()) or (near[0] if near else None)
    hint = f" Did you mean {guess!r}?" if guess else ""
    raise UnknownName(
        f"No {kind} is called {shown(given)}.{hint} Known: {', '.join(map(str, known))}."
    )
