"""A row of the table: two arms that are compared, and what is asked of their ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.pairs import Ratio, compare


@dataclass(frozen=True)
class Arms:
    """What a row runs: ``baseline`` and ``ours``; how many floating-point operations ``ours`` needs
    (0: not counted), in which ``precision``; ``quality``, which raises AssertionError where ours is
    faster but worse; what is to be ``said``.
    """

    baseline: Callable[[], object]
    ours: Callable[[], object]
    operations: float = 0.0
    precision: torch.dtype = torch.float32
    quality: Callable[[], None] | None = None
    said: str = ""


@dataclass(frozen=True)
class Row:
    """One comparison. ``wanted`` holds the ratio asked for, by device type (nan: none); ``arms`` is called when run.

    With ``cores``, both arms are held to so many, in a process of their own. ``missing`` says why a
    row cannot be measured.
    """

    what: str
    baseline: str
    wanted: dict[str, float]
    arms: Callable[[], Arms]
    cores: int | None = None
    missing: str | None = None

    def measure(self, pairs: int, seconds: float = 30.0) -> tuple[Ratio, Arms]:
        arms = self.arms()
        # a short row gets more pairs
        ratio = compare(arms.baseline, arms.ours, pairs=pairs, seconds=seconds)
        if arms.quality:
            arms.quality()
        return ratio, arms
