"""Claims that can fail and exercises that check themselves.

A claim is a sentence, numbers from several seeds, and one rule for all: it is held if the whole 95 percent t-interval
of their mean lies on the claimed side of the bound; a claim that two things are equal, if the whole interval lies
inside a margin named beforehand. Its line is printed, compared by the tests, and remembered for the scorecard of
chapter 9.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cache as once
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from labsupport import cache, device, exercises, files, settings
from labsupport.arguments import number, positive, shown, text
from labsupport.cache import code
from labsupport.intervals import Interval, independent, interval, said
from labsupport.teach.visible import question  # noqa: F401  the checks of assignments, beside those of exercises

#: Chapter and number; what a claim may be called.
_KEY = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
#: Of every claim's interval, unless it says otherwise.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Claim:
    """One checked line.

    ``mean``, ``low``, ``high`` : the t-interval, in the values' unit; ``margin`` : from bound to mean in standard
    errors; all NaN for a claim that is a plain fact. ``bound`` : what was claimed, in words. ``count`` values,
    ``over`` what.
    """

    key: str
    says: str
    held: bool
    evidence: str
    margin: float
    paper: str = ""
    scale: str = ""
    device: str = ""
    torch: str = ""
    exploratory: bool = False
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    bound: str = ""
    count: int = 0
    over: str = ""


def claim(
    key: str,
    says: str,
    values,
    *,
    above: float = 0.0,
    within: float | tuple[float, float] | None = None,
    unit: str = "",
    over: str = "seeds",
    exploratory: bool = False,
    confidence: float = CONFIDENCE,
    paper: str = "",
    evidence: str = "a fact of this run",
) -> Claim:
    """Check and print one claim.

    Parameters
    ----------
    key
        Chapter and number, such as "2.1".
    says
        The sentence that the values can bear out or not.
    values
        One number for each independent repetition, whose mean is claimed to lie above ``above``: for "SB is better",
        SB's minus LB's, seed by seed. Or a bool, for a fact that has no spread.
    above
        The bound. Held if the whole interval lies above it.
    within
        Instead, for a claim of equality: the margin, or its two ends. Held if the whole interval lies inside; it must
        be smaller than the effect that would matter.
    unit
        Of the values, for the line.
    over
        What was repeated: seeds, rounds, recipes.
    exploratory
        The claim was written after its numbers were seen; the line says so.
    paper
        What the paper says that this bears on, for the scorecard.
    evidence
        For a bool: what it was read from, such as an interval.

    Raises
    ------
    TypeError, ValueError
        A key that is not chapter and number; fewer than two values, or one that is not a number; ``above`` and
        ``within`` both; a margin whose ends are not in order.

    >>> _ = claim("0.0", "Three are more than two", [3.1, 2.9, 3.0], above=2, unit="apples")
    held      0.0 Three are more than two [+3.00 apples, 95% interval +2.75 to +3.25, 3 seeds; claimed: above 2]
    >>> _ = claim("0.1", "Three are three", [3.1, 2.9, 3.0], within=(2.9, 3.1), exploratory=True)
    NOT HELD  0.1 Three are three [+3.00, 95% interval +2.75 to +3.25, 3 seeds; claimed: within 2.9 to 3.1; exploratory]
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError(
            f"A claim is named by its chapter and number, such as '2.1'; given: {key!r}."
        )
    for name, given in (("says", says), ("over", over)):
        text(name, given)
    if isinstance(values, bool | np.bool_):
        measured: dict[str, Any] = {"held": bool(values), "margin": math.nan}
    else:
        measured = _measured(key, values, _bound(key, above, within), confidence)
        found = Interval(*(measured[name] for name in ("mean", "low", "high")))
        count = f"{measured['count']} {over}"
        evidence = f"{said(found, unit, confidence)}, {count}; claimed: {measured['bound']}"
        measured["over"] = over
    if exploratory:
        evidence = f"{evidence}; exploratory"
    made = Claim(
        key=key,
        says=says,
        evidence=evidence,
        paper=paper,
        exploratory=bool(exploratory),
        scale=settings.current().name,
        device=device.pick().type,
        torch=torch.__version__,
        **measured,
    )
    _record(made)
    print(f"{'held' if made.held else 'NOT HELD':<9} {key} {says} [{evidence}]")
    return made


def _bound(key: str, above, within) -> tuple[float, float]:
    """The two ends between which the mean is claimed to lie; the upper one may be infinite."""
    if within is None:
        return number("above", above), math.inf
    if above != 0:
        raise ValueError(
            f"Claim {key} has above and within; a claim has one bound. Give one of them."
        )
    if isinstance(within, (tuple, list)):
        if len(within) != 2:
            raise ValueError(f"within is {shown(within)}; one margin, or its two ends, are needed.")
        low, high = (number("within", end) for end in within)
    else:
        high = positive("within", within)
        low = -high
    if not low < high:
        raise ValueError(f"within is {shown(within)}; the lower end must come first.")
    return low, high


