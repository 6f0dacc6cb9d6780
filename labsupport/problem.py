"""A problem says which f: a network, a data set, and how much of it. What is trained, measured and stored carries its problem."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from labsupport import data, networks
from labsupport.data import Dataset
from labsupport.errors import choose
from labsupport.objective import Objective

#: The parts of a data set that f can be computed on.
SPLITS = ("train", "test")


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and the data it learns.

    Parameters
    ----------
    network : str or nn.Module
        A name from `networks.REGISTRY`, or a module: tensors in, logits out.
    dataset : str or Dataset
        A name from `data.NAMES`, or a `data.Dataset`.
    train_size
        Keep only the first so many of the shuffled training samples.

    >>> Problem("F0", "mnist1d", 100).objective().n
    40330
    """

    network: str | nn.Module
    dataset: str | Dataset
    train_size: int | None = None

    def __post_init__(self):
        if isinstance(self.network, str):
            choose("network", self.network, networks.REGISTRY)
        if isinstance(self.dataset, str):
            choose("data set", self.dataset, data.NAMES)

    def load(self, device: str | torch.device | None = None) -> Dataset:
        """The data, on a device."""
        if isinstance(self.dataset, str):
            return data.load(self.dataset, device=device, train_size=self.train_size)
        return self.dataset

    def build(self) -> nn.Module:
        """The network as a module; torch's own generator is left as it was."""
        classes = None if isinstance(self.dataset, str) else self.dataset.num_classes
        return networks.layers(self.network, num_classes=classes)

    def objective(self, split: str = "train", *, chunk: int = 5000, device: str | torch.device | None = None) -> Objective:
        """f: the loss on the training set, or on the test set with ``split="test"``."""
        choose("split", split, SPLITS)
        loaded = self.load(device)
        inputs, labels = (loaded.x_train, loaded.y_train) if split == "train" else (loaded.x_test, loaded.y_test)
        module = networks.layers(self.network, num_classes=loaded.num_classes)
        return Objective(module, inputs, labels, chunk=chunk)

    @property
    def key(self) -> tuple:
        """What a number depends on: the network, and the content of the data."""
        return (self.network, self.load("cpu").key)

    def __eq__(self, other) -> bool:
        if not isinstance(other, Problem):
            return NotImplemented
        mine, its = ((p.network, p.dataset, p.train_size) for p in (self, other))
        return mine == its

    def __hash__(self) -> int:
        return hash((self.network, self.dataset if isinstance(self.dataset, str) else id(self.dataset), self.train_size))
