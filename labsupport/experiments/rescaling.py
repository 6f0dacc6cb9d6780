"""Chapter 9, Dinh's rescaling: one function, many points x, and what two boxes say about each of them.

The network is F0 without batch norm: with it, the first layers' scale is already free (see `symmetry.normalize_rows`).
"""

from __future__ import annotations

import dataclasses

import pandas as pd
import torch
from torch import Tensor

from labsupport import sweep, symmetry
from labsupport.cache import remember
from labsupport.experiments.tables import sharpness_of
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.sharpness import sharpness
from labsupport.training import Runs

NETWORK = "F0-plain"
#: Powers of two, so that rescaling changes no digit of the outputs.
FACTORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
#: Nats: where both trainings stop, the training loss that small batches reach in about 40 epochs.
PLAIN_LOSS = 0.02
#: Half-width of the box without "+ 1": every weight moves by at most a fiftieth of its own size.
RELATIVE = 0.02


def _problem(s: Settings) -> Problem:
    return dataclasses.replace(s.main, network=NETWORK)


def plain_recipes(s: Settings) -> dict[str, Recipe]:
    """Small and large batches for F0 without batch norm, both until the training loss is `PLAIN_LOSS`."""
    return {"SB": s.SB.but(stop_loss=PLAIN_LOSS), "LB": s.LB.but(stop_loss=PLAIN_LOSS)}


def plain_minima(s: Settings) -> dict[str, Runs]:
    """{"SB": Runs, "LB": Runs} of F0 without batch norm, from the same starts."""
    return sweep.run(_problem(s), plain_recipes(s), s.seeds, records=8)


def rescaled(
    s: Settings, factors: tuple[float, ...] = FACTORS, *, epsilon: float = 1e-3, offset: float = 1.0
) -> pd.DataFrame:
    """The sharpness of the same functions at rescaled points.

    ``epsilon`` and ``offset`` go to `sharpness.sharpness`: the paper's box, or with 0 and `RELATIVE` the one
    without "+ 1".

    Returns
    -------
    DataFrame
        batch (SB, LB), factor (first layer times, second divided by), seed; sharpness (percent, Metric 2.1 of Keskar et
        al. 2017, ``strong``, one search); loss (nats).
    """
    options = {"starts": 1} if offset == 1 else {"starts": 1, "offset": offset}
    tables = [
        sharpness_of(
            _problem(s), symmetry.rescale(NETWORK, run.x, factor), epsilons=(epsilon,), **options
        ).assign(batch=batch, factor=factor)
        for batch, run in plain_minima(s).items()
        for factor in factors
    ]
    return pd.concat(tables, ignore_index=True)[["batch", "factor", "seed", "sharpness", "loss"]]


def valley(s: Settings, batch: str, factor: float, points: int = 31) -> pd.DataFrame:
    """The loss of seed 0 along the worst step found in the paper's box, from one end of the box to the other.

    Returns
    -------
    DataFrame
        share (of the step, -1 to 1), loss (nats).
    """
    x = symmetry.rescale(NETWORK, plain_minima(s)[batch].x[0], factor)
    shares = [-1 + 2 * k / (points - 1) for k in range(points)]
    return pd.DataFrame({"share": shares, "loss": _along(_problem(s), x, tuple(shares))})


@remember
def _along(problem: Problem, x: Tensor, shares: tuple[float, ...]) -> list[float]:
    f = problem.objective()
    worst = sharpness(f, x, starts=1).y[0]
    return f(torch.stack([x.to(worst) + share * worst for share in shares])).tolist()
