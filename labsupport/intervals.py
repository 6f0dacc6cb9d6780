"""What n independent values say about their mean: Student's t-interval, and how it is printed.

    mean +- t s / sqrt(n),   t the (1 + confidence) / 2 quantile of Student's distribution with n - 1 degrees of freedom

With five values and 95 percent t is 2.78, not 2. The values must be independent of each other: one per seed, never
one per sample, epoch or epsilon of the same seed. The interval speaks of what varies among them, and of nothing else:
five seeds on one data set say nothing about other data sets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from labsupport.arguments import number, shown


class Interval(NamedTuple):
    """Mean, and the two ends of its interval."""

    mean: float
    low: float
    high: float


def independent(values) -> np.ndarray:
    """``values`` as (n,) float64, n at least 2, all finite.

    Raises
    ------
    TypeError
        Text, None, objects.
    ValueError
        Fewer than two values, one that is not finite, a table of more than one dimension.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"The values are {shown(values)}; numbers are needed, one per seed."
        ) from error
    if found.ndim != 1 and max(found.shape, default=1) != found.size:
        raise ValueError(
            f"The values have shape {found.shape}; one number per seed is needed: average the rest first."
        )
    found = found.ravel()
    if len(found) < 2 or not np.isfinite(found).all():
        raise ValueError(
            f"At least two finite numbers are needed, one per seed; given: {shown(found.tolist())}."
        )
    return found


def interval(values, confidence: float = 0.95) -> Interval:
    """Student's t-interval of the mean of independent values: (mean, low, high), in the values' unit.

    Raises TypeError or ValueError for values that are not at least two finite numbers in one row, or a ``confidence``
    that is not between 0 and 1.

    >>> mean, low, high = interval([1.0, 2.0, 3.0])          # s = 1, t = 4.30 with two degrees of freedom
    >>> round(mean, 2), round(low, 2), round(high, 2)
    (2.0, -0.48, 4.48)
    """
    found = independent(values)
    confidence = number("confidence", confidence, above=0, below=1)
    error = found.std(ddof=1) / math.sqrt(len(found))
    half = float(student.ppf((1 + confidence) / 2, len(found) - 1) * error)
    mean = float(found.mean())
    return Interval(mean, mean - half, mean + half)


def digits(half: float) -> int:
    """Decimals that an interval of this half-width deserves: two figures of the half-width, and no more."""
    return max(0, 1 - math.floor(math.log10(half))) if half > 0 else 3


def said(found: Interval, unit: str = "", confidence: float = 0.95) -> str:
    """An interval in words, with as many decimals as it deserves.

    >>> said(Interval(7.79123, 7.0701, 8.5123), "points")
    '+7.79 points, 95% interval +7.07 to +8.51'
    """
    half = found.high - found.mean
    unit = f" {unit}" if unit else ""
    if half <= 1e-12 * abs(found.mean):
        return f"{found.mean:+.3g}{unit}, no spread"
    places = digits(half)
    mean, low, high = (f"{value:+.{places}f}" for value in found)
    return f"{mean}{unit}, {100 * confidence:g}% interval {low} to {high}"
