"""The rule of every claim: an interval of several seeds, and a bound that was named beforehand."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import torch

from labsupport import device, settings
from labsupport.arguments import number, positive, shown, text
from labsupport.check import records
from labsupport.check.records import Claim
from labsupport.intervals import Interval, independent, interval, said

#: Chapter and number; what a claim may be called.
_KEY = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")
#: Of every claim's interval, unless it says otherwise.
CONFIDENCE = 0.95


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
    records.write(made)
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
