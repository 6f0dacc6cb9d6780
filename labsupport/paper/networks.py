"""The paper's networks and the data sets that they learn."""

from __future__ import annotations

import pandas as pd

#: {network: its data set}, both by the names that they have in `networks.REGISTRY` and `data.NAMES`.
DATASETS = {
    "F1": "mnist",
    "F2": "timit",
    "C1": "cifar10",
    "C2": "cifar10",
    "C3": "cifar100",
    "C4": "cifar100",
}
NETWORKS = tuple(DATASETS)


def with_datasets(table: pd.DataFrame) -> pd.DataFrame:
    """The table with each network's data set in the second column."""
    table.insert(1, "dataset", table["network"].map(DATASETS))
    return table
