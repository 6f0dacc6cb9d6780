"""The loop of a training: epochs, records, checkpoints, seeds that stop, and a state that can be saved."""

from __future__ import annotations

import math
import time
from collections.abc import Collection

import torch
from torch import Tensor
from tqdm.auto import tqdm

from labsupport import remedies
from labsupport.errors import TrainingDiverged
from labsupport.recipe import Recipe
from labsupport.training import resume
from labsupport.training.runs import History
from labsupport.training.step import Stepper
from labsupport.training.stopping import Stopping


class Loop:
    """A training under way: S seeds, of which ``going`` (numbers of rows of x) have not stopped.

    ``history`` receives a row a seed at the epochs ``noted``, ``kept`` the points at the epochs ``keep``.
    """

    def __init__(
        self,
        history: History,
        recipe: Recipe,
        seeds: tuple[int, ...],
        x0: Tensor,
        keep: set[int],
        noted: Collection[int],
    ):
        self.history, self.recipe, self.seeds = history, recipe, seeds
        self.keep, self.noted = keep, noted
        self.x, self.epoch, self.going = x0.clone(), 0, list(range(len(seeds)))
        self.kept: dict[int, Tensor] = {0: x0.clone()} if 0 in keep else {}
        self.stepper = Stepper(history.on_train, recipe, x0, seeds)
        self.stopping = Stopping(recipe, len(seeds), x0.device)
        self.epochs = epochs_of(recipe, len(history.on_train.labels))

    def run(self, progress: bool, saved: resume.Saved | None = None) -> None:
        """All epochs that are left; with ``saved``, from where it stands, and saved again now and then."""
        if saved is not None and (found := saved.read()) is not None:
            self.restore(*found)
        elif self.noted:
            self.record()
        written = time.monotonic()
        bar = tqdm(
            range(self.epoch + 1, self.epochs + 1),
            disable=None if progress else True,
            leave=False,
            unit="epoch",
        )
        for _ in bar:
            if not self.going or self.stepper.done == self.recipe.steps:
                break
            self.one_epoch()
            if saved is not None and time.monotonic() - written >= resume.EVERY:
                saved.write(*self.state())
                written = time.monotonic()
        for epoch in self.keep - set(self.kept):  # every seed had stopped before
            self.kept[epoch] = self.x.clone()
        if saved is not None:
            saved.remove()

    def one_epoch(self) -> None:
        """Train, look at the losses, record and keep what is asked for, and let go of the seeds that stop."""
        r = self.recipe
        mean = self.stepper.epoch(remedies.batch_size_at(self.epoch, r.batch_size, r.growth))
        self.epoch += 1
        self.x[self.going] = self.stepper.points
        self.complain(mean)
        last = self.epoch == self.epochs or self.stepper.done == r.steps
        stops = torch.zeros_like(mean, dtype=torch.bool) if last else self.stops(mean)
        if self.noted and (
            last or stops.any() or self.epoch in self.keep or self.epoch in self.noted
        ):
            self.record()
        if self.epoch in self.keep:
            self.kept[self.epoch] = self.x.clone()
        if stops.any():
            self.going = [s for s, stop in zip(self.going, stops.tolist()) if not stop]
            if self.going:
                self.stepper.keep(~stops)
                self.stopping.keep(~stops)

    def stops(self, mean: Tensor) -> Tensor:
        """Which of the seeds that are going stop here, by the mean loss of their batches (S,)."""
        flat, due = self.stopping.flat(mean), self.stopping.due(mean, self.epoch)
        if not due.any():
            return flat
        # all are measured though some are asked: a loss must not depend on who is measured with it
        return flat | self.stopping.reached(
            due, self.history.on_train(self.x[self.going])[due], mean
        )

    def record(self) -> None:
        """A row of the history for each seed that is going."""
        seeds = [self.seeds[s] for s in self.going]
        self.history.add(seeds, self.epoch, self.stepper.done, self.x[self.going])

    def complain(self, mean: Tensor) -> None:
        """Raise `TrainingDiverged` where a loss is no number."""
        bad = ~torch.isfinite(mean)
        if bad.any():
            seed = self.seeds[self.going[int(bad.nonzero()[0])]]
            raise TrainingDiverged(
                f"The loss of seed {seed} is no longer a number in epoch {self.epoch} of {self.epochs}, "
                f"with {self.recipe}. A smaller learning_rate, or some warmup_steps, may help."
            )

    # -- on disk ----------------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, Tensor], dict]:
        """All that the next epoch depends on: tensors by name, and what JSON can hold."""
        tensors = {"x": self.x}
        tensors |= {f"optimizer.{name}": value for name, value in self.stepper.state.items()}
        tensors |= {f"stopping.{name}": value for name, value in self.stopping.state.items()}
        tensors |= {f"kept.{epoch}": x for epoch, x in self.kept.items()}
        for kind, generators in self.stepper.generators.items():
            tensors[f"generator.{kind}"] = torch.stack([one.get_state() for one in generators])
        rest = {
            "epoch": self.epoch,
            "steps": self.stepper.done,
            "going": self.going,
            "history": self.history.columns,
        }
        return tensors, rest

    def restore(self, tensors: dict[str, Tensor], rest: dict) -> None:
        """Go on from a state."""

        def named(kind: str) -> dict[str, Tensor]:
            return {
                name.removeprefix(kind): value
                for name, value in tensors.items()
                if name.startswith(kind)
            }

        self.epoch, self.going, self.history.columns = rest["epoch"], rest["going"], rest["history"]
        self.x.copy_(tensors["x"])
        self.kept = {int(epoch): x.to(self.x.device) for epoch, x in named("kept.").items()}
        seeds = [self.seeds[s] for s in self.going]
        self.stepper = Stepper(self.history.on_train, self.recipe, self.x[self.going], seeds)
        self.stepper.done, self.stepper.state = rest["steps"], named("optimizer.")
        self.stopping.state = named("stopping.")
        for kind, states in named("generator.").items():
            for generator, state in zip(self.stepper.generators[kind], states):
                generator.set_state(state.clone())


def epochs_of(recipe: Recipe, total: int) -> int:
    """The largest number of epochs that the recipe can come to on so many samples."""
    return recipe.epochs or math.ceil((recipe.steps or 0) / (total // recipe.largest_batch))
