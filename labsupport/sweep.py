"""Many trainings: what the store has is read, what it lacks is trained, on all cores but one process a core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from joblib import Parallel, delayed

from labsupport import data, device, training
from labsupport.store import remember
from labsupport.training import Recipe, Runs


@remember
def trained(network: str, dataset: str, train_size: int | None, recipe: Recipe, seeds: tuple[int, ...],
            checkpoints: tuple[int, ...] = (), x0=None, records: int | Sequence[int] = 40) -> Runs:
    """One `training.train` by names alone, remembered."""
    loaded = data.load(dataset, train_size=train_size)
    return training.train(network, loaded, recipe, seeds, x0=x0, checkpoints=checkpoints, records=records)


def run(network: str, dataset: str, recipes: Mapping[str, Recipe], seeds: int | Sequence[int] = 5, *,
        train_size: int | None = None, checkpoints: Sequence[int] = (), x0: Mapping | None = None,
        records: int | Sequence[int] = 40) -> dict[str, Runs]:
    """Train one network by each of several recipes, from the same seeds; {name: Runs}.

    What was trained before, by any chapter, is read from the store. The rest is spread over `device.workers()`
    processes. ``x0`` may hold a starting point (n,) or (S, n) for some of the names; ``records`` as in `training.train`.
    """
    seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    jobs = {name: (network, dataset, train_size, recipe, seeds, tuple(checkpoints), (x0 or {}).get(name), records)
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
