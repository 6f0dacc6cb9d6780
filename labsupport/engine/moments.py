"""Batch norm's statistics as tables: measured at points, selected for rows, in another precision.

{name: (mean, variance)}, each (S, C), a row a model, or (1, C) for all models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from labsupport.engine.functional import Statistics

Table = dict[str, Statistics]


def measured(observed: Iterable[tuple[float, Table]]) -> Table:
    """The statistics of all samples from those of their parts, each with its share of the samples.

    E[h] = sum of share * mean; Var[h] = E[h^2] - E[h]^2, where E[h^2] = sum of share * (variance + mean^2).
    """
    sums: dict[str, tuple[Tensor, Tensor]] = {}
    for share, table in observed:
        for name, (mean, variance) in table.items():
            first, second = sums.setdefault(name, (torch.zeros_like(mean), torch.zeros_like(mean)))
            first += share * mean
            second += share * (variance + mean**2)
    return {
        name: (first, (second - first**2).clamp_min(0)) for name, (first, second) in sums.items()
    }


def stacked(tables: list[Table]) -> Table:
    """One table a model, side by side."""
    found = {}
    for name in tables[0]:
        means, variances = zip(*(table[name] for table in tables))
        found[name] = (torch.cat(means), torch.cat(variances))
    return found


def changed(table: Table | None, change: Callable[[Tensor], Tensor]) -> Table | None:
    """The table with a function of every mean and variance; None stays None."""
    return (
        None
        if table is None
        else {name: (change(mean), change(variance)) for name, (mean, variance) in table.items()}
    )


def of_rows(table: Table | None, rows: slice) -> Table | None:
    """The rows of some models; what holds for all models holds for these."""
    return changed(table, lambda one: one[rows] if len(one) > 1 else one)


def models(table: Table) -> int:
    """For how many models the table holds; 1 for any number."""
    return len(next(iter(table.values()))[0])


def check_models(table: Table | None, count: int) -> None:
    """ValueError unless the table, if there is one, holds for ``count`` models."""
    if table is not None and models(table) not in (1, count):
        raise ValueError(
            f"The statistics were frozen for {models(table)} models; x has {count} rows."
        )
