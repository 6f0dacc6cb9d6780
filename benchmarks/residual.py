"""Networks that only the general path can compute: a residual one of F0's size, and torchvision's ResNet-18."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from labsupport import networks
from labsupport.data import Dataset


class Residual(nn.Module):
    """Three hidden layers of 128 with batch norm, as F0, the second and third with a shortcut around them."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.first, self.norm = nn.Linear(40, 128), nn.BatchNorm1d(128)
        self.inner = nn.ModuleList(
            [nn.Sequential(nn.Linear(128, 128), nn.BatchNorm1d(128)) for _ in range(2)]
        )
        self.last = nn.Linear(128, classes)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, 40) -> logits (B, classes)."""
        h = torch.relu(self.norm(self.first(x)))
        for layer in self.inner:
            h = h + torch.relu(layer(h))
        return self.last(h)


def resnet18(classes: int = 10) -> nn.Module:
    """torchvision's ResNet-18, weights drawn afresh."""
    from torchvision.models import resnet18 as make

    with torch.random.fork_rng(devices=[]):
        return make(num_classes=classes)


def pictures(samples: int) -> Dataset:
    """Noise of CIFAR's shape: a speed does not depend on what is in a picture."""
    random = torch.Generator().manual_seed(0)
    x, y = (
        torch.rand(samples, 3, 32, 32, generator=random),
        torch.randint(0, 10, (samples,), generator=random),
    )
    return Dataset(x, y, x[:2], y[:2], 10, "noise", "noise of CIFAR's shape")


def make(network: str | nn.Module, dataset: Dataset) -> nn.Module:
    """A network by name, or a module's own class drawn afresh."""
    if isinstance(network, str):
        return networks.build(network, num_classes=dataset.num_classes)
    return (
        resnet18(dataset.num_classes)
        if type(network).__name__ == "ResNet"
        else type(network)(dataset.num_classes)
    )
