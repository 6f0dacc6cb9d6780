"""The minima all chapters share: small-batch and large-batch runs at the current scale, and what is measured at them."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from labsupport import data, scale, sweep
from labsupport.objective import Objective
from labsupport.sharpness import sharpness
from labsupport.store import remember
from labsupport.training import Runs


def minima() -> dict[str, Runs]:
    """{"SB": Runs, "LB": Runs} of the scale's main network: same starts, batches of 32 and of 400. Trained once, then stored.

    Their ``checkpoints`` are at the epochs of `scale.Scale.warm_epochs`.
    """
    s = scale.current()
    return sweep.run(s.network, s.dataset, {"SB": s.SB, "LB": s.LB}, s.seeds, train_size=s.train_size,
                     checkpoints=s.warm_epochs)


def objective(split: str = "train") -> Objective:
    """f of the scale's main network on its training set, or on its test set with ``split="test"``."""
    s = scale.current()
    return _objective(s.network, s.dataset, s.train_size, split)


def _objective(network: str, dataset: str, train_size: int | None, split: str = "train") -> Objective:
    loaded = data.load(dataset, train_size=train_size)
    x, y = (loaded.x_train, loaded.y_train) if split == "train" else (loaded.x_test, loaded.y_test)
    return Objective(network, x, y)


@remember
def _measured(network: str, dataset: str, train_size: int | None, x: Tensor, epsilon: float, settings: dict) -> dict:
    found = sharpness(_objective(network, dataset, train_size), x, epsilon=epsilon, **settings)
    return {"sharpness": found.value.tolist(), "loss": found.f_x.tolist()}


def sharpness_of(x: Tensor, *, network: str | None = None, dataset: str | None = None, train_size: int | None = None,
                 epsilons: tuple[float, ...] = (1e-3, 5e-4), **settings) -> pd.DataFrame:
    """Metric 2.1 at points x (S, n) of a named network, remembered; by default of the scale's main network.

    Returns
    -------
    DataFrame
        seed (row of x), epsilon, sharpness (percent), loss (nats). ``settings`` go to `sharpness.sharpness`.
    """
    s = scale.current()
    if network is None:
        network, dataset, train_size = s.network, s.dataset, s.train_size
    tables = []
    for epsilon in epsilons:
        found = _measured(network, dataset, train_size, x, epsilon, settings)
        tables.append(pd.DataFrame({"seed": range(len(x)), "epsilon": epsilon, **found}))
    return pd.concat(tables, ignore_index=True)
