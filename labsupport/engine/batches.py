"""How samples and models are cut up for one pass, and the loss of such a pass."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labsupport.engine import threads


def chunks(total: int, size: int) -> list[slice]:
    """Slices of ``size`` samples; a last one of a single sample joins the one before.

    Batch norm is undefined on one sample. The rule holds for networks without batch norm too, so that two networks that
    differ in it alone see the same batches.

    >>> [s.stop - s.start for s in chunks(12, 5)], [s.stop - s.start for s in chunks(11, 5)]
    ([5, 5, 2], [5, 6])
    """
    edges = list(range(0, total, size))
    if len(edges) > 1 and total - edges[-1] == 1:
        edges.pop()
    return [slice(a, b) for a, b in zip(edges, edges[1:] + [total])]


#: Stack the models while one layer's work is small; above, one model at a time keeps its activations in the cache.
#: Measured with `make bench`: samples in a batch times models.
STACK_ROWS = 2_000


def together(network: nn.Module, n: int, where: torch.device, models: int, batch: int) -> int:
    """How many models, of ``n`` parameters each, to compute in one pass, by a measured rule.

    A GPU wants all fully connected models together. A CPU wants them together only while the batch is small.
    Grouped convolutions are slower than a loop on both, except for the smallest. Other modules are computed one by one.
    """
    if (
        models == 1
        or type(network) is not nn.Sequential
        or any(isinstance(layer, nn.Conv2d) for layer in network)
    ):
        return 1
    if where.type == "cuda":
        return max(1, min(models, 400_000 // batch))
    return models if n < threads.TINY and batch * models <= STACK_ROWS else 1


def summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over the samples, (S, K, B) and (B,) or (S, B) -> (S,)."""
    labels = labels.expand(logits.shape[0], -1)
    return F.cross_entropy(logits, labels, reduction="none").sum(1)
