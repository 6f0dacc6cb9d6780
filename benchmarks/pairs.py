"""The protocol: two arms in one process, in ABBA order, at least five pairs, the median of the
paired ratios and their range.

Paired, because a shared machine is slow for minutes at a time, for both arms alike. It is also slow
for moments, so that short arms get more pairs. Arms are warmed up, and a GPU's work is waited for
before a clock is read.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Ratio:
    """``median``, ``low`` and ``high`` of seconds(baseline) / seconds(ours) over the pairs; the
    median ``seconds`` of each.
    """

    median: float
    low: float
    high: float
    seconds: tuple[float, float]
    pairs: int


def clock(arm: Callable[[], object]) -> float:
    """Seconds of one call, the device's work included."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    arm()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def compare(
    baseline: Callable[[], object],
    ours: Callable[[], object],
    *,
    pairs: int = 5,
    seconds: float = 0.0,
) -> Ratio:
    """Time both arms for ``pairs`` pairs, and on until ``seconds`` have passed; raises ValueError
    for fewer than one pair.
    """
    if pairs < 1:
        raise ValueError(f"pairs is {pairs}; at least 1 is needed, and 5 for a figure to print.")
    baseline()
    ours()
    times: list[tuple[float, float]] = []
    while len(times) < pairs or sum(map(sum, times)) < seconds:
        if len(times) % 2 == 0:
            times.append((clock(baseline), clock(ours)))
        else:
            fast, slow = clock(ours), clock(baseline)
            times.append((slow, fast))
    ratios = [slow / fast for slow, fast in times]
    medians = tuple(statistics.median(column) for column in zip(*times))
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), medians, len(times))
