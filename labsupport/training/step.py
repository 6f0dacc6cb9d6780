"""One training step of S models: a batch, the gradients, and the points moved in place.

What makes it fast is decided here, by rules that `make bench` measures: how many models share a pass, whether a GPU
replays a recorded step, and how many batches are gathered at once. Points and gradients lie in two tensors for the whole
training, so that whoever needs a view of them makes it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from labsupport import remedies
from labsupport.engine import written_out
from labsupport.engine.functional import Functional
from labsupport.objective import Objective, chunks, summed_loss, together
from labsupport.training import optimizers, precision
from labsupport.training.replay import Recorded

#: On a GPU, a step of at most so many rows (models times batch) is recorded once and replayed: below, launching its
#: hundred kernels takes longer than their arithmetic.
CAPTURE_ROWS = 16_384
#: Batches are gathered together up to so many numbers: one call for many steps, in a buffer that fits the cache.
GATHERED = 2_000_000
#: Rows of points are padded to whole cache lines. So a model's numbers are the same whoever lies beside it.
LINE = 16
#: What the loss is multiplied by in fp16, so that small gradients are not rounded to zero.
FP16_SCALE = 1024.0
#: Added to a seed for its dropout: the weights' first draw must not choose the units too.
DROPOUT_STREAM = 1 << 40


class Stepper:
    """The points (S, n) of S seeds, their optimizer, their generators, and `epoch`, which moves them.

    ``objective`` brings the network and the training data. Each seed has a generator for the order of its samples, one for
    its augmentation and one for its dropout.
    """

    def __init__(self, objective: Objective, recipe, x: Tensor, seeds: Sequence[int]):
        self.data, self.recipe = objective, recipe
        self.precision = precision.chosen(recipe.precision, objective.network, objective.device)
        self.drops = any(isinstance(layer, nn.modules.dropout._DropoutNd) for layer in objective.network.modules())
        self.generators = {"order": _generators(seeds, objective), "augment": _generators(seeds, objective),
                           "dropout": _generators([seed + DROPOUT_STREAM for seed in seeds], objective)}
        self.done = 0  # steps so far
        self._place(x)
        self.optimizer = optimizers.make(recipe, self.rows)

    def _place(self, x: Tensor) -> None:
        """Lay x (S, n) into padded rows; `points` and `gradient` are views of them without the padding."""
        models, n = x.shape
        self.rows = x.new_zeros(models, -(-n // LINE) * LINE)
        self.gradient_rows = torch.zeros_like(self.rows)
        self.points, self.gradient = self.rows[:, :n], self.gradient_rows[:, :n]
        self.points.copy_(x)
        self.passes: dict[tuple[int, int], written_out.Pass] = {}  # by first model and batch size
        self.recorded: dict[int, Recorded] = {}  # by batch size

    def epoch(self, batch_size: int) -> Tensor:
        """One pass over the data, or what is left of the recipe's ``steps``; the mean loss of its batches, (S,)."""
        total, where = len(self.data.labels), self.data.device
        order = torch.stack([torch.randperm(total, generator=one, device=where) for one in self.generators["order"]])
        parts = chunks(total, batch_size)
        if self.recipe.steps is not None:
            parts = parts[: self.recipe.steps - self.done]
        losses = [self.step(*batch) for batch in self._batches(order, parts)]
        return torch.stack(losses).mean(0)

    @torch.no_grad()
    def step(self, chosen: Tensor, inputs: Tensor | None = None, labels: Tensor | None = None) -> Tensor:
        """Move every point by one batch, samples ``chosen`` (S, B); the mean losses before the step, (S,).

        ``inputs`` (S, B, ...) and ``labels`` (S, B) are those samples, where they have been gathered.
        """
        r = self.recipe
        rate = remedies.warmed_up(r.learning_rate, self.done, r.warmup_steps)
        self.done += 1
        if self._replays(chosen):
            losses = self._replayed(chosen)
            self.optimizer.step(self.rows, self.gradient_rows, rate)
            return losses
        if inputs is None:
            inputs, labels = self._gathered(chosen)
        inputs = self._augmented(inputs)
        gradient = self._composed()
        losses = None
        for _ in range(r.inner_steps):
            now, found = gradient(self.points, inputs, labels)
            if found is not self.gradient:
                self.gradient.copy_(found)
            losses = now if losses is None else losses
            self.optimizer.step(self.rows, self.gradient_rows, rate)
        return losses

    def keep(self, stays: Tensor) -> None:
        """Go on with the models marked True in ``stays`` (S,) only; their optimizer and generators go with them."""
        state, kept = self.optimizer.state, stays.tolist()
        self._place(self.points[stays])
        self.optimizer = optimizers.make(self.recipe, self.rows)
        self.optimizer.state = {k: v[stays] if v.dim() == 2 else v for k, v in state.items()}
        for name, generators in self.generators.items():
            self.generators[name] = [one for one, stay in zip(generators, kept) if stay]

    # -- gradients --------------------------------------------------------------------------------------------

    def plain_gradient(self, points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (S,) and its gradient (S, n), as many models at a time as is fastest.

        At the stepper's own points the gradient is ``self.gradient``, which the next call overwrites.
        """
        own = points is self.points
        gradient = self.gradient if own else torch.empty_like(points)
        size = 1 if self.drops else together(self.data.network, self.data.n, self.data.device, len(points), labels.shape[1])
        losses = []
        for first in range(0, len(points), size):
            some = slice(first, first + size)
            find = self._written_out if self.data.blocks and self.data.device.type == "cpu" else self._by_autograd
            losses.append(find(points, gradient, inputs[some], labels[some], some))
        return losses[0] if len(losses) == 1 else torch.cat(losses), gradient

    def _written_out(self, points, gradient, inputs, labels, some: slice) -> Tensor:
        """Mean losses; the gradient is written to ``gradient[some]``. What is viewed at the own points is kept."""
        batch, key = labels.shape[1], (some.start, labels.shape[1])
        found = self.passes.get(key) if points is self.points else None
        if found is None:
            found = written_out.Pass(self.data.blocks, self.data.layout, points[some], gradient[some], batch)
            if points is self.points:
                self.passes[key] = found
        return found(inputs, labels)

    def _by_autograd(self, points, gradient, inputs, labels, some: slice) -> Tensor:
        leaf, low = points[some].detach().requires_grad_(), self.precision != torch.float32
        scale = FP16_SCALE if self.precision == torch.float16 else 1.0
        dropout, generator = False, None
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

    def _composed(self) -> remedies.Gradient:
        """The gradient with the recipe's remedies around it."""
        gradient, r = self.plain_gradient, self.recipe
        if r.ghost_batch:
            gradient = remedies.ghost(gradient, r.ghost_batch)
        if r.sam_rho:
            gradient = remedies.sharpness_aware(gradient, r.sam_rho, adaptive=r.sam_adaptive)
        if r.proximal:
            gradient = remedies.proximal(gradient, r.proximal, self.points.clone())
        return gradient

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
        """Inputs and labels of samples ``chosen``, of any shape; whole rows are copied, which is faster than indexing."""
        rows = chosen.flatten()
        return tuple(t.index_select(0, rows).unflatten(0, chosen.shape) for t in (self.data.inputs, self.data.labels))

    def _augmented(self, inputs: Tensor) -> Tensor:
        if not self.recipe.augment:
            return inputs
        change = remedies.AUGMENTATIONS[self.recipe.augment]
        return torch.stack([change(rows, noise) for rows, noise in zip(inputs, self.generators["augment"])])

    # -- recorded steps on a GPU ----------------------------------------------------------------------------

    def _replays(self, chosen: Tensor) -> bool:
        """Small full batches on a GPU; not where random numbers or an anchor change from step to step."""
        r = self.recipe
        return (self.data.device.type == "cuda" and chosen.numel() <= CAPTURE_ROWS and chosen.shape[1] == r.batch_size
                and not r.augment and not r.proximal and r.inner_steps == 1 and not self.drops)

    def _replayed(self, chosen: Tensor) -> Tensor:
        size = chosen.shape[1]
        if size not in self.recorded:
            self.recorded[size] = Recorded(self._losses_of, chosen)
        return self.recorded[size](chosen)

    def _losses_of(self, chosen: Tensor) -> Tensor:
        """The losses of a batch, its gradient left in ``self.gradient``."""
        losses, found = self._composed()(self.points, *self._gathered(chosen))
        if found is not self.gradient:
            self.gradient.copy_(found)
        return losses


def _generators(seeds: Sequence[int], objective: Objective) -> list[torch.Generator]:
    return [torch.Generator(objective.device).manual_seed(seed % 2**63) for seed in seeds]


@contextmanager
def drawing_from(generator: torch.Generator | None):
    """In the block torch's own generator continues ``generator``: dropout draws from no other. None: nothing happens."""
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
