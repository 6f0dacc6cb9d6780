"""A problem says which f: a network, a data set, and how much of it.

What is trained, measured and stored carries its problem.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from labsupport import data, networks
from labsupport import device as devices
from labsupport.arguments import shown, whole_number
from labsupport.cache import fingerprint
from labsupport.data import Dataset
from labsupport.errors import choose
from labsupport.objective import Objective

#: The parts of a data set that f can be computed on.
SPLITS = ("train", "test")
#: Data sets that are kept in memory, so that one experiment after the other finds them loaded.
KEPT = 3


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """A network and the data it learns.

    Two problems are equal if they name the same network and hold the same data; then their keys are
    equal too.

    Parameters
    ----------
    network : str or nn.Module
        A name from `networks.REGISTRY`, or a module: tensors in, logits out.
    dataset : str or Dataset
        A name from `data.NAMES`, or a `data.Dataset`.
    train_size
        Keep only the first so many of the shuffled training samples.

    Raises
    ------
    UnknownName
        With the nearest valid name.
    TypeError, ValueError
        What is no network, no data set, or no whole number of samples that the data set has.

    >>> Problem("F0", "mnist1d", 100).objective().n
    40330
    """

    network: str | nn.Module
    dataset: str | Dataset
    train_size: int | None = None

    def __post_init__(self):
        network: Any = self.network
        if isinstance(network, str):
            choose("network", network, networks.REGISTRY)
        elif not isinstance(network, nn.Module):
            known = ", ".join(networks.REGISTRY)
            raise TypeError(
                f"network is {shown(network)}; a torch module is needed, or a name: {known}."
            )
        dataset: Any = self.dataset
        if isinstance(dataset, str):
            choose("data set", dataset, data.NAMES)
        elif not isinstance(dataset, Dataset):
            raise TypeError(
                f"dataset is {shown(dataset)}; a data.Dataset is needed (your own data: "
                f"Dataset.of), or a name: {', '.join(data.NAMES)}."
            )
        if self.train_size is not None:
            object.__setattr__(self, "train_size", self._checked_size())

    def _checked_size(self) -> int:
        most, hint = None, ""
        if isinstance(self.dataset, Dataset):
            most, hint = len(self.dataset.y_train), f"{self.dataset.edition} has no more."
        return whole_number("train_size", self.train_size, least=1, most=most, hint=hint)

    # -- what it is made of -------------------------------------------------------------------------

    def load(self, device: str | torch.device | None = None) -> Dataset:
        """The data, on a device; a set of one's own stays where it lies unless a device is named.

        A named set is loaded once in a process, and again when its file or one of its tensors was
        changed.
        """
        if isinstance(self.dataset, str):
            return _kept(self.dataset, self.train_size, devices.pick(device))
        found = self.dataset if self.train_size is None else self.dataset.first(self.train_size)
        return found if device is None else found.to(devices.pick(device))

    def build(self) -> nn.Module:
        """The network as a module, with an output for each class; torch's own generator is left as it was."""
        return networks.layers(self.network, num_classes=self.num_classes)

    def objective(
        self,
        split: str = "train",
        *,
        statistics: str = "batch",
        chunk: int = 5000,
        loss: Callable | None = None,
        device: str | torch.device | None = None,
    ) -> Objective:
        """f: the loss on the training set, or on the test set with ``split="test"``.

        ``statistics``, ``chunk`` and ``loss`` are those of `Objective`.
        """
        choose("split", split, SPLITS)
        loaded = self.load(device)
        inputs, labels = getattr(loaded, f"x_{split}"), getattr(loaded, f"y_{split}")
        return Objective(
            self.build(), inputs, labels, chunk=chunk, statistics=statistics, loss=loss
        )

    @property
    def num_classes(self) -> int:
        """How many classes the data have, known without loading them."""
        return (
            data.CLASSES[self.dataset]
            if isinstance(self.dataset, str)
            else self.dataset.num_classes
        )

    # -- what it is called, and what it is ----------------------------------------------------------

    @property
    def names(self) -> dict[str, str]:
        """``{"network": ..., "dataset": ...}``, the first two columns of every table.

        >>> Problem("F1", "mnist", 10_000).names
        {'network': 'F1', 'dataset': 'mnist'}
        """
        network = self.network if isinstance(self.network, str) else type(self.network).__name__
        return {
            "network": network,
            "dataset": self.dataset if isinstance(self.dataset, str) else self.dataset.name,
        }

    @property
    def key(self) -> tuple[str, str]:
        """What a number depends on: the network (its name and layers; a module's layers, code and
        weights), and the content of the data, wherever they lie.
        """
        named = isinstance(self.network, str)
        return (
            fingerprint([self.network, repr(self.build())] if named else self.network),
            self.load().key,
        )

    def _identity(self) -> tuple:
        network = self.network if isinstance(self.network, str) else id(self.network)
        return (
            network,
            self.dataset if isinstance(self.dataset, str) else self.dataset.key,
            self.train_size,
        )

    def __eq__(self, other) -> bool:
        if not isinstance(other, Problem):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        names = self.names
        size = "" if self.train_size is None else f", {self.train_size}"
        return f"Problem({names['network']}, {names['dataset']}{size})"


# -- data sets that were loaded --------------------------------------------------------------------

_loaded: OrderedDict[tuple, tuple[Dataset, tuple[int, ...]]] = OrderedDict()
_lock = threading.Lock()


def _kept(name: str, train_size: int | None, device: torch.device) -> Dataset:
    place = (name, train_size, str(device), data.stamp(name))
    with _lock:
        found = _loaded.pop(place, None)
        if found is None or found[1] != found[0].versions:  # not loaded yet, or changed in place
            dataset = data.load(name, device=device, train_size=train_size)
            found = (dataset, dataset.versions)
            place = (*place[:3], data.stamp(name))  # it may have been fetched just now
        _loaded[place] = found
        while len(_loaded) > KEPT:
            _loaded.popitem(last=False)
        return found[0]
