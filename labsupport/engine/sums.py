"""What a loss is made of: sums over the samples, chunk after chunk, for each of S models.

`objective.Objective` is their mean, with its arguments checked and its results in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from labsupport.engine import moments, second_derivative, threads
from labsupport.engine.batches import chunks, summed_loss
from labsupport.engine.choose import Engine, group
from labsupport.engine.functional import Statistics
from labsupport.engine.written_out import WrittenOut


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over all samples at points x (S, n), on the device and in the number format of x.

    ``inputs`` (N, ...) and ``labels`` (N, ...) are cut into chunks of ``chunk``; ``loss`` takes the
    place of cross-entropy; ``frozen`` holds batch norm's statistics, where they are held fixed.
    """

    network: nn.Module
    engine: Engine
    inputs: Tensor
    labels: Tensor
    chunk: int
    loss: Callable[[Tensor, Tensor], Tensor] | None = None
    frozen: moments.Table | None = None

    @property
    def parts(self) -> list[slice]:
        """The samples that share batch-norm statistics."""
        return chunks(len(self.labels), self.chunk)

    # -- over all samples -----------------------------------------------------------------------------------

    def losses(self, points: Tensor, *, classify: bool) -> tuple[Tensor, Tensor]:
        """The loss and, to ``classify``, how many samples are right, else nan; float64 (S,) each."""
        loss = torch.zeros(len(points), dtype=torch.float64, device=points.device)
        right = torch.zeros_like(loss) if classify else torch.full_like(loss, torch.nan)

        @torch.no_grad()
        def look(rows: slice) -> None:
            for part in self.parts:
                logits = self._logits(points[rows], part, rows)
                loss[rows] += self._losses(logits, self.labels[part]).double()
                if classify:
                    # as argmax, many times faster
                    right[rows] += (logits.max(1).indices == self.labels[part]).sum(1)

        self._for_all(points, look)
        return loss, right

    def gradients(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, float64 (S,), and its gradient (S, n) in the format of x."""
        loss = torch.zeros(len(points), dtype=torch.float64, device=points.device)
        gradient = torch.zeros_like(points)

        def differentiate(rows: slice) -> None:
            for part in self.parts:
                sums, slopes = self._one_pass(points[rows], part, rows)
                loss[rows] += sums.double()
                gradient[rows] += slopes

        self._for_all(points, differentiate)
        return loss, gradient

    def hessian(self, points: Tensor, s: int, keep: bool) -> second_derivative.Hessian:
        """v (n,) -> the Hessian at row s times v, (n,)."""

        def loss(part: slice) -> Callable[[Tensor], Tensor]:
            return lambda leaf: self._losses(
                self._logits(leaf, part, slice(s, s + 1)), self.labels[part]
            ).sum()

        return second_derivative.Hessian(map(loss, self.parts), points[s : s + 1], keep)

    def logits(self, points: Tensor) -> Tensor:
        """The outputs of all samples, (S, ..., N)."""
        rows = [slice(s, s + 1) for s in range(len(points))]
        found = [
            torch.cat([self._logits(points[row], part, row) for part in self.parts], -1)
            for row in rows
        ]
        return torch.cat(found)

    def observed(self, point: Tensor) -> Iterator[tuple[float, dict[str, Statistics]]]:
        """Batch norm's statistics at one point (1, n), chunk after chunk, each with its share of the samples."""
        for part in self.parts:
            found: dict[str, Statistics] = {}
            self.engine.logits(point, self.inputs[part], observe=found)
            yield (part.stop - part.start) / len(self.labels), found

    # -- over one chunk -------------------------------------------------------------------------------------

    def _for_all(self, points: Tensor, function: Callable[[slice], None]) -> None:
        """``function`` of the rows of every group of models that share a pass, groups side by side where that pays."""
        (models, n), where = points.shape, points.device
        batch = min(self.chunk, len(self.labels))
        size = group(self.engine, self.network, where, models, batch)
        groups = [slice(start, min(start + size, models)) for start in range(0, models, size)]
        with threads.measuring(n, where, points.dtype) as lanes:
            threads.side_by_side(function, groups, lanes if where.type == "cpu" else 1)

    def _one_pass(self, points: Tensor, part: slice, rows: slice) -> tuple[Tensor, Tensor]:
        """Loss and gradient, summed over the samples of ``part``."""
        if isinstance(self.engine, WrittenOut) and self.frozen is None and self.loss is None:
            return self.engine.value_and_gradient(points, self.inputs[part], self.labels[part])
        leaf = points.detach().requires_grad_()
        with torch.enable_grad():
            sums = self._losses(self._logits(leaf, part, rows), self.labels[part])
            return sums.detach(), torch.autograd.grad(sums.sum(), leaf)[0]

    def _logits(self, points: Tensor, part: slice, rows: slice) -> Tensor:
        """Outputs (S, ..., B) of the models in ``rows``."""
        frozen = moments.of_rows(self.frozen, rows)
        return self.engine.logits(points, self.inputs[part], frozen=frozen)

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss summed over the samples, (S, ..., B) and (B, ...) -> (S,)."""
        if self.loss is None:
            return summed_loss(logits, labels)
        return torch.stack([self.loss(one.movedim(-1, 0), labels) for one in logits]) * len(labels)
