"""The minima all chapters share: small-batch and large-batch runs at the current scale, and what is measured at them."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from labsupport import sweep
from labsupport.cache import remember
from labsupport.problem import Problem
from labsupport.settings import Settings
from labsupport.sharpness import sharpness
from labsupport.training import Runs


def minima(s: Settings) -> dict[str, Runs]:
    """{"SB": Runs, "LB": Runs} of the scale's main network: same starts, batches of 32 and of 400. Trained once, then stored.

    Their ``checkpoints`` are at the epochs of `settings.Settings.warm_epochs`.
    """
    return sweep.run(s.main, {"SB": s.SB, "LB": s.LB}, s.seeds, checkpoints=s.warm_epochs)


@remember
def _measured(problem: Problem, x: Tensor, epsilon: float, options: dict) -> dict:
    found = sharpness(problem.objective(), x, epsilon=epsilon, **options)
    return {"sharpness": found.value.tolist(), "loss": found.f_x.tolist()}


def sharpness_of(problem: Problem, x: Tensor, *, epsilons: tuple[float, ...] = (1e-3, 5e-4), **options) -> pd.DataFrame:
    """Metric 2.1 at points x (S, n) of a problem, remembered.

    Returns
    -------
    DataFrame
        seed (row of x), epsilon, sharpness (percent), loss (nats). ``options`` go to `sharpness.sharpness`.
    """
    tables = []
    for epsilon in epsilons:
        found = _measured(problem, x, epsilon, options)
        tables.append(pd.DataFrame({"seed": range(len(x)), "epsilon": epsilon, **found}))
    return pd.concat(tables, ignore_index=True)
