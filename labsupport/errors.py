"""What the package says when it is given something it cannot use: what was given, what is possible, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnknownName(ValueError):
    """A name that is not in the list it is looked up in."""


class DataUnavailable(RuntimeError):
    """A data set that is neither on this disk nor to be had from its host."""


class TrainingDiverged(RuntimeError):
    """A training loss that stopped being a finite number."""


class SharpnessWarning(UserWarning):
    """A sharpness that is a bound from a search which found nothing."""


def choose(kind: str, given: str, known: Iterable[str]) -> str:
    """Return ``given`` if it is one of ``known``, else raise `UnknownName` with the nearest valid name.

    >>> choose("data set", "mnist", ["mnist", "cifar10"])
    'mnist'
    >>> choose("data set", "mnsit", ["mnist", "cifar10"])
    Traceback (most recent call last):
    ...
    labsupport.errors.UnknownName: No data set is called 'mnsit'. Did you mean 'mnist'? Known: mnist, cifar10.
    """
    known = list(known)
    if given in known:
        return given
    near = difflib.get_close_matches(str(given), [str(k) for k in known], n=1, cutoff=0.4)
    lower = {str(k).lower(): k for k in known}
    guess = lower.get(str(given).lower()) or (near[0] if near else None)
    hint = f" Did you mean {guess!r}?" if guess else ""
    raise UnknownName(f"No {kind} is called {given!r}.{hint} Known: {', '.join(map(str, known))}.")
