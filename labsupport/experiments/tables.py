"""Tables of runs, all in one schema, so that any two of them, and the paper's, can be joined.

A row is named by ``network, dataset, batch, recipe, seed``, and a sharpness by ``epsilon`` besides.
``batch`` is SB or LB, as in `labsupport.paper`: LB from a tenth of the training set on. ``recipe``
says how it was trained.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from torch import Tensor

from labsupport.cache import remember
from labsupport.problem import Problem
from labsupport.sharpness import sharpness
from labsupport.training import HISTORY, Runs

#: What names a row.
KEYS = ["network", "dataset", "batch", "recipe", "seed"]
#: What is kept of a finished run.
MEASURED = HISTORY[1:]
#: A batch of at least this part of the training set is large: the paper's large batches are a tenth (Table 1).
LARGE = 0.1
#: The half-widths of the box in the paper.
EPSILONS = (1e-3, 5e-4)


def batch_of(problem: Problem, batch_size: int) -> str:
    """LB for a batch of at least a tenth of the problem's training set, else SB.

    >>> batch_of(Problem("F0", "mnist1d"), 32), batch_of(Problem("F0", "mnist1d"), 400)
    ('SB', 'LB')
    """
    return "LB" if batch_size >= LARGE * len(problem.load().y_train) else "SB"


def keys(run: Runs, recipe: str) -> dict:
    """The columns that name a run's rows, but for the seed."""
    network, dataset = run.problem.network, run.problem.dataset
    return {
        "network": network if isinstance(network, str) else type(network).__name__,
        "dataset": dataset if isinstance(dataset, str) else dataset.name,
        "batch": batch_of(run.problem, run.recipe.batch_size),
        "recipe": recipe,
    }


def finals(runs: Mapping[str, Runs]) -> pd.DataFrame:
    """The last point of every run of {recipe's name: Runs}, one row a seed.

    Returns
    -------
    DataFrame
        `KEYS`; batch_size, epoch, steps; train_loss, test_loss (nats); train_accuracy, test_accuracy (percent).
    """
    tables = [
        run.final[MEASURED]
        .reset_index()
        .assign(**keys(run, name), batch_size=run.recipe.batch_size)
        for name, run in runs.items()
    ]
    return pd.concat(tables, ignore_index=True)[[*KEYS, "batch_size", *MEASURED]]


@remember
def measured(problem: Problem, x: Tensor, epsilon: float, options: dict) -> dict[str, list[float]]:
    """Metric 2.1 at points x (S, n), remembered: {"sharpness": percent, "loss": nats}."""
    found = sharpness(problem.objective(), x, epsilon=epsilon, **options)
    return {"sharpness": found.value.tolist(), "loss": found.f_x.tolist()}


def sharpness_of(
    problem: Problem, x: Tensor, *, epsilons: tuple[float, ...] = EPSILONS, **options
) -> pd.DataFrame:
    """Metric 2.1 at points x (S, n) of a problem, remembered.

    Returns
    -------
    DataFrame
        seed (row of x), epsilon, sharpness (percent), loss (nats). ``options`` go to `sharpness.sharpness`.
    """
    tables = [
        pd.DataFrame(
            {"seed": range(len(x)), "epsilon": epsilon, **measured(problem, x, epsilon, options)}
        )
        for epsilon in epsilons
    ]
    return pd.concat(tables, ignore_index=True)


def sharpness_table(
    runs: Mapping[str, Runs], *, epsilons: tuple[float, ...] = EPSILONS, **options
) -> pd.DataFrame:
    """Metric 2.1 at the last points of {recipe's name: Runs}: Table 3, and with ``subspace_dim=100`` Table 4.

    Returns
    -------
    DataFrame
        `KEYS`, epsilon, sharpness (percent), loss (nats). ``options`` go to `sharpness.sharpness`.
    """
    tables = []
    for name, run in runs.items():
        found = sharpness_of(run.problem, run.x, epsilons=epsilons, **options)
        found["seed"] = [run.seeds[row] for row in found.seed]
        tables.append(found.assign(**keys(run, name)))
    return pd.concat(tables, ignore_index=True)[[*KEYS, "epsilon", "sharpness", "loss"]]
