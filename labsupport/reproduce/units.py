"""Pieces of work: one training, one sharpness, one line. Each is a value that says what it needs
and knows how to be done.

A unit does not know where results are kept; `run` hands it the points that it needs and stores what
it returns. So the same unit runs here, in another process, or on a cluster.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from labsupport import landscape, training
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness

#: {unit's name: {name of a point: (n,) array}}
Points = Mapping[str, Mapping[str, np.ndarray]]


#: The recipes' names in every table: the paper's, the same with the points of some epochs kept (so that a folder with
#: both does not count a seed twice), and large batches at a learning rate of their own.
PLAIN, KEPT, OWN_RATE = "as in the paper", "as in the paper, points kept", "square-root rate"


@dataclass(frozen=True)
class Result:
    """What a unit found: ``rows`` for a table, ``points`` (n,) that other units need, ``history`` along a training."""

    rows: list[dict]
    points: dict[str, np.ndarray] = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)


def _digest(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


@dataclass(frozen=True)
class Training:
    """One seed trained by one recipe. ``name`` says which recipe; ``keep`` are epochs whose points others need;
    ``records`` is how often accuracies are noted along the way, which changes no training.

    With ``start``, a (unit, point) pair, it starts there instead of at the seed's own start.
    """

    problem: Problem
    batch: str
    recipe: Recipe
    seed: int
    name: str = PLAIN
    keep: tuple[int, ...] = ()
    start: tuple[Training, str] | None = None
    records: int = 40

    @property
    def id(self) -> str:
        what = _digest(
            self.problem.network,
            self.problem.dataset,
            self.problem.train_size,
            self.recipe,
            self.keep,
            self.start and (self.start[0].id, self.start[1]),
        )
        return f"training-{self.problem.network}-{self.problem.dataset}-{self.batch}-seed{self.seed}-{what}"

    @property
    def needs(self) -> tuple[Training, ...]:
        return (self.start[0],) if self.start else ()

    @property
    def columns(self) -> dict:
        """The columns that name a row, in every table of ours."""
        return {
            "network": self.problem.network,
            "dataset": self.problem.dataset,
            "train_size": self.problem.train_size,
            "batch": self.batch,
            "recipe": self.name,
            "seed": self.seed,
            "batch_size": self.recipe.batch_size,
        }

    def run(self, points: Points, scratch: Path | None = None, device: str | None = None) -> Result:
        """Train; the points are ``end``, ``start`` and ``epoch K`` for each K of ``keep``.

        ``scratch`` is a folder from which a training that was stopped goes on.
        """
        x0 = None
        if self.start:
            x0 = torch.from_numpy(points[self.start[0].id][self.start[1]])
        runs = training.train(
            self.problem,
            self.recipe,
            [self.seed],
            device=device,
            x0=x0,
            checkpoints=self.keep,
            records=self.records,
            progress=False,
            resume=None if scratch is None else str(scratch),
        )
        last = runs.final.iloc[0]
        row = {
            **self.columns,
            "precision": runs.precision,
            "epochs": int(last.epoch),
            "updates": int(last.steps),
            "seconds": round(runs.seconds, 1),
            **{
                name: float(last[name])
                for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
            },
        }
        found = {"start": runs.x0[0], "end": runs.x[0]} | {
            f"epoch {k}": x[0] for k, x in runs.checkpoints.items()
        }
        history = [
            {**self.columns, **line}
            for line in runs.history.drop(columns="seed").to_dict("records")
        ]
        return Result([row], {name: x.cpu().numpy() for name, x in found.items()}, history)


@dataclass(frozen=True)
class Sharpness:
    """Metric 2.1 at one point of a training."""

    training: Training
    point: str = "end"
    epsilon: float = 1e-3
    subspace_dim: int | None = None
    method: str = "strong"
    starts: int = 1
    iterations: int = 10

    @property
    def id(self) -> str:
        what = _digest(
            self.training.id,
            self.point,
            self.epsilon,
            self.subspace_dim,
            self.method,
            self.starts,
            self.iterations,
        )
        space = f"p{self.subspace_dim}" if self.subspace_dim else "full"
        return f"sharpness-{self.training.id.removeprefix('training-')}-{space}-{self.epsilon:g}-{self.method}-{what}"

    @property
    def needs(self) -> tuple[Training, ...]:
        return (self.training,)

    def run(self, points: Points, scratch: Path | None = None, device: str | None = None) -> Result:
        """Search; a row holds phi in percent, f in nats, and what the search took."""
        x = torch.from_numpy(points[self.training.id][self.point])
        f = self.training.problem.objective(device=device)
        began = time.perf_counter()
        found = sharpness(
            f,
            x,
            epsilon=self.epsilon,
            subspace_dim=self.subspace_dim,
            method=self.method,
            starts=self.starts,
            iterations=self.iterations,
            seed=self.training.seed,
        )
        return Result(
            [
                {
                    **self.training.columns,
                    "point": self.point,
                    "epsilon": self.epsilon,
                    "subspace_dim": self.subspace_dim,
                    "estimator": self.method,
                    "starts": self.starts,
                    "sharpness": float(found.value[0]),
                    "loss": float(found.f_x[0]),
                    "evaluations": int(found.evaluations[0]),
                    "seconds": round(time.perf_counter() - began, 1),
                }
            ]
        )


@dataclass(frozen=True)
class Line:
    """f and accuracy from one end point to another: Figure 3 (``line``) and Figure 7 (``curve``)."""

    a: Training
    b: Training
    path: str = "line"
    points: int = 25

    @property
    def id(self) -> str:
        what = f"{self.path}-{self.a.problem.network}-{self.a.problem.dataset}"
        return f"{what}-{_digest(self.a.id, self.b.id, self.points)}"

    @property
    def needs(self) -> tuple[Training, ...]:
        return (self.a, self.b)

    def run(self, points: Points, scratch: Path | None = None, device: str | None = None) -> Result:
        """A row per alpha from -1 to 2 and per split: loss in nats, accuracy in percent."""
        ends = [torch.from_numpy(points[unit.id]["end"]) for unit in (self.a, self.b)]
        walk = {"line": landscape.line, "curve": landscape.curve}[self.path]
        rows = []
        for split in ("train", "test"):
            f = self.a.problem.objective(split, device=device)
            one, other = (x.to(f.device) for x in ends)
            table = walk(f, one, other, np.linspace(-1, 2, self.points))
            rows += [
                {
                    **self.a.columns,
                    "batch": "SB to LB",
                    "path": self.path,
                    "split": split,
                    "alpha": float(line.alpha),
                    "loss": float(line.loss),
                    "accuracy": float(line.accuracy),
                }
                for line in table.itertuples()
            ]
        return Result(rows)


Unit = Training | Sharpness | Line


def in_order(units: list[Unit]) -> list[Unit]:
    """The units and all that they need, each once, what is needed first."""
    found: dict[str, Unit] = {}

    def add(unit: Unit) -> None:
        for needed in unit.needs:
            add(needed)
        found.setdefault(unit.id, unit)

    for unit in units:
        add(unit)
    return list(found.values())
