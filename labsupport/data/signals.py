"""MNIST-1D (Greydanus and Kobak 2024): digits drawn as signals of 40 points, made here by the ``mnist1d`` package."""

from __future__ import annotations

import numpy as np

from labsupport.cache import remember
from labsupport.data.editions import TITLES


def mnist1d(seed: int) -> tuple[dict[str, np.ndarray], str]:
    """4,000 training and 10,000 test signals: float32 (N, 40), labels int64; and the edition."""
    return _made(seed), TITLES["mnist1d"]


@remember
def _made(seed: int) -> dict[str, np.ndarray]:
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    args.num_samples, args.train_split = 14_000, 4_000 / 14_000
    args.seed += seed
    state = np.random.get_state()  # the package seeds NumPy's own generator
    try:
        made = make_dataset(args)
    finally:
        np.random.set_state(state)
    return {
        "x_train": made["x"].astype(np.float32),
        "y_train": made["y"].astype(np.int64),
        "x_test": made["x_test"].astype(np.float32),
        "y_test": made["y_test"].astype(np.int64),
    }
