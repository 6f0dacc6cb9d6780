"""Chapter 9, the edge of stability: full-batch gradient descent, and the largest eigenvalue of the Hessian beside
2/eta."""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from labsupport import curvature, sweep
from labsupport.cache import remember
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs

#: Learning rates; gradient descent on a quadratic is stable while its largest curvature is below 2 / rate.
RATES = (0.15, 0.3)


def _problem(s: Settings, network: str) -> Problem:
    return Problem(network, s.main.dataset, s.edge_train_size)


def edge_runs(s: Settings, network: str = "F0-plain") -> dict[float, Runs]:
    """{rate: Runs} of plain gradient descent on ``s.edge_train_size`` samples: the batch is all of them, no momentum.

    Checkpoints after ``s.edge_steps[network]`` steps; with batch norm (F0) the set is fitted sooner.
    """
    steps = s.edge_steps[network]
    wanted = {
        str(rate): Recipe(s.edge_train_size, epochs=steps[-1], optimizer="sgd", learning_rate=rate)
        for rate in RATES
    }
    runs = sweep.run(
        _problem(s, network), wanted, s.seeds, checkpoints=steps, records=1
    )  # besides the checkpoints' rows
    return {rate: runs[str(rate)] for rate in RATES}


def edge_of_stability(s: Settings, network: str = "F0-plain") -> pd.DataFrame:
    """Curvature along full-batch gradient descent.

    Returns
    -------
    DataFrame
        rate, seed, step, train_loss (nats), test_accuracy (percent), eigenvalue (the Hessian's largest, of the training
        loss), limit (2 / rate).
    """
    jobs = {
        (rate, step): (_problem(s, network), x)
        for rate, run in edge_runs(s, network).items()
        for step, x in sorted(run.checkpoints.items())
    }
    found = sweep.each(_largest, jobs)
    tables = []
    for rate, run in edge_runs(s, network).items():
        seen = run.history.set_index(["epoch", "seed"])[["train_loss", "test_accuracy"]]
        for step in sorted(run.checkpoints):
            at = seen.loc[step].reset_index()
            tables.append(
                at.assign(rate=rate, step=step, eigenvalue=found[rate, step], limit=2 / rate)
            )
    return pd.concat(tables, ignore_index=True)[
        ["rate", "seed", "step", "train_loss", "test_accuracy", "eigenvalue", "limit"]
    ]


@remember
def _largest(problem: Problem, x: Tensor) -> list[float]:
    return curvature.top_eigenvalues(problem.objective(), x, 1, tolerance=1e-2)[:, 0].tolist()
