"""The rows of the table: what is compared with what, and what is asked of it on two CPU cores and on one GPU."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from joblib import Parallel, delayed

from benchmarks import limits, plain
from benchmarks.pairs import Ratio, compare
from labsupport import curvature, data, device, networks, sweep, training
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness
from labsupport.training import precision

#: A row whose pairs take less than this together gets more of them.
SECONDS = 30.0


@dataclass(frozen=True)
class Arms:
    """What a row runs: ``baseline`` and ``ours``; how many floating-point operations ``ours`` needs (0: not counted), in
    which ``precision``; and ``quality``, which raises AssertionError where ours is faster but worse."""

    baseline: Callable[[], object]
    ours: Callable[[], object]
    operations: float = 0.0
    precision: torch.dtype = torch.float32
    quality: Callable[[], None] | None = None


@dataclass(frozen=True)
class Row:
    """One comparison. ``wanted`` holds the ratio asked for, by device type (nan: none); ``arms`` is called when run."""

    what: str
    baseline: str
    wanted: dict[str, float]
    arms: Callable[[], Arms]

    def measure(self, pairs: int) -> tuple[Ratio, Arms]:
        arms = self.arms()
        ratio = compare(arms.baseline, arms.ours, pairs=pairs, seconds=SECONDS)
        if arms.quality:
            arms.quality()
        return ratio, arms


# -- training ------------------------------------------------------------------------------------------------------


def _both_regimes(tuned: bool) -> Arms:
    """Chapter 2's experiment, an eighth of its epochs: small batches for 10 and large for 10, five seeds, trained anew."""
    dataset = data.load("mnist1d")
    recipes = {"SB": Recipe(32, epochs=10), "LB": Recipe(400, epochs=10)}
    jobs = [(Problem("F0", "mnist1d"), recipe, tuple(range(5)), (), None, 0) for recipe in recipes.values()]

    def ours():
        Parallel(n_jobs=device.workers())(delayed(sweep.trained.fresh)(*job) for job in jobs)

    def baseline():
        for recipe in recipes.values():
            plain.train("F0", dataset, recipe, 5, tuned=tuned)

    return Arms(baseline, ours, sum(5 * r.epochs * limits.work("F0", dataset, r.batch_size) for r in recipes.values()))


def _epochs(network: str, name: str, *, seeds: int, train_size: int | None, tuned: bool, batch: int = 256) -> Arms:
    """One epoch of each seed, with shuffling. Neither arm evaluates anything."""
    dataset, recipe = data.load(name, train_size=train_size), Recipe(batch, epochs=1)
    return Arms(functools.partial(plain.train, network, dataset, recipe, seeds, tuned=tuned),
                functools.partial(training.train, Problem(network, dataset), recipe, seeds, records=0, progress=False),
                seeds * limits.work(network, dataset, batch), precision.chosen("auto", networks.build(network), dataset.device))


def _together(network: str, name: str, *, seeds: int, train_size: int | None) -> Arms:
    """Our own training, one seed after another against all seeds in one call."""
    dataset, recipe = data.load(name, train_size=train_size), Recipe(256, epochs=1)

    def one_by_one():
        for seed in range(seeds):
            training.train(Problem(network, dataset), recipe, [seed], records=0, progress=False)

    return Arms(one_by_one, functools.partial(training.train, Problem(network, dataset), recipe, seeds, records=0, progress=False))


# -- measuring -----------------------------------------------------------------------------------------------------


def _trained(network: str, name: str, train_size: int | None, seeds: int = 1) -> tuple[data.Dataset, torch.Tensor, Objective]:
    dataset = data.load(name, train_size=train_size)
    x = training.train(Problem(network, dataset), Recipe(256, epochs=3), seeds, records=0, progress=False).x
    return dataset, x, Objective(network, dataset.x_train, dataset.y_train)


