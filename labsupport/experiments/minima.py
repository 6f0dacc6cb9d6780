"""The minima that all chapters share: small-batch and large-batch runs at one scale."""

from __future__ import annotations

import torch

from labsupport import sweep
from labsupport.settings import Settings
from labsupport.training import Runs


def minima(s: Settings) -> dict[str, Runs]:
    """{"SB": Runs, "LB": Runs} of the main problem: same starts, batches of 32 and of 400. Trained once, then stored.

    Their ``checkpoints`` are at the epochs of `settings.Settings.warm_epochs`.
    """
    return sweep.run(s.main, {"SB": s.SB, "LB": s.LB}, s.seeds, checkpoints=s.warm_epochs)


def iterates(s: Settings) -> dict[int, torch.Tensor]:
    """{epoch k: SB iterates (S, n)}, from the start, k = 0, to the last epoch."""
    small = minima(s)["SB"]
    return small.checkpoints | {s.SB.epochs: small.x}
