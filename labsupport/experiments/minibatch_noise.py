"""Chapter 1: the gradients of many batches at one point, in one pass. The chapter itself makes noise of them."""

from __future__ import annotations

import torch
from torch import Tensor

from labsupport.engine import threads
from labsupport.objective import Objective, summed_loss

#: Samples times batches that share a pass, and batches at most: what fits a processor's caches.
SAMPLES, TOGETHER = 2_000, 64


def batch_gradients(f: Objective, x: Tensor, batches: Tensor) -> Tensor:
    """The gradient at x (n,) of the mean loss over each batch, (D, B) indices of samples: (D, n).

    Batch norm uses each batch's own statistics, as in training, or those that f has frozen.
    """
    size = batches.shape[1]
    found = []
    with threads.threads_for(f.n):
        for part in batches.split(min(max(1, SAMPLES // size), TOGETHER)):
            leaf = x.expand(len(part), -1).clone().requires_grad_()
            logits = f.engine.logits(leaf, f.inputs[part], shared=False, frozen=f.frozen)
            losses = summed_loss(logits, f.labels[part]) / size
            found.append(torch.autograd.grad(losses.sum(), leaf)[0])
    return torch.cat(found)
