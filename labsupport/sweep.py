"""Many trainings: what the store has is read, what it lacks is trained, on all cores but one process a core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from joblib import Parallel, delayed

from labsupport import device, training
from labsupport.cache import remember
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.training import Runs


@remember
def trained(problem: Problem, recipe: Recipe, seeds: tuple[int, ...], checkpoints: tuple[int, ...] = (), x0=None,
            records: int | Sequence[int] = 40) -> Runs:
    """One `training.train`, remembered."""
    return training.train(problem, recipe, seeds, x0=x0, checkpoints=checkpoints, records=records)


def run(problem: Problem, recipes: Mapping[str, Recipe], seeds: int | Sequence[int] = 5, *, checkpoints: Sequence[int] = (),
        x0: Mapping | None = None, records: int | Sequence[int] = 40) -> dict[str, Runs]:
    """Train one problem by each of several recipes, from the same seeds; {name: Runs}.

    What was trained before, by any chapter, is read from the store. The rest is spread over `device.workers()`
    processes. ``x0`` may hold a starting point (n,) or (S, n) for some of the names; ``records`` as in `training.train`.
    """
    seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    jobs = {name: (problem, recipe, seeds, tuple(checkpoints), (x0 or {}).get(name), records)
            for name, recipe in recipes.items()}
    return each(trained, jobs)


def each(function, jobs: Mapping[str, tuple]) -> dict:
    """{name: function(*arguments)} for a remembered function; what is not known is computed side by side.

    What another process is computing already comes last.
    """
    missing = [name for name, job in jobs.items() if not function.known(*job)]
    workers = min(device.workers(), len(missing))
    if workers > 1:
        Parallel(n_jobs=workers, batch_size=1)(delayed(_quiet)(function, jobs[name]) for name in missing)
    elsewhere = {name for name in missing if function.busy(*jobs[name])}
    found = {name: function(*jobs[name]) for name in sorted(jobs, key=elsewhere.__contains__)}
    return {name: found[name] for name in jobs}


def _quiet(function, job) -> None:
    """In a worker: compute and store; the result itself does not travel."""
    function(*job)
