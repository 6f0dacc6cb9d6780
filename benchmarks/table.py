"""The rows of the table: what is compared with what, and what is asked of it on two CPU cores and on one GPU."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from joblib import Parallel, delayed

from benchmarks import limits, plain, residual, with_jax
from benchmarks.pairs import Ratio, compare
from labsupport import curvature, data, device, networks, sweep, training
from labsupport.engine import threads
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness
from labsupport.training import precision
from labsupport.training.step import Stepper


@dataclass(frozen=True)
class Arms:
    """What a row runs: ``baseline`` and ``ours``; how many floating-point operations ``ours`` needs
    (0: not counted), in which ``precision``; ``quality``, which raises AssertionError where ours is
    faster but worse; what is to be ``said``.
    """

    baseline: Callable[[], object]
    ours: Callable[[], object]
    operations: float = 0.0
    precision: torch.dtype = torch.float32
    quality: Callable[[], None] | None = None
    said: str = ""


@dataclass(frozen=True)
class Row:
    """One comparison. ``wanted`` holds the ratio asked for, by device type (nan: none); ``arms`` is called when run.

    With ``cores``, both arms are held to so many, in a process of their own. ``missing`` says why a
    row cannot be measured.
    """

    what: str
    baseline: str
    wanted: dict[str, float]
    arms: Callable[[], Arms]
    cores: int | None = None
    missing: str | None = None

    def measure(self, pairs: int, seconds: float = 30.0) -> tuple[Ratio, Arms]:
        arms = self.arms()
        # a short row gets more pairs
        ratio = compare(arms.baseline, arms.ours, pairs=pairs, seconds=seconds)
        if arms.quality:
            arms.quality()
        return ratio, arms


# -- training ------------------------------------------------------------------------------------------------------


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
        other = Stepper(f, Recipe(batch, epochs=1), x, range(seeds))
        fresh = with_jax.Training(f, x, batch)
        steps = min(10, len(f.labels) // batch)
        order = torch.stack(
            [
                torch.randperm(len(f.labels))[: steps * batch].view(steps, batch)
                for _ in range(seeds)
            ]
        )
        wanted = with_jax.as_vector(fresh.by(order.numpy()))
        found = torch.stack([other.step(rows) for rows in order.unbind(1)], 1)
        assert torch.allclose(found, wanted, rtol=1e-3), (
            f"equal batches, but losses {found} and {wanted}"
        )

    return Arms(
        theirs.epoch,
        ours,
        seeds * limits.work(network, dataset, batch),
        quality=quality,
        said=f"compiled in {theirs.compiling:.1f} s",
    )


def _evaluations_of_jax(network: str, name: str, train_size: int | None = None) -> Arms:
    """The loss and its gradient on all samples, at one point."""
    dataset = data.load(name, device="cpu", train_size=train_size)
    f = Objective(network, dataset.x_train, dataset.y_train)
    x = training.start(network, [0])
    theirs = with_jax.evaluation(f, x)
    operations = limits.work(network, dataset, len(f.labels))
    return Arms(theirs, functools.partial(f.value_and_gradient, x), operations)


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
    recipes = {str(batch): Recipe(batch, steps=2_000) for batch in (32, 36)}
    jobs = [
        (Problem("F0", "mnist1d"), recipe, tuple(range(5)), (), None, 0)
        for recipe in recipes.values()
    ]

    def trained(workers):
        Parallel(n_jobs=workers)(delayed(sweep.trained.fresh)(*job) for job in jobs)

    return Arms(functools.partial(trained, 1), functools.partial(trained, 2))


# -- measuring -----------------------------------------------------------------------------------------------------


def _trained(
    network: str, name: str, train_size: int | None, seeds: int = 1
) -> tuple[data.Dataset, torch.Tensor, Objective]:
    dataset = data.load(name, train_size=train_size)
    x = training.train(
        Problem(network, dataset), Recipe(256, epochs=3), seeds, records=0, progress=False
    ).x
    return dataset, x, Objective(network, dataset.x_train, dataset.y_train)


def _sharpness(
    network: str, name: str, train_size: int | None, *, module: bool = False, seeds: int = 1
) -> Arms:
    """Equal evaluations from the same trained points, never more; ours may not find a lower
    maximum. Baseline: ``paper``, or, for one seed, SciPy over a ``module`` in float32.
    """
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
        assert (reached >= highest.to(reached) * (1 - 1e-6)).all(), (
            f"{reached} was found, the baseline found {highest}"
        )

    # beside the two in float64 with which every search begins and ends
    evaluations = seeds * int(spent.min())
    return Arms(baseline, ours, evaluations * limits.work(network, dataset, 400), quality=quality)


def _sharpness_of_resnet() -> Arms:
    """Three iterations of Metric 2.1 by SciPy over the module, and as many evaluations by ours, at
    the starting point.
    """
    dataset, module = residual.pictures(500), residual.resnet18()
    f, x = Objective(module, dataset.x_train, dataset.y_train), training.start(module, [0])[0]
    baseline = functools.partial(plain.sharpness, module, x, dataset, iterations=3)
    highest, spent = baseline()
    ours = functools.partial(sharpness, f, x, iterations=max(1, spent - 1), starts=1)

    def quality():
        reached = float(ours().f_max)
        assert reached >= highest * (1 - 1e-6), f"{reached} was found, the baseline found {highest}"

    return Arms(baseline, ours, quality=quality)


def _curvature(by: Callable[..., float]) -> Arms:
    """F0 without batch norm, on which curvlinops 3.0.1 errs, to the same tolerance."""
    dataset, x, f = _trained("F0-plain", "mnist1d", None)
    baseline = functools.partial(by, "F0-plain", x[0], dataset)
    ours = functools.partial(curvature.top_eigenvalues, f, x[0])

    def quality():
        assert math.isclose(baseline(), float(ours()), rel_tol=0.01), (
            f"{baseline()} and {float(ours())} differ"
        )

    return Arms(baseline, ours, quality=quality)


# -- the table -----------------------------------------------------------------------------------------------------


def rows(kind: str) -> Iterator[Row]:
    """The rows that can be measured here: those whose data are on this disk. ``kind`` is cpu or cuda."""
    for baseline, wanted in (
        ("plain loop", {"cpu": 5, "cuda": 20}),
        ("tuned loop", {"cpu": math.nan, "cuda": math.nan}),
    ):
        yield Row(
            "F0, SB and LB, five seeds",
            baseline,
            wanted,
            functools.partial(_both_regimes, baseline == "tuned loop"),
        )
    part = 10_000 if kind == "cpu" else None  # a CPU takes a part of an epoch
    if data.available("mnist"):
        mnist = functools.partial(_epochs, "F1", "mnist", train_size=part)
        yield Row(
            "F1, B = 256, one seed",
            "plain loop",
            {"cpu": 1.3, "cuda": 15},
            functools.partial(mnist, seeds=1, tuned=False),
        )
        yield Row(
            "F1, B = 256, one seed",
            "tuned loop",
            {"cpu": math.nan, "cuda": 5},
            functools.partial(mnist, seeds=1, tuned=True),
        )
        yield Row(
            "F1, B = 256, five seeds",
            "one seed after another",
            {"cpu": 1, "cuda": math.nan},
            functools.partial(_together, "F1", "mnist", seeds=5, train_size=part),
        )
        yield Row(
            "F1, B = 256, five seeds",
            "plain loop",
            {"cuda": 40},
            functools.partial(mnist, seeds=5, tuned=False),
        )
    if data.available("cifar10"):
        for network, wanted, size in (
            ("C1", {"cpu": 1.3, "cuda": 8}, 1_024),
            ("C2", {"cpu": 1.3, "cuda": 3}, 512),
        ):
            cifar = functools.partial(
                _epochs, network, "cifar10", seeds=1, train_size=size if kind == "cpu" else None
            )
            yield Row(
                f"{network}, B = 256, one seed",
                "plain loop",
                wanted,
                functools.partial(cifar, tuned=False),
            )
            yield Row(
                f"{network}, B = 256, one seed",
                "tuned loop",
                {"cuda": math.nan},
                functools.partial(cifar, tuned=True),
            )
    sharp = [("F0", "mnist1d", None, {"cpu": 4, "cuda": math.nan})]
    if data.available("mnist"):
        sharp.append(
            ("F1", "mnist", 4_000 if kind == "cpu" else None, {"cpu": 1.5, "cuda": math.nan})
        )
    if data.available("cifar10"):
        sharp.append(("C2", "cifar10", 10_000, {"cuda": 20}))
    for network, name, size, wanted in sharp:
        measure = functools.partial(_sharpness, network, name, size)
        yield Row(f"sharpness of {network}, full space", "paper (float64)", wanted, measure)
        yield Row(
            f"sharpness of {network}, full space",
            "SciPy over a module",
            dict.fromkeys(wanted, math.nan),
            functools.partial(measure, module=True),
        )
        if network == "F0":
            yield Row(
                "sharpness of F0, five seeds",
                "paper (float64)",
                dict.fromkeys(wanted, math.nan),
                functools.partial(measure, seeds=5),
            )
    for name, by in (
        ("curvlinops", plain.top_eigenvalue),
        ("PyHessian", plain.top_eigenvalue_by_pyhessian),
    ):
        missing = (
            None
            if importlib.util.find_spec(name.lower())
            else f"{name} is not here; pip install -e '.[bench]'"
        )
        yield Row(
            "top eigenvalue, F0 without norm",
            name,
            {"cpu": math.nan, "cuda": math.nan},
            functools.partial(_curvature, by),
            missing=missing,
        )
    yield from _peers()


def _peers() -> Iterator[Row]:
    """JAX on one core, the general path, two cores: on a CPU."""
    none = {"cpu": math.nan}
    jax = functools.partial(Row, baseline="JAX, compiled", cores=1, missing=with_jax.missing)
    steps = functools.partial(_steps_of_jax, "F0", "mnist1d", batch=32)
    yield jax(
        "F0, B = 32, five seeds, one core: a step",
        wanted={"cpu": 0.83},
        arms=functools.partial(steps, seeds=5),
    )
    yield jax(
        "F0, B = 32, one seed, one core: a step",
        wanted=none,
        arms=functools.partial(steps, seeds=1),
    )
    yield jax(
        "F0, one core: loss and gradient",
        wanted=none,
        arms=functools.partial(_evaluations_of_jax, "F0", "mnist1d"),
    )
    if data.available("mnist"):
        yield jax(
            "F1, B = 256, one seed, one core: a step",
            wanted=none,
            arms=functools.partial(
                _steps_of_jax, "F1", "mnist", seeds=1, batch=256, train_size=5_120
            ),
        )
        yield jax(
            "F1, one core: loss and gradient",
            wanted=none,
            arms=functools.partial(_evaluations_of_jax, "F1", "mnist", 4_000),
        )
    module, signals = residual.Residual(), functools.partial(data.load, "mnist1d", device="cpu")
    yield Row(
        "residual network of F0's size, B = 32",
        "plain loop",
        {"cpu": 0.77},
        lambda: _general(module, signals(), 32, 4),
        cores=1,
    )
    missing = (
        None
        if importlib.util.find_spec("torchvision")
        else "torchvision is not here; pip install torchvision"
    )
    yield Row(
        "ResNet-18, B = 64",
        "plain loop",
        {"cpu": 0.77},
        lambda: _general(residual.resnet18(), residual.pictures(128), 64, 1),
        missing=missing,
    )
    yield Row(
        "sharpness of ResNet-18 on 500 images",
        "SciPy over a module",
        none,
        _sharpness_of_resnet,
        missing=missing,
    )
    yield Row(
        "two recipes, five seeds each: two processes", "one process", {"cpu": 1.8}, _side_by_side
    )
