"""The batches of S seeds: each seed draws an order of its own and, if asked, new versions of its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from labsupport import remedies
from labsupport.objective import Objective

#: Batches are gathered together up to so many numbers: one call for many steps, in a buffer that fits the cache.
GATHERED = 2_000_000


class Batches:
    """The training samples as the seeds meet them.

    ``order`` and ``changes`` hold a generator a seed: for the order of its samples, and for the
    ``augmentation``, one of `remedies.AUGMENTATIONS` or None.
    """

    def __init__(
        self,
        objective: Objective,
        augmentation: str | None,
        order: Sequence[torch.Generator],
        changes: Sequence[torch.Generator],
    ):
        self.inputs, self.labels = objective.inputs, objective.labels
        self.augmentation, self.order, self.changes = augmentation, order, changes

    def shuffled(self) -> Tensor:
        """A new order of all samples for each seed, (S, N)."""
        total, where = len(self.labels), self.inputs.device
        return torch.stack(
            [torch.randperm(total, generator=one, device=where) for one in self.order]
        )

    def cut(self, order: Tensor, parts: list[slice]) -> Iterator[tuple[Tensor, ...]]:
        """(samples (S, B), inputs, labels) of each part of ``order`` (S, N); many are gathered in one call.

        A last, smaller batch comes as (samples,) alone.
        """
        size = parts[0].stop - parts[0].start
        full = [part for part in parts if part.stop - part.start == size]
        at_once = max(1, GATHERED // (len(order) * size * self.inputs[0].numel()))
        for first in range(0, len(full), at_once):
            some = full[first : first + at_once]
            chosen = order[:, some[0].start : some[-1].stop]
            chosen = chosen.unflatten(1, (len(some), size)).transpose(0, 1)  # (steps, S, B)
            yield from zip(chosen, *self.gathered(chosen))
        yield from ((order[:, part],) for part in parts[len(full) :])

    def gathered(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and labels of samples ``chosen``, of any shape; whole rows are copied, which is
        faster than indexing.
        """
        rows = chosen.flatten()
        return (
            self.inputs.index_select(0, rows).unflatten(0, chosen.shape),
            self.labels.index_select(0, rows).unflatten(0, chosen.shape),
        )

    def augmented(self, inputs: Tensor) -> Tensor:
        """New versions of ``inputs`` (S, B, ...), each seed's by its own generator; themselves where none is asked."""
        if not self.augmentation:
            return inputs
        change = remedies.AUGMENTATIONS[self.augmentation]
        return torch.stack([change(rows, noise) for rows, noise in zip(inputs, self.changes)])
