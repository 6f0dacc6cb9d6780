"""Chapter 8, sharpness turned at a fixed dial: one batch size, one rate, and a gradient taken elsewhere.

SAM takes its gradient after a step of length rho uphill, and ends in flatter places. The same step downhill, a negative
rho, ends in sharper ones. A batch may share one such step, or each group of m of its samples make its own. Chapter 9
adds a gradient of its own, a penalty on sharpness. It takes minutes, so it is measured once and committed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pandas as pd
import torch

from labsupport import provenance, remedies, training
from labsupport.cache import remember
from labsupport.experiments.recipes import MATCHED_LOSS
from labsupport.experiments.tables import sharpness_of
from labsupport.objective import Objective, chunks
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training.step import Stepper

#: Lengths of the step: uphill where positive (SAM), downhill where negative.
LENGTHS = (0.0, -0.02, -0.05, -0.01, 0.05)
#: Epochs of the arms over rho: in 700 updates of 400 samples plain LB and SAM at 0.05 reach the loss.
LENGTH_EPOCHS = 70
NAME = "sharpness-both-ways"
#: Samples that share a step; all 400 of a batch do in the first.
GROUPS = (400, 100, 25)
#: SAM's length where the groups differ, and none for their control.
GROUP_LENGTHS = (0.0, 0.05)
GROUPS_NAME = "sam-groups"


@remember
def train_elsewhere(
    problem: Problem, recipe: Recipe, seeds: tuple[int, ...], rho: float, group: int | None = None
) -> dict[str, Any]:
    """Train with Adam, each gradient taken after a step of length ``rho`` along the batch's own gradient.

    With a ``group`` every so many samples of a batch make the step by their own gradient, and the gradients there are
    averaged (Foret et al. 2021, m-sharpness). Batch norm normalizes each group apart; without a step (rho = 0) that is
    ghost batch norm, the control. Starts and orders of samples are those of `training.train`. Every seed makes all
    epochs of ``recipe``.

    Returns
    -------
    dict
        "matched" and "last": points (S, n) after the first epoch whose training loss is at most `MATCHED_LOSS` (the
        last for a seed that does not reach it), and after the last; "updates": of the first, by seed.
    """
    return train_changed(problem, recipe, seeds, lambda gradient: _ahead(gradient, rho, group))


def _ahead(gradient: remedies.Gradient, rho: float, group: int | None) -> remedies.Gradient:
    """The gradient after a step of length ``rho``, of the batch or of each group of its samples."""
    stepped = remedies.sharpness_aware(gradient, rho)
    return remedies.ghost(stepped, group) if group else stepped


def train_changed(
    problem: Problem,
    recipe: Recipe,
    seeds: tuple[int, ...],
    change: Callable[[remedies.Gradient], remedies.Gradient],
) -> dict[str, Any]:
    """Train with Adam by what ``change`` makes of a batch's gradient; all else is as in `train_elsewhere`."""
    f = problem.objective()
    x = training.start(problem.network, seeds).to(f.device)
    gradient = change(Stepper(f, recipe, x, seeds).gradients.anywhere)
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    parts = chunks(len(f.labels), recipe.batch_size)
    adam = torch.optim.Adam([x], recipe.learning_rate)
    matched, updates, waiting = x.clone(), [0] * len(seeds), set(range(len(seeds)))
    for epoch in range(1, (recipe.epochs or 0) + 1):
        order = torch.stack([torch.randperm(len(f.labels), generator=one) for one in orders])
        for part in parts:
            rows = order[:, part]
            x.grad = gradient(x, f.inputs[rows], f.labels[rows])[1].clone()
            adam.step()
        losses, last = f(x), epoch == recipe.epochs
        for seed in [seed for seed in waiting if last or losses[seed] <= MATCHED_LOSS]:
            matched[seed], updates[seed] = x[seed], epoch * len(parts)
            waiting.remove(seed)
    return {"matched": matched, "last": x, "updates": updates}


