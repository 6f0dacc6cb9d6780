"""Many trainings: what the store has is read, what it lacks is trained, on all cores but one process a core."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd
import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import BrokenProcessPool
from torch import Tensor

from labsupport import cache, device, training
from labsupport.cache import remember, surroundings
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import environment
from labsupport.training import Runs, precision

Key = TypeVar("Key", bound=Hashable)


@remember
def trained(
    problem: Problem,
    recipe: Recipe,
    seeds: tuple[int, ...],
    checkpoints: tuple[int, ...] = (),
    x0=None,
    records: int | Sequence[int] = 40,
    number_format: str | None = None,
) -> Runs:
    """One `training.train`, remembered; `job` makes its arguments.

    ``number_format`` is what the recipe's precision comes to on this machine, so that the stored result's name says it.
    """
    asked = recipe.but(precision=number_format or recipe.precision)
    runs = training.train(problem, asked, seeds, x0=x0, checkpoints=checkpoints, records=records)
    return replace(runs, recipe=recipe)


def job(
    problem: Problem,
    recipe: Recipe,
    seeds: Sequence[int],
    checkpoints: Sequence[int] = (),
    x0=None,
    records: int | Sequence[int] = 40,
) -> tuple:
    """The arguments of `trained`, the number format that this machine trains in among them."""
    used = precision.named(recipe.precision, problem.build(), device.pick())
    return problem, recipe, tuple(seeds), tuple(checkpoints), x0, records, used


def run(
    problem: Problem,
    recipes: Mapping[Key, Recipe],
    seeds: int | Sequence[int] = 5,
    *,
    checkpoints: Sequence[int] = (),
    x0: Mapping | None = None,
    records: int | Sequence[int] = 40,
    apart: bool = False,
) -> dict[Key, Runs]:
    """Train one problem by each of several recipes, from the same seeds; {name: Runs}.

    What was trained before, by any chapter, is read from the store. The rest is spread over
    `device.workers()` processes. ``x0`` may hold a starting point (n,) or (S, n) for some of the
    names; ``records`` as in `training.train`.

    With ``apart`` the seeds of each recipe are spread too, as many parts as there are workers: for one
    recipe and several cores. A part is trained as its seeds alone would be, which differs from all
    seeds together by rounding; so the numbers depend on how many workers there are.
    """
    seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    parts = _parts(len(seeds), device.workers() if apart else 1)
    jobs = {
        (name, part.start): job(
            problem,
            recipe,
            seeds[part],
            checkpoints,
            _of_part((x0 or {}).get(name), seeds, part),
            records,
        )
        for name, recipe in recipes.items()
        for part in parts
    }
    found = each(trained, jobs)
    return {name: _joined([found[name, part.start] for part in parts]) for name in recipes}


def _parts(seeds: int, most: int) -> list[slice]:
    """The seeds in at most so many parts, in order, as equal as they can be."""
    count = max(1, min(seeds, most))
    ends = [round(seeds * k / count) for k in range(count + 1)]
    return [slice(first, last) for first, last in zip(ends, ends[1:])]


def _of_part(x0, seeds: tuple[int, ...], part: slice):
    """The starting points of some of the seeds, where each has its own."""
    own = isinstance(x0, Tensor) and x0.dim() == 2 and len(x0) == len(seeds)
    return x0[part] if own else x0


def _joined(parts: list[Runs]) -> Runs:
    """The runs of all seeds, from those of some; ``seconds`` are those of the longest part."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return replace(
        first,
        seeds=tuple(seed for part in parts for seed in part.seeds),
        x0=torch.cat([part.x0 for part in parts]),
        x=torch.cat([part.x for part in parts]),
        history=pd.concat([part.history for part in parts]).sort_values(
            ["seed", "epoch"], ignore_index=True
        ),
        checkpoints={
            epoch: torch.cat([part.checkpoints[epoch] for part in parts])
            for epoch in first.checkpoints
        },
        seconds=max(part.seconds for part in parts),
    )


def each(function, jobs: Mapping[Key, tuple]) -> dict[Key, Any]:
    """``{name: function(*arguments)}`` for a remembered function; what is not known is computed side by side.

    What another process is computing already comes last.
    """
    missing = [name for name, job in jobs.items() if not function.known(*job)]
    workers = min(device.workers(), len(missing))
    if workers > 1:
        _side_by_side(function, [jobs[name] for name in missing], workers)
    elsewhere = {name for name in missing if function.busy(*jobs[name])}
    found = {name: function(*jobs[name]) for name in sorted(jobs, key=elsewhere.__contains__)}
    return {name: found[name] for name in jobs}


def _side_by_side(function, jobs: list[tuple], workers: int) -> None:
    """Compute and store; the results themselves do not travel. An error in a worker is raised here."""
    around = (os.getpid(), str(cache.folder()), surroundings.switches())
    try:
        Parallel(n_jobs=workers, batch_size=1)(
            delayed(_quiet)(function, job, around) for job in jobs
        )
    except BrokenProcessPool as error:
        warnings.warn(
            f"A process that trained beside this one has ended by itself, perhaps for want of memory ({error}). "
            "What is missing is computed here, one after the other.",
            stacklevel=3,
        )


def _quiet(function, job, around) -> None:
    parent, folder, switches = around
    _end_with(parent)
    environment.use_store(folder)
    # else its result would have another name, and the caller computes its own
    if surroundings.switches() == switches:
        function(*job)


_watching: set[int] = set()


def _end_with(parent: int) -> None:
    """Let this worker end when the process that started it does, even if that was killed."""
    if parent in _watching or os.name != "posix":
        return
    _watching.add(parent)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
