"""When a seed stops: by its own losses alone, whoever is trained beside it and whatever is recorded."""

from __future__ import annotations

import torch
from torch import Tensor

#: A seed is looked at after these epochs at the latest: 1, 2, 4, 8, 16, and then every so many.
EVERY = 16
#: And whenever the loss of its batches says that its training loss may be below so many times ``stop_loss``.
MARGIN = 2.0


class Stopping:
    """The rules ``stop_loss`` and ``stop_plateau`` of a recipe, for S seeds.

    The loss of a whole training set costs much to find. The mean loss of an epoch's batches is
    free, but small, ghost or augmented batches have a higher one. So each seed remembers the ratio
    of the two when it was last looked at, and is looked at again when its batches, times that
    ratio, come near ``stop_loss``; and at fixed epochs.
    """

    def __init__(self, recipe, models: int, where: torch.device):
        self.loss, self.plateau = recipe.stop_loss, recipe.stop_plateau
        self.ratio = torch.ones(models, device=where)
        self.best = torch.full((models,), torch.inf, device=where)
        self.since = torch.zeros(models, dtype=torch.long, device=where)  # epochs since the best

    def due(self, mean: Tensor, epoch: int) -> Tensor:
        """Which of the seeds to look at, (S,), after an epoch whose batches had the losses ``mean``."""
        if self.loss is None:
            return torch.zeros_like(mean, dtype=torch.bool)
        if epoch % EVERY == 0 or epoch in (1, 2, 4, 8):
            return torch.ones_like(mean, dtype=torch.bool)
        return mean * self.ratio <= MARGIN * self.loss

    def reached(self, due: Tensor, loss: Tensor, mean: Tensor) -> Tensor:
        """Which seeds stop by ``stop_loss``, (S,); ``loss`` holds the training losses of those that were ``due``."""
        self.ratio[due] = loss.to(self.ratio) / mean[due]
        stops = torch.zeros_like(due)
        stops[due] = loss <= self.loss
        return stops

    def flat(self, mean: Tensor) -> Tensor:
        """Which seeds stop by ``stop_plateau``, (S,)."""
        if self.plateau is None:
            return torch.zeros_like(mean, dtype=torch.bool)
        epochs, share = self.plateau
        better = mean < self.best * (1 - share)
        self.best = torch.where(better, mean, self.best)
        self.since = torch.where(better, 0, self.since + 1)
        return self.since >= epochs

    def keep(self, stays: Tensor) -> None:
        """Go on with the seeds marked True."""
        self.ratio, self.best, self.since = self.ratio[stays], self.best[stays], self.since[stays]

    @property
    def state(self) -> dict[str, Tensor]:
        """What it remembers, each (S,)."""
        return {"ratio": self.ratio, "best": self.best, "since": self.since}

    @state.setter
    def state(self, given: dict[str, Tensor]) -> None:
        self.ratio, self.best, self.since = (
            given[name].to(self.ratio.device) for name in ("ratio", "best", "since")
        )
