"""Training as the paper does it, for all seeds at once: from points x0 (S, n) to points x (S, n).

There is no data loader. The data lie on the device; an epoch is one permutation per seed, cut into batches; the last,
smaller batch is trained too. Each seed has its own start and its own order, and nothing of it depends on which other
seeds are trained beside it, but for dropout, whose masks all seeds draw from one generator. Small-batch and large-batch
runs of one seed share x0, as in the authors' code.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from labsupport import networks, remedies
from labsupport.engine import threads
from labsupport.engine.functions import check_points
from labsupport.errors import TrainingDiverged
from labsupport.objective import Objective, chunks, flatten
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import environment
from labsupport.training.step import Stepper

#: What is recorded of each seed at an epoch; losses in nats, accuracies in percent.
HISTORY = ["seed", "epoch", "steps", "train_loss", "train_accuracy", "test_loss", "test_accuracy"]


@dataclass(frozen=True)
class Runs:
    """S finished trainings.

    ``x0``, ``x`` : Tensor (S, n), first and last points. ``checkpoints`` : {epoch: Tensor (S, n)}; a seed that has
    stopped keeps its last point. ``history`` : seed, epoch, steps, train_loss and test_loss (nats), train_accuracy and
    test_accuracy (percent), one row per seed and recorded epoch. ``seconds`` : wall time of the training.
    """

    problem: Problem
    recipe: Recipe
    seeds: tuple[int, ...]
    x0: Tensor
    x: Tensor
    history: pd.DataFrame
    checkpoints: dict[int, Tensor] = field(default_factory=dict)
    seconds: float = math.nan

    @property
    def final(self) -> pd.DataFrame:
        """The last row of each seed."""
        return self.history.groupby("seed", sort=False).tail(1).set_index("seed")


def start(network: str | nn.Sequential, seeds: Sequence[int], *, num_classes: int | None = None) -> Tensor:
    """Initial points (S, n), float32 on the CPU: PyTorch's uniform defaults, one draw per seed, torch's own generator
    left as it was."""
    points = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            if isinstance(network, str):
                module = networks.build(network, num_classes=num_classes)
            else:
                module = copy.deepcopy(network).cpu()
                for layer in module.modules():
                    if hasattr(layer, "reset_parameters"):
                        layer.reset_parameters()
            points.append(flatten(module))
    return torch.stack(points)


def train(problem: Problem, recipe: Recipe, seeds: int | Sequence[int] = 5, *, device: str | torch.device | None = None,
          x0: Tensor | None = None, checkpoints: Iterable[int] | None = None, records: int | Sequence[int] = 40,
          progress: bool = True) -> Runs:
    """Train the problem's network from several seeds, all on one device.

    Parameters
    ----------
    seeds
        How many (0, 1, ...), or which. A seed sets the start and the order of the samples.
    x0 : Tensor (n,) or (S, n)
        Where to start instead.
    checkpoints
        Epochs after which to keep the points; 0 is the start.
    records
        About how many rows the history gets for each seed, besides the first and the last; or the epochs after which to
        record one. 0: no history at all.

    Raises
    ------
    ValueError
        No seeds, a batch larger than the data, an x0 that does not fit, a negative ``records``.
    TrainingDiverged
        The loss stopped being a number; the message names recipe, epoch and seed.
    """
    seeds = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not seeds:
        raise ValueError("There are no seeds. Give a number of seeds, such as 5, or a list such as [0, 1, 2].")
    if isinstance(records, int) and records < 0:
        raise ValueError(f"records is {records}; 0 or more are possible, and 0 keeps no history.")
    network, dataset = problem.network, problem.load(device)
    total = len(dataset.y_train)
    largest = max([recipe.batch_size, *(size for _, size in recipe.growth)])
    if largest > total:
        raise ValueError(f"The batch of {largest} is larger than the data: {dataset.name} has {total} training samples here.")
    if recipe.augment and remedies.DIMENSIONS[recipe.augment] != dataset.x_train.dim() - 1:
        raise ValueError(f"The augmentation {recipe.augment!r} is not for {dataset.name}, whose samples have shape "
                         f"{tuple(dataset.x_train.shape[1:])}.")
    where = dataset.device
    first = start(network, seeds, num_classes=dataset.num_classes) if x0 is None else x0
    module = networks.layers(network, num_classes=dataset.num_classes)
    on_train = Objective(module, dataset.x_train, dataset.y_train)
    on_test = Objective(module, dataset.x_test, dataset.y_test)
    first = check_points(first, on_train.n, what="x0").to(where, torch.float32)
    first = first.expand(len(seeds), -1).clone() if len(first) == 1 else first.clone()
    if len(first) != len(seeds):
        raise ValueError(f"x0 has {len(first)} rows and there are {len(seeds)} seeds; give as many, or a single point.")
    keep = set(checkpoints or ())
    run = _Run(module, on_train, on_test, recipe, seeds, first, keep, records)
    began = time.perf_counter()
    with threads.threads_for(on_train.n):
        run.go(progress and show_progress())
    return Runs(problem, recipe, seeds, first, run.x, run.table(), run.kept, time.perf_counter() - began)


def show_progress() -> bool:
    """Progress bars are for people: off where TQDM_DISABLE is set, as in the book's own build.

    tqdm itself reads that variable, but in a notebook shows what is not refused outright.
    """
    return environment.shows_progress()


class _Run:
    """The state of one call of `train`: which seeds are still going, their points, and what was recorded."""

    def __init__(self, network, on_train, on_test, recipe, seeds, first, keep, records):
        self.network, self.recipe, self.seeds = network, recipe, seeds
        self.on_train, self.on_test = on_train, on_test
        self.x, self.going = first.clone(), list(range(len(seeds)))
        self.keep, self.kept = keep, {0: first.clone()} if 0 in keep else {}
        self.rows: list[pd.DataFrame] = []
        self.where = first.device
        self.orders = [torch.Generator(self.where).manual_seed(seed) for seed in seeds]
        self.stepper = Stepper(on_train, recipe, self.x, seeds)
        largest = max([recipe.batch_size, *(size for _, size in recipe.growth)])
        self.epochs = recipe.epochs or math.ceil(recipe.steps / (len(on_train.labels) // largest))
        if isinstance(records, int):
            records = range(0, self.epochs + 1, max(1, math.ceil(self.epochs / records))) if records else ()
        self.noted = records  # epochs to record; empty: no history at all
        self.hint = torch.ones(len(seeds), device=self.where)  # training loss over mean batch loss, when last looked at

    def go(self, progress: bool) -> None:
        if self.noted:
            self.record(0)
        bar = tqdm(range(1, self.epochs + 1), disable=None if progress else True, leave=False, unit="epoch")
        random = any(isinstance(layer, nn.Dropout) for layer in self.network)
        with torch.random.fork_rng(devices=[self.where] if self.where.type == "cuda" else [], enabled=random):
            if random:  # dropout layers draw from torch's own generator
                torch.manual_seed(self.seeds[0])
            for epoch in bar:
                mean = self.epoch(epoch)
                self.x[self.going] = self.stepper.points.detach()
                self.complain(mean, epoch)
                last = epoch == self.epochs or self.stepper.done == self.recipe.steps
                if self.noted and (last or epoch in self.keep or epoch in self.noted):
                    self.hint[self.going] = self.record(epoch) / mean
                if epoch in self.keep:
                    self.kept[epoch] = self.x.clone()
                if self.recipe.stop_loss is not None and not last:
                    self.stop(mean, epoch)
                if last or not self.going:
                    break
        for epoch in self.keep - set(self.kept):  # every seed had stopped before
            self.kept[epoch] = self.x.clone()

    def epoch(self, epoch: int) -> Tensor:
        """One pass over the data, or what is left of ``steps``; the mean batch loss (S,)."""
        r, total = self.recipe, len(self.on_train.labels)
        size = remedies.batch_size_at(epoch - 1, r.batch_size, r.growth)
        order = torch.stack([torch.randperm(total, generator=self.orders[s], device=self.where) for s in self.going])
        losses, count = torch.zeros(len(self.going), device=self.where), 0
        for part in chunks(total, size):
            if r.steps is not None and self.stepper.done >= r.steps:
                break
            losses += self.stepper.step(order[:, part])
            count += 1
        return losses / max(count, 1)

    def record(self, epoch: int) -> Tensor:
        """Add a row for every seed that is still going; their training losses."""
        x = self.x[self.going]
        train_loss, train_accuracy = self.on_train.loss_and_accuracy(x)
        test_loss, test_accuracy = self.on_test.loss_and_accuracy(x)
        columns = ([self.seeds[s] for s in self.going], epoch, self.stepper.done, train_loss.tolist(), train_accuracy.tolist(),
                   test_loss.tolist(), test_accuracy.tolist())
        self.rows.append(pd.DataFrame(dict(zip(HISTORY, columns))))
        return train_loss.to(self.hint)

    def stop(self, mean: Tensor, epoch: int) -> None:
        """Let go of the seeds whose training loss has reached ``stop_loss``; looks only when the batches hint at it.

        Small, ghost or augmented batches have a higher loss than the whole training set, so what counts is their loss
        times the proportion of the two that was last seen.
        """
        if self.noted and float((mean * self.hint[self.going]).min()) > 2 * self.recipe.stop_loss:
            return
        loss = self.on_train(self.x[self.going])
        self.hint[self.going] = loss.to(self.hint) / mean
        stays = (loss > self.recipe.stop_loss).tolist()
        if all(stays):
            return
        if self.noted and self.rows[-1]["epoch"].iloc[0] != epoch:
            self.record(epoch)
        self.going = [s for s, stay in zip(self.going, stays) if stay]
        self.stepper.keep(torch.tensor(stays, device=self.where))

    def complain(self, mean: Tensor, epoch: int) -> None:
        bad = ~torch.isfinite(mean)
        if bad.any():
            seed = self.seeds[self.going[int(bad.nonzero()[0])]]
            raise TrainingDiverged(f"The loss of seed {seed} is no longer a number in epoch {epoch} of {self.epochs}, with "
                                   f"{self.recipe}. A smaller learning_rate, or some warmup_steps, may help.")

    def table(self) -> pd.DataFrame:
        if not self.rows:
            return pd.DataFrame(columns=HISTORY)
        return pd.concat(self.rows, ignore_index=True).sort_values(["seed", "epoch"], ignore_index=True)
