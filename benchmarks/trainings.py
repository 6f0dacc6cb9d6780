"""Arms that train: whole experiments, epochs and steps, each beside the program a user would otherwise write."""

from __future__ import annotations

import functools

import torch
from joblib import Parallel, delayed

from benchmarks import limits, plain, with_jax
from benchmarks.row import Arms
from labsupport import data, device, networks, sweep, training
from labsupport.engine import threads
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.training import precision
from labsupport.training.step import Stepper


def _both_regimes(tuned: bool) -> Arms:
    """Chapter 2's experiment, an eighth of its epochs: small batches for 10 and large for 10, five
    seeds, trained anew.
    """
    dataset = data.load("mnist1d")
    recipes = {"SB": Recipe(32, epochs=10), "LB": Recipe(400, epochs=10)}
    jobs = [
        (Problem("F0", "mnist1d"), recipe, tuple(range(5)), (), None, 0)
        for recipe in recipes.values()
    ]

    def ours():
        Parallel(n_jobs=device.workers())(delayed(sweep.trained.fresh)(*job) for job in jobs)

    def baseline():
        for recipe in recipes.values():
            plain.train("F0", dataset, recipe, 5, tuned=tuned)

    return Arms(
        baseline,
        ours,
        sum(5 * r.epochs * limits.work("F0", dataset, r.batch_size) for r in recipes.values()),
    )


def _epochs(
    network: str, name: str, *, seeds: int, train_size: int | None, tuned: bool, batch: int = 256
) -> Arms:
    """One epoch of each seed, with shuffling. Neither arm evaluates anything."""
    dataset, recipe = data.load(name, train_size=train_size), Recipe(batch, epochs=1)
    return Arms(
        functools.partial(plain.train, network, dataset, recipe, seeds, tuned=tuned),
        functools.partial(
            training.train, Problem(network, dataset), recipe, seeds, records=0, progress=False
        ),
        seeds * limits.work(network, dataset, batch),
        precision.chosen("auto", networks.build(network), dataset.device),
    )


def _together(network: str, name: str, *, seeds: int, train_size: int | None) -> Arms:
    """Our own training, one seed after another against all seeds in one call."""
    dataset, recipe = data.load(name, train_size=train_size), Recipe(256, epochs=1)

    def one_by_one():
        for seed in range(seeds):
            training.train(Problem(network, dataset), recipe, [seed], records=0, progress=False)

    return Arms(
        one_by_one,
        functools.partial(
            training.train, Problem(network, dataset), recipe, seeds, records=0, progress=False
        ),
    )


def _steps_of_jax(
    network: str, name: str, *, seeds: int, batch: int, train_size: int | None = None
) -> Arms:
    """Whole epochs of steps, orders drawn and batches gathered; compiled before the clock runs.
    Equal batches, equal losses.
    """
    dataset = data.load(name, device="cpu", train_size=train_size)
    f = Objective(network, dataset.x_train, dataset.y_train)
    x = training.start(network, range(seeds))
    theirs = with_jax.Training(f, x, batch)
    stepper = Stepper(f, Recipe(batch, epochs=10**6), x, range(seeds))

    def ours():
        with threads.threads_for(f.n):
            stepper.epoch(batch)

    def quality():
        """In float64: in float32 rounding alone may drive two equal programs apart within ten steps of Adam."""
        exact, at = f.double(), x.double()
        other = Stepper(exact, Recipe(batch, epochs=1), at, range(seeds))
        steps = min(10, len(f.labels) // batch)
        order = torch.stack(
            [
                torch.randperm(len(f.labels))[: steps * batch].view(steps, batch)
                for _ in range(seeds)
            ]
        )
        with with_jax.double():
            wanted = with_jax.as_vector(with_jax.Training(exact, at, batch).by(order.numpy()))
        found = torch.stack([other.step(rows) for rows in order.unbind(1)], 1)
        assert torch.allclose(found, wanted, rtol=1e-6), (
            f"equal batches, but losses {found} and {wanted}"
        )

    return Arms(
        theirs.epoch,
        ours,
        seeds * limits.work(network, dataset, batch),
        quality=quality,
        said=f"compiled in {theirs.compiling:.1f} s",
    )


def _general(network: torch.nn.Module, dataset: data.Dataset, batch: int, epochs: int) -> Arms:
    """A module that only the general path can compute, one seed, against the loop over the same module."""
    recipe = Recipe(batch, epochs=epochs, precision="float32")
    return Arms(
        functools.partial(plain.train, network, dataset, recipe, 1),
        functools.partial(
            training.train, Problem(network, dataset), recipe, 1, records=0, progress=False
        ),
    )


def _side_by_side() -> Arms:
    """Two recipes after one another in one process, and side by side in two."""
    jobs = [(Recipe(batch, steps=2_000), range(5)) for batch in (32, 36)]
    return Arms(
        functools.partial(_in_processes, 1, jobs), functools.partial(_in_processes, 2, jobs)
    )


def _seeds_apart() -> Arms:
    """Six seeds of one recipe in one pass, and three and three in two processes, as ``sweep.run(..., apart=True)``."""
    recipe = Recipe(32, steps=4_000)
    return Arms(
        functools.partial(_in_processes, 1, [(recipe, range(6))]),
        functools.partial(_in_processes, 2, [(recipe, range(3)), (recipe, range(3, 6))]),
    )


def _in_processes(workers: int, jobs: list[tuple[Recipe, range]]) -> None:
    """Train F0 by each recipe from its seeds, anew."""
    Parallel(n_jobs=workers)(
        delayed(sweep.trained.fresh)(Problem("F0", "mnist1d"), recipe, tuple(seeds), (), None, 0)
        for recipe, seeds in jobs
    )
