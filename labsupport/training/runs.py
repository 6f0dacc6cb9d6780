"""What a training leaves: its points, its history, its checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from torch import Tensor

from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe

#: What is recorded of each seed at an epoch; losses in nats, accuracies in percent.
HISTORY = ["seed", "epoch", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]


@dataclass(frozen=True)
class Runs:
    """S finished trainings.

    ``x0``, ``x`` : Tensor (S, n), first and last points. ``checkpoints`` : {epoch: Tensor (S, n)};
    a seed that has stopped keeps its last point. ``history`` : seed, epoch, steps, train_loss and
    test_loss (nats), train_accuracy and test_accuracy (percent), one row per seed and recorded
    epoch. ``seconds`` : wall time of the training. ``precision`` : the number format in which steps
    were multiplied.
    """

    problem: Problem
    recipe: Recipe
    seeds: tuple[int, ...]
    x0: Tensor
    x: Tensor
    history: pd.DataFrame
    checkpoints: dict[int, Tensor] = field(default_factory=dict)
    seconds: float = math.nan
    precision: str = "float32"

    @property
    def final(self) -> pd.DataFrame:
        """The last row of each seed."""
        return self.history.groupby("seed", sort=False).tail(1).set_index("seed")


class History:
    """Rows of `HISTORY`, measured with f on the training and on the test set."""

    def __init__(
        self, on_train: Objective, on_test: Objective, columns: dict[str, list] | None = None
    ):
        self.on_train, self.on_test = on_train, on_test
        self.columns: dict[str, list] = columns or {name: [] for name in HISTORY}

    def add(self, seeds: Sequence[int], epoch: int, steps: int, x: Tensor) -> None:
        """A row for each of the seeds, whose points are x (S, n)."""
        train_loss, train_accuracy = self.on_train.loss_and_accuracy(x)
        test_loss, test_accuracy = self.on_test.loss_and_accuracy(x)
        measured = (train_loss, train_accuracy, test_loss, test_accuracy)
        same = [epoch] * len(seeds), [steps] * len(seeds)
        for name, values in zip(HISTORY, [list(seeds), *same, *(one.tolist() for one in measured)]):
            self.columns[name].extend(values)

    def table(self) -> pd.DataFrame:
        """The rows, by seed and epoch."""
        return pd.DataFrame(self.columns).sort_values(["seed", "epoch"], ignore_index=True)