def both_ways() -> pd.DataFrame:
    """The committed result of `record_both_ways`.

    Returns
    -------
    DataFrame
        rho, read ("matched", at a training loss of 0.01, or "last"), seed; test_accuracy (percent), sharpness (percent,
        Metric 2.1 at epsilon 1e-3, one search), train_loss (nats), updates.
    """
    return provenance.read(NAME)[0]


def both_ways_provenance() -> dict:
    """Where the rows of `both_ways` come from: date, commit, machine, versions."""
    return provenance.read(NAME)[1]


def record_both_ways(s: Settings, **where) -> str:
    """Train with each of `LENGTHS` here and write the result with its provenance, for the commit; for maintainers.

        python -c "from labsupport import settings; from labsupport.experiments import interventions;
        interventions.record_both_ways(settings.current())"

    ``where`` may name another ``folder``. Returns the path.
    """
    found = [measured_arm(s, s.main, {"rho": rho}) for rho in LENGTHS]
    return _write(s, NAME, found, where)


def sam_groups() -> pd.DataFrame:
    """The committed result of `record_sam_groups`.

    Returns
    -------
    DataFrame
        network, rho, group (samples that share a step), and the other columns of `both_ways`.
    """
    return provenance.read(GROUPS_NAME)[0]


def sam_groups_provenance() -> dict:
    """Where the rows of `sam_groups` come from: date, commit, machine, versions."""
    return provenance.read(GROUPS_NAME)[1]


def record_sam_groups(s: Settings, **where) -> str:
    """Train with each of `GROUPS` and `GROUP_LENGTHS`, with and without batch norm, as `record_both_ways` does.

    Without batch norm a group changes nothing but SAM's step, so only the first has a control. Two rules were written
    before the run, both read at the last update. 8.25, with batch norm: SAM's gain in test accuracy over its control of
    the same group is larger for groups of 25 than for 400. 8.26, without: SAM with groups of 25 tests better than with
    400. Each holds if the 95 % t-interval over paired seeds lies above zero.
    """
    found = []
    for problem in (s.main, replace(s.main, network="F0-plain")):
        for group, rho in product(GROUPS, GROUP_LENGTHS):
            if rho or problem == s.main or group == GROUPS[0]:
                arm = {"rho": rho, "group": group}
                found.append(measured_arm(s, problem, arm, network=problem.network))
    return _write(s, GROUPS_NAME, found, where)


def _recipe(s: Settings) -> Recipe:
    return s.LB.but(stop_loss=None, epochs=LENGTH_EPOCHS)


def measured_arm(s: Settings, problem: Problem, arm: dict, **about) -> pd.DataFrame:
    """Train every seed of one arm over rho, and read it at the matched loss and at its end."""
    run = train_elsewhere(problem, _recipe(s), tuple(range(s.seeds)), **arm)
    return read_twice(s, problem, _recipe(s), run, **about, **arm)


def read_twice(
    s: Settings, problem: Problem, recipe: Recipe, run: dict[str, Any], **about
) -> pd.DataFrame:
    """What `train_elsewhere` or `train_changed` returned, at the matched loss and at the end; one row a seed and place.

    The columns are ``about`` and those of `both_ways`, without rho.
    """
    data = problem.load()
    on_test = Objective(problem.network, data.x_test, data.y_test)
    made = (recipe.epochs or 0) * len(chunks(len(data.y_train), recipe.batch_size))
    tables = []
    for read, updates in (("matched", run["updates"]), ("last", [made] * s.seeds)):
        found = sharpness_of(problem, run[read], epsilons=(1e-3,), starts=1)
        rows = {
            **about,
            "read": read,
            "seed": range(s.seeds),
            "test_accuracy": on_test.accuracy(run[read]).tolist(),
            "sharpness": found.sharpness,
            "train_loss": found.loss,
            "updates": updates,
        }
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables)


def _write(s: Settings, name: str, tables: list[pd.DataFrame], where: dict) -> str:
    about = provenance.here(
        network=s.main.network, data=s.main.dataset, seeds=s.seeds, recipe=repr(_recipe(s))
    )
    return str(provenance.write(name, pd.concat(tables, ignore_index=True), about, **where))
