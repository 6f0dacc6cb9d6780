"""One training step of S models: a batch, the gradients, and the points moved in place.

`Batches` brings the samples, `Gradients` knows the points and how they are differentiated, an
optimizer of `optimizers` moves them; on a GPU a small step is recorded and replayed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labsupport import remedies
from labsupport.objective import Objective, chunks
from labsupport.recipe import Recipe
from labsupport.training import optimizers
from labsupport.training.batches import Batches
from labsupport.training.gradients import Gradients
from labsupport.training.replay import Recorded

#: On a GPU, a step of at most so many rows (models times batch) is recorded once and replayed: below, launching its
#: hundred kernels takes longer than their arithmetic.
CAPTURE_ROWS = 16_384
#: Added to a seed for its dropout: the weights' first draw must not choose the units too.
DROPOUT_STREAM = 1 << 40


class Stepper:
    """The points (S, n) of S seeds, their optimizer, their generators, and `epoch`, which moves them.

    ``objective`` brings the network and the training data. Each seed has a generator for the order
    of its samples, one for its augmentation and one for its dropout. ``done`` counts the steps.
    """

    def __init__(self, objective: Objective, recipe: Recipe, x: Tensor, seeds: Sequence[int]):
        self.objective, self.recipe, self.done = objective, recipe, 0
        self.generators = {
            "order": _generators(seeds, objective),
            "augment": _generators(seeds, objective),
            "dropout": _generators([seed + DROPOUT_STREAM for seed in seeds], objective),
        }
        self._place(x)

    def _place(self, x: Tensor) -> None:
        """Begin at x (S, n), with an optimizer that remembers nothing."""
        own, r = self.generators, self.recipe
        self.batches = Batches(self.objective, r.augment, own["order"], own["augment"])
        drops = _drops(self.objective.network)
        self.gradients = Gradients(self.objective, r, x, own["dropout"] if drops else ())
        self.optimizer = optimizers.make(r, self.gradients.points.flat)
        self.recorded: dict[int, Recorded] = {}  # by batch size

    @property
    def points(self) -> Tensor:
        """Where the models are now, (S, n)."""
        return self.gradients.points.rows

    @property
    def state(self) -> dict[str, Tensor]:
        """What the optimizer remembers, (S, n) each, and its count."""
        rows = self.gradients.points.storage.rows
        return {name: rows(v) if v.dim() else v for name, v in self.optimizer.state.items()}

    @state.setter
    def state(self, given: dict[str, Tensor]) -> None:
        flat = self.gradients.points.storage.flat
        self.optimizer.state = {name: flat(v) if v.dim() else v for name, v in given.items()}

    def epoch(self, batch_size: int) -> Tensor:
        """One pass over the data, or what is left of the recipe's ``steps``; the mean loss of its batches, (S,)."""
        order = self.batches.shuffled()
        parts = chunks(order.shape[1], batch_size)
        if self.recipe.steps is not None:
            parts = parts[: self.recipe.steps - self.done]
        if self.is_replayed(order[:, parts[0]]):  # a recorded step gathers its own
            losses = [self.step(order[:, part]) for part in parts]
        else:
            losses = [self.step(*batch) for batch in self.batches.cut(order, parts)]
        return torch.stack(losses).mean(0)

    @torch.no_grad()
    def step(
        self, chosen: Tensor, inputs: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor:
        """Move every point by one batch, samples ``chosen`` (S, B); the mean losses before the step, (S,).

        ``inputs`` (S, B, ...) and ``labels`` (S, B) are those samples, where they have been gathered.
        """
        r = self.recipe
        rate = remedies.warmed_up(r.learning_rate, self.done, r.warmup_steps)
        self.done += 1
        if self.is_replayed(chosen):
            losses = self._replayed(chosen)
            self._move(rate)
            return losses
        if inputs is None or labels is None:
            inputs, labels = self.batches.gathered(chosen)
        inputs = self.batches.augmented(inputs)
        find = self.gradients.of_recipe()
        losses = find(inputs, labels)
        self._move(rate)
        for _ in range(r.inner_steps - 1):
            find(inputs, labels)
            self._move(rate)
        return losses

    def _move(self, rate: float) -> None:
        points = self.gradients.points
        self.optimizer.step(points.flat, points.flat_gradient, rate)

    def keep(self, stays: Tensor) -> None:
        """Go on with the models marked True in ``stays`` (S,) only; their optimizer and generators go with them."""
        points, state, kept = self.points[stays], self.state, stays.tolist()
        for name, generators in self.generators.items():
            self.generators[name] = [one for one, stay in zip(generators, kept) if stay]
        self._place(points)
        self.state = {name: v[stays] if v.dim() else v for name, v in state.items()}

    # -- recorded steps on a GPU ----------------------------------------------------------------------------

    def is_replayed(self, chosen: Tensor) -> bool:
        """Small full batches on a GPU; not where random numbers or an anchor change from step to step."""
        r = self.recipe
        return (
            self.objective.device.type == "cuda"
            and chosen.numel() <= CAPTURE_ROWS
            and chosen.shape[1] == r.batch_size
            and not r.augment
            and not r.proximal
            and r.inner_steps == 1
            and not self.gradients.dropout
        )

    def _replayed(self, chosen: Tensor) -> Tensor:
        size = chosen.shape[1]
        if size not in self.recorded:
            self.recorded[size] = Recorded(self._losses_of, chosen)
        return self.recorded[size](chosen)

    def _losses_of(self, chosen: Tensor) -> Tensor:
        """The losses of a batch, its gradient where the optimizer reads it."""
        return self.gradients.of_recipe()(*self.batches.gathered(chosen))


def _generators(seeds: Sequence[int], objective: Objective) -> list[torch.Generator]:
    return [torch.Generator(objective.device).manual_seed(seed % 2**63) for seed in seeds]


def _drops(network: nn.Module) -> bool:
    """Whether any layer of the network is a dropout."""
    return any(isinstance(layer, nn.modules.dropout._DropoutNd) for layer in network.modules())
