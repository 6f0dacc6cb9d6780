"""One training step of S models: gather the batches, form the gradients, move the points.

What makes it fast is decided here, by rules that `make bench` measures: how many models share a pass, whether a GPU
replays a recorded step, and in which precision convolutions are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labsupport import remedies
from labsupport.engine import threads, written_out
from labsupport.engine.stacked import forward
from labsupport.objective import Objective, summed_loss, together

#: On a GPU, a step of at most so many rows (models times batch) is recorded once and replayed: below, launching its
#: hundred kernels takes longer than their arithmetic.
CAPTURE_ROWS = 16_384
#: What the loss is multiplied by in fp16, so that small gradients are not rounded to zero.
FP16_SCALE = 1024.0


class Stepper:
    """The points (S, n), their optimizer, and `step`, which moves them.

    ``objective`` brings the network and the training data, ``recipe`` a `training.Recipe`; each model's ``seeds`` are
    those of its augmentation.
    """

    def __init__(self, objective: Objective, recipe, x: Tensor, seeds: Sequence[int]):
        self.data, self.recipe, self.network, self.where = objective, recipe, objective.network, objective.device
        self.noise = [torch.Generator(self.where).manual_seed(seed) for seed in seeds]
        self.dropout = any(isinstance(layer, nn.Dropout) for layer in self.network)
        convolutions = any(isinstance(layer, nn.Conv2d) for layer in self.network)
        self.precision = threads.training_precision(self.where, convolutions=convolutions)
        self.points = x.clone().requires_grad_()
        self.optimizer = self._optimizer(self.points)
        self.done = 0  # steps so far
        self.recorded: dict[int, _Recorded] = {}  # by batch size
        self.gradient = self._composed()

    def _optimizer(self, points: Tensor) -> torch.optim.Optimizer:
        r = self.recipe
        if r.optimizer == "adam":
            return torch.optim.Adam([points], lr=r.learning_rate, weight_decay=r.weight_decay, fused=True)
        return torch.optim.SGD([points], lr=r.learning_rate, momentum=r.momentum, weight_decay=r.weight_decay, fused=True)

    def _composed(self) -> remedies.Gradient:
        """The gradient with the recipe's pieces around it; the proximal term joins in `step`, which knows its anchor."""
        gradient, r = self.plain_gradient, self.recipe
        if r.ghost_batch:
            gradient = remedies.ghost(gradient, r.ghost_batch)
        if r.sam_rho:
            gradient = remedies.sharpness_aware(gradient, r.sam_rho, adaptive=r.sam_adaptive)
        return gradient

    def step(self, chosen: Tensor) -> Tensor:
        """Move every point by one batch, samples ``chosen`` (S, B); the mean losses before the step, (S,)."""
        r = self.recipe
        self.optimizer.param_groups[0]["lr"] = remedies.warmed_up(r.learning_rate, self.done, r.warmup_steps)
        self.done += 1
        if self._replays(chosen):
            losses, self.points.grad = self._replayed(chosen)
            self.optimizer.step()
            return losses
        inputs, labels = self._batch(chosen)
        gradient = remedies.proximal(self.gradient, r.proximal, self.points.detach().clone()) if r.proximal else self.gradient
        losses = None
        for _ in range(r.inner_steps):
            now, self.points.grad = gradient(self.points.detach(), inputs, labels)
            losses = now if losses is None else losses
            self.optimizer.step()
        return losses

    def keep(self, rows: Tensor) -> None:
        """Go on with the models marked True in ``rows`` (S,) only; their optimizer's state goes with them."""
        old, state = self.points, self.optimizer.state[self.points]
        self.points = old.detach()[rows].clone().requires_grad_()
        self.optimizer = self._optimizer(self.points)
        self.optimizer.state[self.points] = {
            k: v[rows] if isinstance(v, Tensor) and v.shape == old.shape else v for k, v in state.items()}
        self.noise = [noise for noise, stays in zip(self.noise, rows.tolist()) if stays]
        self.recorded = {}

    def plain_gradient(self, points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy (S,) and its gradient (S, n), as many models at a time as is fastest."""
        size = together(self.network, self.data.n, self.where, len(points), labels.shape[1])
        found = [self._one_pass(points[rows], inputs[rows], labels[rows])
                 for rows in (slice(a, a + size) for a in range(0, len(points), size))]
        return found[0] if len(found) == 1 else tuple(torch.cat(parts) for parts in zip(*found))

    def _one_pass(self, points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        if self.data.blocks:
            return written_out.value_and_gradient(self.data.blocks, self.data.layout, points, inputs, labels)
        leaf = points.detach().requires_grad_()
        with torch.autocast(self.where.type, self.precision, enabled=self.precision != torch.float32, cache_enabled=False):
            logits = forward(self.network, self.data.layout, leaf, inputs, shared=False, dropout=self.dropout)
        mean = summed_loss(logits.float(), labels) / labels.shape[1]
        return mean.detach(), self._differentiate(mean, leaf)

    def _differentiate(self, losses: Tensor, leaf: Tensor) -> Tensor:
        if self.precision != torch.float16:
            return torch.autograd.grad(losses.sum(), leaf)[0]
        gradient = torch.autograd.grad(FP16_SCALE * losses.sum(), leaf)[0] / FP16_SCALE
        finite = torch.isfinite(gradient).all(1, keepdim=True)  # an overflow skips one step, as a gradient scaler does
        return torch.where(finite, gradient, 0.0)

    def _batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        rows = chosen.flatten()  # a selection of rows is copied row by row; indices in two dimensions, number by number
        inputs, labels = (t.index_select(0, rows).unflatten(0, chosen.shape) for t in (self.data.inputs, self.data.labels))
        if self.recipe.augment:
            change = remedies.AUGMENTATIONS[self.recipe.augment]
            inputs = torch.stack([change(rows, noise) for rows, noise in zip(inputs, self.noise)])
        return inputs, labels

    # -- recorded steps on a GPU ----------------------------------------------------------------------------

    def _replays(self, chosen: Tensor) -> bool:
        """Small full batches on a GPU; not with augmentation or a proximal term, whose random numbers and anchor change."""
        r = self.recipe
        return (self.where.type == "cuda" and chosen.numel() <= CAPTURE_ROWS and chosen.shape[1] == r.batch_size
                and not r.augment and not r.proximal and r.inner_steps == 1)

    def _replayed(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        size = chosen.shape[1]
        if size not in self.recorded:
            self.recorded[size] = _Recorded(lambda rows: self.gradient(self.points.detach(), *self._batch(rows)), chosen)
        return self.recorded[size](chosen)


class _Recorded:
    """A function of sample numbers (S, B), recorded as a CUDA graph: replaying costs one launch instead of a hundred."""

    def __init__(self, function, chosen: Tensor):
        self.chosen = chosen.clone()  # the graph reads its input here
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # libraries choose their kernels before the recording
            for _ in range(3):
                function(self.chosen)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.result = function(self.chosen)

    def __call__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        self.chosen.copy_(chosen)
        self.graph.replay()
        losses, gradient = self.result
        return losses.clone(), gradient
