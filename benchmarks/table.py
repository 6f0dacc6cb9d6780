"""The rows of the table: what is compared with what, and what is asked of it on two CPU cores and on one GPU."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Iterator

from benchmarks import plain, residual, with_jax
from benchmarks.measures import _curvature, _evaluations_of_jax, _sharpness, _sharpness_of_resnet
from benchmarks.row import Row
from benchmarks.trainings import (
    _both_regimes,
    _epochs,
    _general,
    _seeds_apart,
    _side_by_side,
    _steps_of_jax,
    _together,
)
from labsupport import data


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
    yield Row("one recipe, six seeds: two processes", "one process", {"cpu": 1.8}, _seeds_apart)