def _measured(key: str, values, bound: tuple[float, float], confidence: float) -> dict:
    """The interval, the verdict and the margin of one claim."""
    try:
        numbers = independent(values)
    except (TypeError, ValueError) as error:
        raise type(error)(f"Claim {key} cannot be checked. {error}") from error
    found = interval(numbers, confidence)
    low, high = bound
    held = found.low > low and found.high < high
    standard_error = numbers.std(ddof=1) / math.sqrt(len(numbers))
    distance = min(found.mean - low, high - found.mean)
    if standard_error > 0:
        margin = distance / standard_error
    else:
        margin = math.copysign(math.inf, distance) if distance else 0.0
    claimed = f"above {low:g}" if high == math.inf else f"within {low:g} to {high:g}"
    return {
        "held": bool(held),
        "margin": float(margin),
        **found._asdict(),
        "bound": claimed,
        "count": len(numbers),
    }


def _record(made: Claim) -> None:
    path = _folder() / f"{made.key}.json"
    content = {**asdict(made), "code": _code()}
    try:
        files.write(path, json.dumps({"claim": content, "digest": _digest(content)}, indent=1))
    except OSError as error:
        cache.warn_not_stored(path, error)


def _digest(content: dict) -> str:
    return cache.fingerprint(json.dumps(content, sort_keys=True))


def _folder() -> Path:
    """Where the claims of the current scale and device are kept."""
    return cache.folder() / "claims" / f"{settings.current().name}-{device.pick().type}"


@once
def _code() -> str:
    """A digest of the package's code, as it was when the first claim was made or read."""
    return code.written()


def recorded() -> pd.DataFrame:
    """All claims made on this machine at the current scale and device; for the others, the committed ones.

    Columns are those of `Claim`, and ``source``: "this machine" or "committed". A recorded claim that was altered, that
    is not one of this scale and device, or that other code has made, is left out, with a warning that names it.
    """
    here, left_out = [], []
    for path in sorted(_folder().glob("*")):
        try:
            here.append(_read(path))
        except _NotOurs as error:
            left_out.append(f"{path.name} ({error})")
    if left_out:
        warnings.warn(
            f"Left out of the claims recorded on this machine: {', '.join(left_out)}. Run their chapters again.",
            stacklevel=2,
        )
    rows = {c["key"]: {**c, "source": "committed"} for c in _committed()}
    rows |= {c["key"]: {**c, "source": "this machine"} for c in here}
    order = sorted(rows, key=lambda key: [int(part) for part in key.split(".")])
    return pd.DataFrame([rows[key] for key in order])


class _NotOurs(Exception):
    """A file among the claims that is no claim of this code, scale and device; the message says why."""


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, digest = content["claim"], content["digest"]
        whole = _digest(found) == digest
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _NotOurs("no claim") from error
    if not whole:
        raise _NotOurs("altered")
    if found.pop("code", None) != _code():
        raise _NotOurs("made by other code")
    if set(found) != {f.name for f in fields(Claim)} or path != _folder() / f"{found['key']}.json":
        raise _NotOurs("of another name")
    if (found["scale"], found["device"]) != (settings.current().name, device.pick().type):
        raise _NotOurs("of another scale or device")
    return found


def _committed() -> list[dict]:
    path = resources.files("labsupport") / "results" / "claims.json"
    return json.loads(path.read_text(encoding="utf-8"))["claims"] if path.is_file() else []


def exercise(
    key: str,
    answer,
    expected=None,
    *,
    tolerance: float = 1e-3,
    test: Callable | None = None,
    **known,
) -> None:
    """Check one exercise's answer and say in one line how it went; an exercise not yet answered is no error.

    Parameters
    ----------
    answer
        The reader's: a number, a letter, a tensor or a function; None as long as there is none.
    expected
        What it should be. Without it, and without ``test``, the answer stands in `labsupport.exercises`.
    tolerance
        Numbers and arrays may differ by it, relatively.
    test
        Instead of ``expected``: a function of the answer that returns None if it is right, else what is wrong.
    known
        What the right answer depends on, such as a table of the chapter.

    Raises
    ------
    UnknownName
        An exercise that no chapter has.

    >>> exercise("0.1", None, 4)
    Exercise 0.1: no answer yet. Replace None above and run both cells.
    >>> exercise("0.1", 5, 4)
    Exercise 0.1: not yet. Your answer is 5. The hint below may help.
    >>> exercise("0.1", 4, 4)
    Exercise 0.1: correct.
    """
    if expected is None and test is None:
        its = exercises.find(key)
    else:
        its = exercises.Answer(expected, tolerance=tolerance, test=test)
    if answer is None:
        print(f"Exercise {key}: no answer yet. Replace None above and run both cells.")
        return
    try:
        wrong = its.judge(answer, known)
    except Exception as error:  # the reader's own function may fail in any way
        wrong = f"It stopped with {type(error).__name__}: {error}."
    print(
        f"Exercise {key}: correct."
        if wrong is None
        else f"Exercise {key}: not yet. {wrong} The hint below may help."
    )
