"""One training step of S models: a batch, the gradients, and the points moved in place.

What makes it fast is decided here, by rules that `make bench` measures: how many models share a
pass, whether a GPU replays a recorded step, and how many batches are gathered at once. Points and
gradients lie in two tensors for the whole training, so that whoever needs a view of them makes it
once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from labsupport import remedies
from labsupport.engine import written_out
from labsupport.engine.functional import Functional
from labsupport.objective import Objective, chunks, summed_loss, together
from labsupport.training import optimizers, precision
from labsupport.training.replay import Recorded
from labsupport.training.storage import Storage

#: On a GPU, a step of at most so many rows (models times batch) is recorded once and replayed: below, launching its
#: hundred kernels takes longer than their arithmetic.
CAPTURE_ROWS = 16_384
#: Batches are gathered together up to so many numbers: one call for many steps, in a buffer that fits the cache.
GATHERED = 2_000_000
#: What the loss is multiplied by in fp16, so that small gradients are not rounded to zero.
FP16_SCALE = 1024.0
#: Added to a seed for its dropout: the weights' first draw must not choose the units too.
DROPOUT_STREAM = 1 << 40


class Stepper:
    """The points (S, n) of S seeds, their optimizer, their generators, and `epoch`, which moves them.

    ``objective`` brings the network and the training data. Each seed has a generator for the order
    of its samples, one for its augmentation and one for its dropout.
    """

    def __init__(self, objective: Objective, recipe, x: Tensor, seeds: Sequence[int]):
        self.data, self.recipe = objective, recipe
        self.precision = precision.chosen(recipe.precision, objective.network, objective.device)
        self.drops = any(
            isinstance(layer, nn.modules.dropout._DropoutNd)
            for layer in objective.network.modules()
        )
        self.generators = {
            "order": _generators(seeds, objective),
            "augment": _generators(seeds, objective),
            "dropout": _generators([seed + DROPOUT_STREAM for seed in seeds], objective),
        }
        remedied = recipe.ghost_batch or recipe.sam_rho or recipe.proximal  # those want rows (S, n)
        self.written_out = bool(objective.blocks) and objective.device.type == "cpu"
        self.by_layers = self.written_out and not remedied
        self.done = 0  # steps so far
        self._place(x)
        self.optimizer = optimizers.make(recipe, self.flat)

    def _place(self, x: Tensor) -> None:
        """Lay x (S, n), and room for its gradient, into flat tensors of which the passes have views."""
        self.storage = Storage(self.data.layout, len(x), by_layers=self.by_layers)
        self.flat = self.storage.flat(x)
        self.flat_gradient = torch.zeros_like(self.flat)
        self.at, self.slope = self.storage.views(self.flat), self.storage.views(self.flat_gradient)
        self.rows, self.gradient = (
            self.storage.rows(self.flat),
            self.storage.rows(self.flat_gradient),
        )
        self.passes: dict[tuple[int, int], written_out.Pass] = {}  # by first model and batch size
        self.groups: dict[int, list[slice]] = {}  # models that share a pass, by batch size
        self.recorded: dict[int, Recorded] = {}  # by batch size

    @property
    def points(self) -> Tensor:
        """Where the models are now, (S, n)."""
        return self.storage.rows(self.flat)

    @property
    def state(self) -> dict[str, Tensor]:
        """What the optimizer remembers, (S, n) each, and its count."""
        return {k: self.storage.rows(v) if v.dim() else v for k, v in self.optimizer.state.items()}

    @state.setter
    def state(self, given: dict[str, Tensor]) -> None:
        self.optimizer.state = {k: self.storage.flat(v) if v.dim() else v for k, v in given.items()}

    def epoch(self, batch_size: int) -> Tensor:
        """One pass over the data, or what is left of the recipe's ``steps``; the mean loss of its batches, (S,)."""
        total, where = len(self.data.labels), self.data.device
        order = torch.stack(
            [torch.randperm(total, generator=one, device=where) for one in self.generators["order"]]
        )
        parts = chunks(total, batch_size)
        if self.recipe.steps is not None:
            parts = parts[: self.recipe.steps - self.done]
        losses = [self.step(*batch) for batch in self._batches(order, parts)]
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
        if self._replays(chosen):
            losses = self._replayed(chosen)
            self.optimizer.step(self.flat, self.flat_gradient, rate)
            return losses
        if inputs is None or labels is None:
            inputs, labels = self._gathered(chosen)
        if r.augment:
            inputs = self._augmented(inputs)
        find = self._composed()
        losses = find(inputs, labels)
        self.optimizer.step(self.flat, self.flat_gradient, rate)
        for _ in range(r.inner_steps - 1):
            find(inputs, labels)
            self.optimizer.step(self.flat, self.flat_gradient, rate)
        return losses

    def keep(self, stays: Tensor) -> None:
        """Go on with the models marked True in ``stays`` (S,) only; their optimizer and generators go with them."""
        state, kept = self.state, stays.tolist()
        self._place(self.points[stays])
        self.optimizer = optimizers.make(self.recipe, self.flat)
        self.state = {k: v[stays] if v.dim() else v for k, v in state.items()}
        for name, generators in self.generators.items():
            self.generators[name] = [one for one, stay in zip(generators, kept) if stay]

    # -- gradients --------------------------------------------------------------------------------------------

    def own_gradient(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy (S,) at the own points; its gradient is written where the optimizer reads it."""
        found = []
        for some in self._groups(labels.shape[1]):
            if not self.written_out:
                found.append(
                    self._by_autograd(self.rows, self.gradient, inputs[some], labels[some], some)
                )
                continue
            key = (some.start, labels.shape[1])
            if key not in self.passes:
                self.passes[key] = self._pass(self.at, self.slope, some, labels)
            whole = some.stop - some.start == len(labels)
            found.append(
                self.passes[key](inputs, labels)
                if whole
                else self.passes[key](inputs[some], labels[some])
            )
        return found[0] if len(found) == 1 else torch.cat(found)

    def plain_gradient(
        self, points: Tensor, inputs: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (S,) and its gradient (S, n) at any points (S, n)."""
        gradient, found = torch.zeros_like(points), []
        at, slope = self.data.layout.split(points), self.data.layout.split(gradient)
        for some in self._groups(labels.shape[1]):
            if self.written_out:
                found.append(self._pass(at, slope, some, labels)(inputs[some], labels[some]))
            else:
                found.append(self._by_autograd(points, gradient, inputs[some], labels[some], some))
        return torch.cat(found), gradient

    def _groups(self, batch: int) -> list[slice]:
        """The models that are computed together, as many as is fastest."""
        if batch not in self.groups:
            models = self.storage.models
            size = (
                1
                if self.drops
                else together(self.data.network, self.data.n, self.data.device, models, batch)
            )
            self.groups[batch] = [
                slice(first, min(first + size, models)) for first in range(0, models, size)
            ]
        return self.groups[batch]

    def _pass(self, at, slope, some: slice, labels: Tensor) -> written_out.Pass:
        """A pass of some of the models, whose parameters and gradients are those rows of ``at`` and ``slope``."""
        own, to = ({name: view[some] for name, view in views.items()} for views in (at, slope))
        return written_out.Pass(self.data.blocks, own, to, labels.shape[1])

    def _by_autograd(self, points, gradient, inputs, labels, some: slice) -> Tensor:
        leaf, low = points[some].detach().requires_grad_(), self.precision != torch.float32
        scale = FP16_SCALE if self.precision == torch.float16 else 1.0
        # a generator a model for the functional engine, yes or no for the others
        dropout: Any = False
        generator = None
        if self.drops and isinstance(self.data.engine, Functional):
            dropout = self.generators["dropout"][some]
        elif self.drops:
            dropout, generator = True, self.generators["dropout"][some.start]
        with torch.enable_grad(), drawing_from(generator):
            with torch.autocast(leaf.device.type, self.precision, enabled=low, cache_enabled=False):
                logits = self.data.engine.logits(leaf, inputs, shared=False, dropout=dropout)
            losses = summed_loss(logits.float(), labels) / labels.shape[1]
            found = torch.autograd.grad(scale * losses.sum(), leaf)[0]
        if scale != 1.0:  # an overflow skips one step, as a gradient scaler does
            finite = torch.isfinite(found).all(1, keepdim=True)
            found = torch.where(finite, found / scale, 0.0)
        gradient[some].copy_(found)
        return losses.detach()

    def _composed(self) -> Callable[[Tensor, Tensor], Tensor]:
        """A function of a batch: the mean losses (S,), and the recipe's gradient where the optimizer reads it."""
        gradient: remedies.Gradient = self.plain_gradient
        r = self.recipe
        if not (r.ghost_batch or r.sam_rho or r.proximal):
            return self.own_gradient
        if r.ghost_batch:
            gradient = remedies.ghost(gradient, r.ghost_batch)
        if r.sam_rho:
            gradient = remedies.sharpness_aware(gradient, r.sam_rho, adaptive=r.sam_adaptive)
        if r.proximal:
            gradient = remedies.proximal(gradient, r.proximal, self.rows.clone())

        def find(inputs: Tensor, labels: Tensor) -> Tensor:
            losses, found = gradient(self.rows, inputs, labels)
            self.gradient.copy_(found)
            return losses

        return find

    # -- batches ----------------------------------------------------------------------------------------------

    def _batches(self, order: Tensor, parts: list[slice]) -> Iterator[tuple[Tensor, ...]]:
        """(samples (S, B), inputs, labels) of each part of ``order`` (S, N); many are gathered in one call."""
        size = parts[0].stop - parts[0].start
        full = [part for part in parts if part.stop - part.start == size]
        if self._replays(order[:, parts[0]]):
            full = []
        at_once = max(1, GATHERED // (len(order) * size * self.data.inputs[0].numel()))
        for first in range(0, len(full), at_once):
            some = full[first : first + at_once]
            chosen = order[:, some[0].start : some[-1].stop]
            chosen = chosen.unflatten(1, (len(some), size)).transpose(0, 1)  # (steps, S, B)
            yield from zip(chosen, *self._gathered(chosen))
        yield from ((order[:, part],) for part in parts[len(full) :])

    def _gathered(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of samples ``chosen``, of any shape; whole rows are copied, which is
        faster than indexing.
        """
        rows = chosen.flatten()
        return tuple(
            t.index_select(0, rows).unflatten(0, chosen.shape)
            for t in (self.data.inputs, self.data.labels)
        )

    def _augmented(self, inputs: Tensor) -> Tensor:
        change = remedies.AUGMENTATIONS[self.recipe.augment]
        return torch.stack(
            [change(rows, noise) for rows, noise in zip(inputs, self.generators["augment"])]
        )

    # -- recorded steps on a GPU ----------------------------------------------------------------------------

    def _replays(self, chosen: Tensor) -> bool:
        """Small full batches on a GPU; not where random numbers or an anchor change from step to step."""
        r = self.recipe
        return (
            self.data.device.type == "cuda"
            and chosen.numel() <= CAPTURE_ROWS
            and chosen.shape[1] == r.batch_size
            and not r.augment
            and not r.proximal
            and r.inner_steps == 1
            and not self.drops
        )

    def _replayed(self, chosen: Tensor) -> Tensor:
        size = chosen.shape[1]
        if size not in self.recorded:
            self.recorded[size] = Recorded(self._losses_of, chosen)
        return self.recorded[size](chosen)

    def _losses_of(self, chosen: Tensor) -> Tensor:
        """The losses of a batch, its gradient where the optimizer reads it."""
        return self._composed()(*self._gathered(chosen))


def _generators(seeds: Sequence[int], objective: Objective) -> list[torch.Generator]:
    return [torch.Generator(objective.device).manual_seed(seed % 2**63) for seed in seeds]


@contextmanager
def drawing_from(generator: torch.Generator | None):
    """In the block torch's own generator continues ``generator``: dropout draws from no other.
    None: nothing happens.
    """
    if generator is None:
        yield
        return
    cuda = generator.device.type == "cuda"
    with torch.random.fork_rng(devices=[generator.device] if cuda else []):
        put = torch.cuda.set_rng_state if cuda else torch.set_rng_state
        get = torch.cuda.get_rng_state if cuda else torch.get_rng_state
        put(generator.get_state())
        yield
        generator.set_state(get())
