"""What stops a step from being faster: its arithmetic, over the rate at which this machine multiplies matrices."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.pairs import clock
from labsupport import networks
from labsupport.data import Dataset


def work(network: str, dataset: Dataset, batch: int) -> float:
    """Floating-point operations of the products and convolutions of one epoch, forward and backward."""
    module = networks.build(network, num_classes=dataset.num_classes)
    inputs, labels = dataset.x_train[:batch].cpu(), dataset.y_train[:batch].cpu()
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(module(inputs), labels).backward()
    return counter.get_total_flops() * len(dataset.y_train) / len(inputs)


def peak(where: torch.device, precision: torch.dtype = torch.float32, *, tries: int = 12) -> float:
    """Measured floating-point operations a second: the best of several square matrix products of two sizes."""
    best = 0.0
    for size in (4096, 8192) if where.type == "cuda" else (1024, 2048):
        a, b = (torch.randn(size, size, device=where, dtype=precision) for _ in range(2))
        repeats = 10 if where.type == "cuda" else 1  # a GPU's clock is read after several products
        seconds = min(
            clock(lambda a=a, b=b, n=repeats: [a @ b for _ in range(n)]) for _ in range(tries)
        )
        best = max(best, 2 * size**3 * repeats / seconds)
    return best
