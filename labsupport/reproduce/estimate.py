"""What a study costs, before it starts: a few steps and one evaluation of each problem are timed on the spot."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache

import pandas as pd
import torch
from torch import nn

from labsupport import networks, training
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.reproduce.units import Line, Sharpness, Training, Unit, in_order

#: Samples of an evaluation in one piece, as in the paper.
CHUNK = 5_000
#: Steps that are timed, after one that is not.
STEPS = 3
#: Samples on which an evaluation is timed.
SAMPLES = 2_000
#: What an evaluation in float64 by SciPy takes, in evaluations of ours.
SCIPY = 2.5


class Costs:
    """Seconds a step by problem and batch size, and seconds an evaluation by problem, measured once each."""

    def __init__(self, device: str | None = None):
        self.device = device
        self._steps: dict[tuple, float] = {}
        self._evaluations: dict[tuple, float] = {}

    def step(self, unit: Training) -> float:
        """Seconds that one step of a training takes here."""
        key = (unit.problem.network, unit.problem.dataset, unit.recipe.batch_size)
        if key not in self._steps:
            recipe = unit.recipe.but(epochs=None, steps=1)
            training.train(unit.problem, recipe, [0], device=self.device, records=0, progress=False)
            timed = []
            for steps in (1, 1 + STEPS):
                began = time.perf_counter()
                training.train(
                    unit.problem,
                    recipe.but(steps=steps),
                    [0],
                    device=self.device,
                    records=0,
                    progress=False,
                )
                timed.append(time.perf_counter() - began)
            self._steps[key] = max(1e-6, (timed[1] - timed[0]) / STEPS)
        return self._steps[key]

    def evaluation(self, problem: Problem) -> float:
        """Seconds that f and its gradient take on all training samples."""
        key = (problem.network, problem.dataset, problem.train_size)
        if key not in self._evaluations:
            data = problem.load(self.device)
            few = min(SAMPLES, len(data.y_train))
            f = Objective(problem.build(), data.x_train[:few], data.y_train[:few])
            x = training.start(problem.network, [0], num_classes=data.num_classes)[0]
            f.value_and_gradient(x)
            began = time.perf_counter()
            f.value_and_gradient(x)
            self._evaluations[key] = (time.perf_counter() - began) * len(data.y_train) / few
        return self._evaluations[key]

    def seconds(self, unit: Unit) -> float:
        """What a unit takes at most."""
        if isinstance(unit, Training):
            total = len(unit.problem.load(self.device).y_train)
            an_epoch = -(-total // unit.recipe.batch_size)
            steps = unit.recipe.steps or (unit.recipe.epochs or 0) * an_epoch
            return steps * unit.recipe.inner_steps * self.step(unit)
        if isinstance(unit, Sharpness):
            factor = SCIPY if unit.method == "paper" else 1
            return (
                factor
                * unit.starts
                * (unit.iterations + 1)
                * self.evaluation(unit.training.problem)
            )
        return 2 * unit.points * self.evaluation(unit.a.problem) / 3


def on_meta(network: str, classes: int, shape: tuple[int, ...]) -> tuple[nn.Module, torch.Tensor]:
    """A network and two samples that hold no numbers: what a pass would take can be counted without computing it."""
    with torch.device("meta"):
        return networks.build(network, num_classes=classes), torch.empty(2, *shape)


@cache
def activations(network: str, classes: int, shape: tuple[int, ...]) -> tuple[float, float, int]:
    """What the layers put out for one sample: how many numbers, how many the largest of them; and the parameters.

    >>> activations("F1", 10, (1, 28, 28))
    (8474.0, 784.0, 1462794)
    """
    sizes = []
    net, batch = on_meta(network, classes, shape)
    for layer in net.modules():
        if not list(layer.children()):
            layer.register_forward_hook(lambda module, given, out: sizes.append(out.numel() / 2))
    net(batch)
    return sum(sizes), max(sizes), sum(p.numel() for p in net.parameters())


def memory(unit: Unit) -> float:
    """Bytes that a unit holds at its height, about, beside Python and torch themselves.

    The data, some twenty vectors of the network's parameters, and a pass over a batch or a piece of `CHUNK` samples.
    A gradient keeps what every layer puts out; a pass forward has up to three layers' at once.
    """
    problem = (unit if isinstance(unit, Training) else unit.needs[0]).problem
    data = problem.load("cpu")
    samples = sum(t.numel() * t.element_size() for t in (data.x_train, data.x_test))
    piece = min(CHUNK, len(data.y_train))
    all_of, largest, parameters = activations(
        str(problem.network), data.num_classes, tuple(data.x_train.shape[1:])
    )
    forward, gradient = 4 * piece * 3 * largest, 0.0
    if isinstance(unit, Training):
        gradient = 4 * unit.recipe.batch_size * all_of
    elif isinstance(unit, Sharpness):
        exact = unit.method == "paper"  # SciPy's works in float64
        forward, gradient = 2 * forward, 4 * (1 + exact) * piece * all_of
    return samples + 20 * 4 * parameters + max(forward, gradient)


def table(units: Iterable[Unit], done, device: str | None = None) -> pd.DataFrame:
    """One row per network, data set and kind of work: units, of which done, hours at most, gigabytes.

    ``done`` is a function of a unit. A data set that is not here makes a row that says so.
    """
    costs = Costs(device)
    rows: dict[tuple, dict] = {}
    for unit in in_order(list(units)):
        kind = {Training: "training", Sharpness: "sharpness", Line: "line"}[type(unit)]
        problem = (unit if isinstance(unit, Training) else unit.needs[0]).problem
        row = rows.setdefault(
            (problem.network, problem.dataset, kind),
            {"units": 0, "done": 0, "seconds": 0.0, "bytes": 0.0},
        )
        row["units"] += 1
        if done(unit):
            row["done"] += 1
        else:
            row["seconds"] += costs.seconds(unit)
            row["bytes"] = max(row["bytes"], memory(unit))
    return pd.DataFrame(
        [
            {
                "network": network,
                "dataset": dataset,
                "work": kind,
                "units": row["units"],
                "done": row["done"],
                "hours at most": round(row["seconds"] / 3600, 2),
                "GB": round(row["bytes"] / 1e9, 3),
            }
            for (network, dataset, kind), row in rows.items()
        ]
    )


def device_line(device: str | None = None) -> str:
    """Where it would run."""
    if torch.cuda.is_available() and device != "cpu":
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} threads"
