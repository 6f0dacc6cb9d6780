"""The rows of the table: what is compared with what, and what is asked of it on two CPU cores and on one GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from joblib import Parallel, delayed

from benchmarks import plain
from benchmarks.pairs import Ratio, compare
from labsupport import data, device, training
from labsupport.objective import Objective
from labsupport.sharpness import sharpness
from labsupport.training import Recipe


@dataclass(frozen=True)
class Row:
    """One comparison. ``wanted`` holds the ratio asked for, by device type; ``arms`` builds (baseline, ours) when run."""

    what: str
    baseline: str
    wanted: dict[str, float]
    arms: Callable[[], tuple[Callable, Callable]]

    def measure(self, pairs: int) -> Ratio:
        return compare(*self.arms(), pairs=pairs)


def _train(network: str, name: str, recipe: Recipe, seeds: int, train_size: int | None) -> None:
    torch.set_num_threads(device.workers() if network not in ("F0", "C0") and device.workers() > 1 else 1)
    training.train(network, data.load(name, train_size=train_size), recipe, seeds, progress=False)


def _both_regimes() -> tuple[Callable, Callable]:
    """Chapter 2's experiment, an eighth of its epochs: small batches for 10, large for 10, five seeds."""
    dataset = data.load("mnist1d")
    recipes = [Recipe(32, epochs=10), Recipe(400, epochs=10)]

    def ours():
        if device.workers() > 1:
            Parallel(n_jobs=device.workers())(delayed(_train)("F0", "mnist1d", recipe, 5, None) for recipe in recipes)
        else:
            for recipe in recipes:
                training.train("F0", dataset, recipe, 5, progress=False)

    def baseline():
        for recipe in recipes:
            plain.train("F0", dataset, recipe, 5)

    return baseline, ours


def _epochs(network: str, name: str, *, seeds: int, train_size: int | None, tuned: bool, batch: int = 256) -> tuple[Callable, Callable]:
    dataset, recipe = data.load(name, train_size=train_size), Recipe(batch, epochs=1)
    return (functools.partial(plain.train, network, dataset, recipe, seeds, tuned=tuned),
            functools.partial(training.train, network, dataset, recipe, seeds, progress=False))


def _measure(network: str, name: str, train_size: int | None) -> tuple[Callable, Callable]:
    """Both methods at the same number of evaluations, from the same trained points."""
    dataset = data.load(name, train_size=train_size)
    x = training.train(network, dataset, Recipe(256, epochs=3), 1, progress=False).x
    f = Objective(network, dataset.x_train, dataset.y_train)
    spent = int(sharpness(f, x, method="paper").evaluations[0])
    return (functools.partial(sharpness, f, x, method="paper"),
            functools.partial(sharpness, f, x, iterations=spent - 1, starts=1))


def rows(kind: str) -> Iterator[Row]:
    """The rows that can be measured here: those whose data are on this disk. ``kind`` is cpu or cuda."""
    yield Row("chapter 2: F0, SB and LB, five seeds", "plain loop", {"cpu": 5, "cuda": 20}, _both_regimes)
    small = None if kind == "cuda" else 10_000  # images: a CPU takes a part of an epoch
    if data.available("mnist"):
        mnist = functools.partial(_epochs, "F1", "mnist", train_size=small)
        yield Row("F1, B = 256, one seed", "plain loop", {"cpu": 1.3, "cuda": 15}, functools.partial(mnist, seeds=1, tuned=False))
        yield Row("F1, B = 256, one seed", "tuned loop", {"cuda": 5}, functools.partial(mnist, seeds=1, tuned=True))
        yield Row("F1, B = 256, five seeds", "plain loop", {"cpu": 1, "cuda": 40}, functools.partial(mnist, seeds=5, tuned=False))
    if data.available("cifar10"):
        for network, wanted, size in (("C1", {"cpu": 1.3, "cuda": 8}, 2_560), ("C2", {"cpu": 1.3, "cuda": 3}, 512)):
            size = size if kind == "cpu" else None
            yield Row(f"{network}, B = 256, one seed", "plain loop", wanted,
                      functools.partial(_epochs, network, "cifar10", seeds=1, train_size=size, tuned=False))
    yield Row("sharpness of F0, full space", "paper, equal evaluations", {"cpu": 4},
              functools.partial(_measure, "F0", "mnist1d", None))
    if data.available("mnist"):
        yield Row("sharpness of F1, full space", "paper, equal evaluations", {"cpu": 1.5},
                  functools.partial(_measure, "F1", "mnist", small))
    if data.available("cifar10") and kind == "cuda":
        yield Row("sharpness of C2, full space", "paper, equal evaluations", {"cuda": 20},
                  functools.partial(_measure, "C2", "cifar10", 10_000))


