"""Data sets as tensors that live on the device: no loader, no worker, no copy per batch.

mnist1d
    4,000 + 10,000 signals of 40 points, 10 classes. The package of that name makes them.
mnist, fashion_mnist
    60,000 + 10,000 gray images of 28 x 28, 10 classes. From torchvision.
cifar10, cifar100
    50,000 + 10,000 color images of 32 x 32. From torchvision.
fsdd
    Spoken digits, 9 frames of 40 log-mel features, 50 classes. Fetched by pooch.
timit
    Read speech, 9 frames of 40 log-mel features, 61 phones. Your own licensed copy.

What is fetched is kept in `folder`. Images are divided by 255, as in the paper, and nothing else is
done to them. Every set is shuffled once, with a fixed seed: batch norm needs chunks that are fair
samples. Data of your own: `Dataset.of`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from labsupport import device as devices
from labsupport.arguments import seed as as_seed
from labsupport.arguments import whole_number
from labsupport.data import fsdd, images, signals, timit
from labsupport.data.dataset import Dataset
from labsupport.data.files import folder, save
from labsupport.errors import choose

__all__ = ["CLASSES", "NAMES", "Dataset", "available", "folder", "load", "save"]

#: {name: number of classes}
CLASSES = {
    "mnist1d": 10,
    "mnist": 10,
    "fashion_mnist": 10,
    "cifar10": 10,
    "cifar100": 100,
    "fsdd": fsdd.CLASSES,
    "timit": len(timit.PHONES),
}
NAMES = tuple(CLASSES)


def load(
    name: str,
    *,
    device: str | torch.device | None = None,
    train_size: int | None = None,
    seed: int = 0,
    path: str | os.PathLike | None = None,
) -> Dataset:
    """Load a data set onto a device.

    Parameters
    ----------
    name
        One of `NAMES`.
    train_size
        Keep only the first so many of the shuffled training samples.
    seed
        Of the one shuffle, and for MNIST-1D of the generator as well.
    path
        For ``"timit"`` and ``"fsdd"``: the folder of your own copy, instead of the one in `folder`.

    Raises
    ------
    UnknownName
        With the nearest valid name.
    ValueError
        ``train_size`` outside 1..N, or a stored file that is not what it should be.
    DataUnavailable
        Not on this disk, and the host does not answer.

    >>> load("mnist1d", train_size=1000, device="cpu")
    MNIST-1D: 1,000 training and 10,000 test samples of shape (40,), 10 classes, on cpu
    """
    choose("data set", name, NAMES)
    where, seed = devices.pick(device), as_seed("seed", seed)
    if train_size is not None:
        train_size = whole_number("train_size", train_size)
    if path is not None and name not in ("timit", "fsdd"):
        raise ValueError(f"path is for timit and fsdd; {name} is kept in {folder()}.")
    arrays, edition = _reader(name, seed, path)()
    total = len(arrays["y_train"])
    if train_size is not None and not 1 <= train_size <= total:
        raise ValueError(
            f"train_size is {train_size}; {edition} has {total:,} training samples, so give 1 to {total}."
        )
    train = np.random.default_rng([seed, False]).permutation(total)[:train_size]
    test = np.random.default_rng([seed, True]).permutation(len(arrays["y_test"]))
    return Dataset.known(
        _on(where, arrays["x_train"][train]),
        _on(where, arrays["y_train"][train]),
        _on(where, arrays["x_test"][test]),
        _on(where, arrays["y_test"][test]),
        num_classes=CLASSES[name],
        name=name,
        edition=edition,
        seed=seed,
    )


def available(name: str) -> bool:
    """Whether `load` will find the data without asking any host."""
    choose("data set", name, NAMES)
    if name == "mnist1d":
        return True
    if name == "fsdd":
        return fsdd.find() is not None
    return timit.find() is not None if name == "timit" else images.available(name)


def stamp(name: str) -> tuple:
    """What changes when the stored set is replaced by another: its place, time and size; () where nothing is stored."""
    if name == "mnist1d":
        return ()
    paths = {"fsdd": fsdd.find, "timit": timit.find}
    path = paths[name]() if name in paths else images.path_of(name)
    if path is None or not path.exists():
        return ()
    found = path.stat()
    return (str(path), found.st_mtime_ns, found.st_size, found.st_ino)


def _reader(name: str, seed: int, path: str | os.PathLike | None) -> Callable[[], tuple[dict, str]]:
    """The function that reads the set: arrays x_train, y_train, x_test, y_test, and their edition."""
    own = None if path is None else Path(path).expanduser()
    if name == "mnist1d":
        return lambda: signals.mnist1d(seed)
    if name == "fsdd":
        return lambda: fsdd.read(own)
    return (lambda: timit.read(own)) if name == "timit" else (lambda: images.stored(name))


def _on(where: torch.device, array: np.ndarray) -> torch.Tensor:
    found = torch.from_numpy(array).to(where)
    return found.float() / 255 if found.dtype == torch.uint8 else found
