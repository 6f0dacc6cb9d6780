"""The gradients of S models on a batch each, as a recipe asks for them.

Chains of linear layers have theirs written out, on views that are made once; all others go through
autograd. How many models share a pass is decided by a rule that `make bench` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from labsupport import remedies
from labsupport.engine import choose, written_out
from labsupport.engine.functional import Functional
from labsupport.objective import Objective, summed_loss
from labsupport.recipe import Recipe
from labsupport.training import precision
from labsupport.training.storage import Points, Storage

#: What the loss is multiplied by in fp16, so that small gradients are not rounded to zero.
FP16_SCALE = 1024.0


class Gradients:
    """Losses and gradients of S models, each on samples of its own, at their `Points` or at any others.

    ``dropout`` holds a generator a model; empty where the network does not drop.
    """

    def __init__(
        self,
        objective: Objective,
        recipe: Recipe,
        x: Tensor,
        dropout: Sequence[torch.Generator] = (),
    ):
        self.objective, self.recipe, self.dropout = objective, recipe, dropout
        self.format = precision.chosen(recipe.precision, objective.network, objective.device)
        # remedies want rows (S, n)
        self.written_out = bool(objective.blocks) and objective.device.type == "cpu"
        by_layers = self.written_out and not _remedied(recipe)
        self.points = Points(Storage(objective.layout, len(x), by_layers=by_layers), x)
        self.passes: dict[tuple[int, int], written_out.Pass] = {}  # by first model and batch size
        self.groups: dict[int, list[slice]] = {}  # models that share a pass, by batch size

    def of_recipe(self) -> Callable[[Tensor, Tensor], Tensor]:
        """A function of a batch: the mean losses (S,); it writes the recipe's gradient where the optimizer reads it.

        The proximal term holds on to the points where they are now.
        """
        r = self.recipe
        if not _remedied(r):
            return self.own
        rows, slope = self.points.rows, self.points.gradient
        gradient: remedies.Gradient = self.anywhere
        if r.ghost_batch:
            gradient = remedies.ghost(gradient, r.ghost_batch)
        if r.sam_rho:
            gradient = remedies.sharpness_aware(gradient, r.sam_rho, adaptive=r.sam_adaptive)
        if r.proximal:
            gradient = remedies.proximal(gradient, r.proximal, rows.clone())

        def find(inputs: Tensor, labels: Tensor) -> Tensor:
            losses, found = gradient(rows, inputs, labels)
            slope.copy_(found)
            return losses

        return find

    def own(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy (S,) at the own points; its gradient is written where the optimizer reads it."""
        p, batch, found = self.points, labels.shape[1], []
        for some in self.groups_of(batch):
            if not self.written_out:
                rows = p.rows, p.gradient
                found.append(self._by_autograd(*rows, inputs[some], labels[some], some))
                continue
            key = (some.start, batch)
            if key not in self.passes:
                self.passes[key] = self._pass(p.at, p.slope, some, batch)
            whole = some.stop - some.start == len(labels)
            batch_of_some = (inputs, labels) if whole else (inputs[some], labels[some])
            found.append(self.passes[key](*batch_of_some))
        return found[0] if len(found) == 1 else torch.cat(found)

    def anywhere(self, x: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (S,) and its gradient (S, n) at any x (S, n)."""
        gradient, found, batch = torch.zeros_like(x), [], labels.shape[1]
        at, slope = self.objective.layout.split(x), self.objective.layout.split(gradient)
        for some in self.groups_of(batch):
            if self.written_out:
                found.append(self._pass(at, slope, some, batch)(inputs[some], labels[some]))
            else:
                found.append(self._by_autograd(x, gradient, inputs[some], labels[some], some))
        return torch.cat(found), gradient

    def groups_of(self, batch: int) -> list[slice]:
        """The models that are computed together, as many as is fastest."""
        if batch not in self.groups:
            models, f = self.points.storage.models, self.objective
            low = self.format != torch.float32 and isinstance(f.engine, Functional)
            size = 1  # vmap neither draws nor was held against the loop in another number format
            if not self.dropout and not low:
                size = choose.group(f.engine, f.network, f.device, models, batch)
            self.groups[batch] = [
                slice(first, min(first + size, models)) for first in range(0, models, size)
            ]
        return self.groups[batch]

    def _pass(self, at, slope, some: slice, batch: int) -> written_out.Pass:
        """A pass of some of the models, whose parameters and gradients are those rows of ``at`` and ``slope``."""
        own, to = ({name: view[some] for name, view in views.items()} for views in (at, slope))
        return written_out.Pass(self.objective.blocks, own, to, batch)

    def _by_autograd(self, points, gradient, inputs, labels, some: slice) -> Tensor:
        leaf, low = points[some].detach().requires_grad_(), self.format != torch.float32
        scale = FP16_SCALE if self.format == torch.float16 else 1.0
        engine = self.objective.engine
        # a generator a model for the functional engine, yes or no for the others
        dropout: Any = False
        generator = None
        if self.dropout and isinstance(engine, Functional):
            dropout = self.dropout[some]
        elif self.dropout:
            dropout, generator = True, self.dropout[some.start]
        with torch.enable_grad(), drawing_from(generator):
            with torch.autocast(leaf.device.type, self.format, enabled=low, cache_enabled=False):
                logits = engine.logits(leaf, inputs, shared=False, dropout=dropout)
            losses = summed_loss(logits.float(), labels) / labels.shape[1]
            found = torch.autograd.grad(scale * losses.sum(), leaf)[0]
        if scale != 1.0:  # an overflow skips one step, as a gradient scaler does
            finite = torch.isfinite(found).all(1, keepdim=True)
            found = torch.where(finite, found / scale, 0.0)
        gradient[some].copy_(found)
        return losses.detach()


def _remedied(recipe: Recipe) -> bool:
    """Whether the recipe changes the gradient of the mean loss."""
    return bool(recipe.ghost_batch or recipe.sam_rho or recipe.proximal)


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
