"""Chapter 2, the generalization gap: Table 2, Figure 4's accuracies, and a data set on which there is no gap."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labsupport import provenance, sweep
from labsupport.errors import DataUnavailable
from labsupport.experiments.minima import minima
from labsupport.experiments.tables import finals, sharpness_of
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs


def recorded(epochs: int) -> tuple[int, ...]:
    """Epochs after which the sweep records, evenly spaced on a logarithmic axis.

    >>> recorded(20)
    (1, 2, 3, 4, 6, 8, 11, 16)
    """
    spaced = {round(2 ** (half / 2)) for half in range(21)}
    return tuple(sorted(epoch for epoch in spaced if epoch <= epochs))


def generalization_gap(s: Settings) -> pd.DataFrame:
    """Table 2 for the scale's main network: small and large batches from the same starts, one row a batch and seed.

    Returns
    -------
    DataFrame
        The columns of `tables.finals`. Accuracies in percent, losses in nats, both on all samples.
    """
    return finals(minima(s))


def sweep_recipe(s: Settings, batch_size: int) -> Recipe:
    """How the sweep trains: SB's and LB's own recipes at their sizes, elsewhere LB's rule, until its training loss.

    At most SB's epochs or LB's number of steps, whichever is longer: so every batch size ends at a fitted training set.
    """
    if batch_size in (s.SB.batch_size, s.LB.batch_size):
        return s.SB if batch_size == s.SB.batch_size else s.LB
    same_steps = s.LB.epochs * batch_size // s.LB.batch_size
    return s.LB.but(batch_size=batch_size, epochs=max(s.SB.epochs, same_steps))


def sweep_runs(s: Settings) -> dict[str, Runs]:
    """One training per batch size of the scale, named by it, from the same starts; SB and LB are those of `minima`."""
    known = {str(run.recipe.batch_size): run for run in minima(s).values()}
    jobs = {}
    for size in s.batch_sizes:
        if str(size) not in known:
            recipe = sweep_recipe(s, size)
            noted = recorded(recipe.epochs or 0)
            jobs[str(size)] = sweep.job(s.main, recipe, range(s.seeds), records=noted)
    known |= sweep.each(sweep.trained, jobs)
    return {str(size): known[str(size)] for size in s.batch_sizes}


def batch_size_sweep(s: Settings) -> pd.DataFrame:
    """Accuracy by batch size, as in Figure 4: the columns of `tables.finals`, one row a batch size and seed."""
    return finals(sweep_runs(s))


# -- the counterexample ------------------------------------------------------------------------------------------


def negative_control(s: Settings) -> pd.DataFrame:
    """The experiment of the gap on MNIST, where sharpness differs and test accuracy does not.

    Where MNIST can neither be found nor fetched, the committed result is returned (see `control_provenance`).

    Returns
    -------
    DataFrame
        The columns of `tables.finals`; ``sharpness``, percent, Metric 2.1 of Keskar et al. 2017 in full space at
        epsilon = 1e-3 (``strong``, one search); ``source``: "this machine" or "committed".
    """
    try:
        s.control.load()
    except (DataUnavailable, ImportError):  # no host answers, or no torchvision to ask one
        return provenance.read("negative-control")[0].assign(source="committed")
    return _measure_control(s).assign(source="this machine")


def _measure_control(s: Settings) -> pd.DataFrame:
    recipes = {"SB": s.control_SB, "LB": s.control_LB}
    runs = sweep.run(s.control, recipes, s.control_seeds, records=1)
    table = finals(runs)
    phi = [
        sharpness_of(s.control, run.x, epsilons=(1e-3,), starts=1)["sharpness"]
        for run in runs.values()
    ]
    return table.assign(sharpness=np.concatenate(phi))


def control_provenance() -> dict:
    """Where the committed counterexample comes from: commit, machine, versions, recipes, seeds, date."""
    return provenance.read("negative-control")[1]
