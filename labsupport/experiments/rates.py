"""The best rate of each batch size, on samples held out of the training set: arms of `experiments.tuned`, swept.

A grid of rates is extended until the best one lies inside it. The test set is not looked at.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator

import pandas as pd

from labsupport import sweep
from labsupport.arguments import shown
from labsupport.errors import TrainingDiverged, choose
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import Settings

OPTIMIZERS: dict[str, dict] = {
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd", "momentum": 0.9},
}
#: The rate that both batch sizes get where none is tuned. Fixed before anything of this was measured.
SHARED_RATE = {"adam": 1e-3, "sgd": 0.05}
#: How a run ends. SB has its own stop alone: 80 epochs, which every end of LB is set against.
OWN, EPOCHS, UPDATES = "own stop", "as many epochs", "as many updates"
#: Steps of warm-up wherever a rate is tuned, for SB as for LB.
WARMUP_STEPS = 50
#: {(optimizer, batch, ends that are read off one run): (rates to begin with, factor by which they are extended)}
GRIDS: dict[tuple[str, str, tuple[str, ...]], tuple[tuple[float, ...], float]] = {
    ("adam", "SB", (OWN,)): ((1e-3, 2e-3, 4e-3), 2),
    ("adam", "LB", (OWN, EPOCHS)): ((8e-3, 16e-3, 32e-3), 2),
    ("adam", "LB", (UPDATES,)): ((4e-3, 16e-3, 64e-3), 4),
    ("sgd", "SB", (OWN,)): ((0.05, 0.1, 0.2), 2),
    ("sgd", "LB", (OWN, EPOCHS)): ((0.4, 0.8, 1.6), 2),
    ("sgd", "LB", (UPDATES,)): ((0.1, 0.4, 1.6), 4),
}
#: So many rates at most; an optimum that is still at the edge then is said to be there.
MOST = 8


def arm(s: Settings, optimizer: str, batch: str, ends: str, rate: float | None = None) -> Recipe:
    """The recipe of an arm on the main problem, at a tuned ``rate``, or without one at `SHARED_RATE`.

    Raises UnknownName for an optimizer, batch or end that there is not.
    """
    return arm_on(s, s.main, optimizer, batch, ends, rate)


def arm_on(s: Settings, problem: Problem, optimizer: str, batch: str, ends: str, rate) -> Recipe:
    """`arm` on another problem, whose number of samples says how many updates SB makes."""
    choose("optimizer", optimizer, OPTIMIZERS)
    choose("batch", batch, ("SB", "LB"))
    choose("end", ends, (OWN,) if batch == "SB" else (OWN, EPOCHS, UPDATES))
    changes = dict(OPTIMIZERS[optimizer], learning_rate=SHARED_RATE[optimizer])
    if rate is not None:
        changes |= {"learning_rate": rate, "warmup_steps": WARMUP_STEPS}
    if ends == EPOCHS:
        changes |= {"epochs": s.SB.epochs, "stop_loss": None}
    if ends == UPDATES:
        steps = s.SB.epochs * math.ceil(len(problem.load().y_train) / s.SB.batch_size)
        changes |= {"epochs": None, "steps": steps, "stop_loss": None}
    return (s.SB if batch == "SB" else s.LB).but(**changes)


def best_rate(rows: pd.DataFrame) -> tuple[float, bool]:
    """The rate with the greatest mean validation accuracy over seeds, and whether it lies inside the rates tried.

    A rate with which a seed diverged is never the best one. Raises ValueError if every rate diverged.

    >>> best_rate(pd.DataFrame({"learning_rate": [0.1, 0.2, 0.4], "validation_accuracy": [70.0, 71.0, 68.0]}))
    (0.2, True)
    """
    mean = rows.groupby("learning_rate").validation_accuracy.agg(lambda one: one.mean(skipna=False))
    if mean.isna().all():
        raise ValueError(
            f"Every rate of {shown(mean.index.tolist())} diverged; begin with smaller ones."
        )
    best = float(mean.idxmax())
    return best, bool(mean.index.min() < best < mean.index.max())


def chosen_rates(rows: pd.DataFrame) -> dict[tuple[str, str, str], tuple[float, bool]]:
    """{(optimizer, batch, ends): `best_rate`} of a table with the columns of `tuned_rates`."""
    return {
        key: best_rate(part)
        for key, part in rows.groupby(["optimizer", "batch", "ends"], sort=False)
    }


def extended(
    measure: Callable[[float], pd.DataFrame], first: tuple[float, ...], factor: float
) -> pd.DataFrame:
    """``measure`` at the ``first`` rates, and beyond them until the best of every end lies inside.

    At most `MOST` rates are measured; the rows come sorted by rate.
    """
    tried = {rate: measure(rate) for rate in first}
    while len(tried) < MOST:
        rows = pd.concat(tried.values(), ignore_index=True)
        edges = {rate for rate, within in chosen_rates(rows).values() if not within}
        beyond = [
            float(f"{new:.3g}")
            for edge, new in ((max(tried), max(tried) * factor), (min(tried), min(tried) / factor))
            if edge in edges
        ]
        if not beyond:
            break
        tried |= {rate: measure(rate) for rate in beyond}
    return pd.concat([tried[rate] for rate in sorted(tried)], ignore_index=True)


def validation_problem(s: Settings) -> Problem:
    """The main problem without its last ``s.held_out`` training samples, which take the place of the test set."""
    rest, x, y = s.main.load().split(s.held_out)
    return Problem(s.main.network, dataclasses.replace(rest, x_test=x, y_test=y))


def swept(
    s: Settings, optimizer: str, wanted: tuple[str, ...] = (OWN, EPOCHS, UPDATES)
) -> Iterator[pd.DataFrame]:
    """The rows of `tuned_rates` for one optimizer, a table a grid, of the ``wanted`` ends."""
    problem = validation_problem(s)
    for (named, batch, ends), (first, factor) in GRIDS.items():
        if named != optimizer or not set(ends) <= set(wanted):
            continue

        def measure(rate: float, batch=batch, ends=ends) -> pd.DataFrame:
            recipe = arm_on(s, problem, optimizer, batch, ends[0], rate)
            rows = _validated(s, problem, recipe, ends)
            return rows.assign(optimizer=optimizer, batch=batch, learning_rate=rate)

        yield extended(measure, first, factor)


def _validated(
    s: Settings, problem: Problem, recipe: Recipe, ends: tuple[str, ...]
) -> pd.DataFrame:
    """A rate's rows for all ends that one run shows: LB's own stop is where its history first is at its stop loss."""
    stop, epochs = recipe.stop_loss, recipe.epochs
    records: int | tuple[int, ...] = 8
    if len(ends) > 1 and epochs is not None:
        recipe, records = recipe.but(stop_loss=None), tuple(range(epochs + 1))
    try:
        history = sweep.run(problem, {"run": recipe}, s.seeds, records=records)["run"].history
    except TrainingDiverged:
        history = pd.DataFrame({"seed": range(s.seeds)}).assign(
            epoch=0, steps=0, train_loss=math.nan, test_accuracy=math.nan
        )
    tables = [
        _read(one, end, s.SB.epochs, stop).assign(ends=end)
        for end in ends
        for _, one in history.groupby("seed", sort=False)
    ]
    return pd.concat(tables, ignore_index=True).rename(
        columns={"test_accuracy": "validation_accuracy", "steps": "updates"}
    )[["ends", "seed", "validation_accuracy", "train_loss", "updates"]]


def _read(history: pd.DataFrame, end: str, epochs: int, stop: float | None) -> pd.DataFrame:
    """One row of one seed's history: at its end, after so many epochs, or where it first is at a loss of ``stop``."""
    if end == EPOCHS:
        history = history[history.epoch <= epochs]
    elif end == OWN and stop is not None and (history.train_loss <= stop).any():
        return history[history.train_loss <= stop].head(1)
    return history.tail(1)