def _sharpness(network: str, name: str, train_size: int | None, *, module: bool = False, seeds: int = 1) -> Arms:
    """Equal evaluations from the same trained points, never more; ours may not find a lower maximum. Baseline: ``paper``, or,
    for one seed, SciPy over a ``module`` in float32."""
    dataset, x, f = _trained(network, name, train_size, seeds)
    if module:
        baseline = functools.partial(plain.sharpness, network, x[0], dataset)
        highest, spent = (torch.tensor([one]) for one in baseline())
    else:
        baseline = functools.partial(sharpness, f, x, method="paper")
        found = baseline()
        highest, spent = found.f_max, found.evaluations
    ours = functools.partial(sharpness, f, x, iterations=int(spent.min()) - 1, starts=1)

    def quality():
        reached = ours().f_max
        assert (reached >= highest.to(reached) * (1 - 1e-6)).all(), f"{reached} was found, the baseline found {highest}"

    evaluations = seeds * int(spent.min())  # beside the two in float64 with which every search begins and ends
    return Arms(baseline, ours, evaluations * limits.work(network, dataset, 400), quality=quality)


def _curvature() -> Arms:
    """F0 without batch norm, on which curvlinops 3.0.1 errs; both with SciPy's Lanczos to the same tolerance."""
    dataset, x, f = _trained("F0-plain", "mnist1d", None)
    baseline = functools.partial(plain.top_eigenvalue, "F0-plain", x[0], dataset)
    ours = functools.partial(curvature.top_eigenvalues, f, x[0])

    def quality():
        assert math.isclose(baseline(), float(ours()), rel_tol=0.01), f"{baseline()} and {float(ours())} differ"

    return Arms(baseline, ours, quality=quality)


# -- the table -----------------------------------------------------------------------------------------------------


def rows(kind: str) -> Iterator[Row]:
    """The rows that can be measured here: those whose data are on this disk. ``kind`` is cpu or cuda."""
    for baseline, wanted in (("plain loop", {"cpu": 5, "cuda": 20}), ("tuned loop", {"cpu": math.nan, "cuda": math.nan})):
        yield Row("F0, SB and LB, five seeds", baseline, wanted, functools.partial(_both_regimes, baseline == "tuned loop"))
    part = 10_000 if kind == "cpu" else None  # a CPU takes a part of an epoch
    if data.available("mnist"):
        mnist = functools.partial(_epochs, "F1", "mnist", train_size=part)
        yield Row("F1, B = 256, one seed", "plain loop", {"cpu": 1.3, "cuda": 15}, functools.partial(mnist, seeds=1, tuned=False))
        yield Row("F1, B = 256, one seed", "tuned loop", {"cpu": math.nan, "cuda": 5}, functools.partial(mnist, seeds=1, tuned=True))
        yield Row("F1, B = 256, five seeds", "one seed after another", {"cpu": 1, "cuda": math.nan},
                  functools.partial(_together, "F1", "mnist", seeds=5, train_size=part))
        yield Row("F1, B = 256, five seeds", "plain loop", {"cuda": 40}, functools.partial(mnist, seeds=5, tuned=False))
    if data.available("cifar10"):
        for network, wanted, size in (("C1", {"cpu": 1.3, "cuda": 8}, 1_024), ("C2", {"cpu": 1.3, "cuda": 3}, 512)):
            cifar = functools.partial(_epochs, network, "cifar10", seeds=1, train_size=size if kind == "cpu" else None)
            yield Row(f"{network}, B = 256, one seed", "plain loop", wanted, functools.partial(cifar, tuned=False))
            yield Row(f"{network}, B = 256, one seed", "tuned loop", {"cuda": math.nan}, functools.partial(cifar, tuned=True))
    sharp = [("F0", "mnist1d", None, {"cpu": 4, "cuda": math.nan})]
    if data.available("mnist"):
        sharp.append(("F1", "mnist", 4_000 if kind == "cpu" else None, {"cpu": 1.5, "cuda": math.nan}))
    if data.available("cifar10"):
        sharp.append(("C2", "cifar10", 10_000, {"cuda": 20}))
    for network, name, size, wanted in sharp:
        measure = functools.partial(_sharpness, network, name, size)
        yield Row(f"sharpness of {network}, full space", "paper (float64)", wanted, measure)
        yield Row(f"sharpness of {network}, full space", "SciPy over a module", dict.fromkeys(wanted, math.nan),
                  functools.partial(measure, module=True))
        if network == "F0":
            yield Row("sharpness of F0, five seeds", "paper (float64)", dict.fromkeys(wanted, math.nan),
                      functools.partial(measure, seeds=5))
    yield Row("top eigenvalue, F0 without norm", "curvlinops", {"cpu": math.nan, "cuda": math.nan}, _curvature)
