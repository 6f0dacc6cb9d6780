"""Data sets as tensors that live on the device: no loader, no worker, no copy per batch.

MNIST-1D is generated here, by the ``mnist1d`` package. MNIST, CIFAR-10 and CIFAR-100 come through torchvision
once and are kept as ``$LABSUPPORT_DATA/<name>.npz`` (uint8 images N x C x H x W, int64 labels), written under
another name first and checked whenever they are read. Images are divided by 255, as in the paper, and nothing
else is done to them. Every set is shuffled once, with a fixed seed: batch norm needs chunks that are fair samples.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labsupport import device as devices
from labsupport.cache import remember
from labsupport.errors import DataUnavailable, choose
from labsupport.settings import environment

NAMES = ("mnist1d", "mnist", "cifar10", "cifar100")
_IMAGES = {  # training images, test images, shape, classes
    "mnist": (60_000, 10_000, (1, 28, 28), 10),
    "cifar10": (50_000, 10_000, (3, 32, 32), 10),
    "cifar100": (50_000, 10_000, (3, 32, 32), 100),
}
#: SHA-256 of the training pixels where an edition is known. MNIST has one; CIFAR-10 also circulates as JPEG copies.
_EDITIONS = {
    "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757": "MNIST",
    "28808e4cdbe0debd926b6d8e483126fef583c732e55eade45f3f99a8a23de11c": "CIFAR-10 (JPEG copy)",
}
#: Seconds that a data host may stay silent.
PATIENCE = 30
_TITLES = {"mnist1d": "MNIST-1D", "mnist": "MNIST", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100"}


@dataclass(frozen=True)
class Dataset:
    """Training and test set on one device.

    ``x_train`` (N, ...) and ``x_test`` float32, ``y_train`` (N,) and ``y_test`` int64; ``edition`` says what exactly
    was loaded, to print beside results; ``key`` identifies the content, for memoised runs.
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    num_classes: int
    name: str
    edition: str
    seed: int = 0

    @property
    def key(self) -> tuple:
        return (self.edition, len(self.y_train), len(self.y_test), self.seed)

    @property
    def device(self) -> torch.device:
        return self.x_train.device

    def __repr__(self) -> str:
        return (f"{self.edition}: {len(self.y_train):,} training and {len(self.y_test):,} test samples of shape "
                f"{tuple(self.x_train.shape[1:])}, {self.num_classes} classes, on {self.device}")


def load(name: str, *, device: str | torch.device | None = None, train_size: int | None = None, seed: int = 0) -> Dataset:
    """Load a data set onto a device.

    Parameters
    ----------
    name
        One of `NAMES`.
    train_size
        Keep only the first so many of the shuffled training samples.
    seed
        Of the one shuffle, and for MNIST-1D of the generator as well.

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
    where = devices.pick(device)
    arrays, edition = (_mnist1d(seed), _TITLES[name]) if name == "mnist1d" else _stored(name)
    total = len(arrays["y_train"])
    if train_size is not None and not 1 <= train_size <= total:
        raise ValueError(f"train_size is {train_size}; {edition} has {total:,} training samples, so give 1 to {total}.")
    tensors = {}
    for part in ("train", "test"):
        order = np.random.default_rng([seed, part == "test"]).permutation(len(arrays[f"y_{part}"]))
        if part == "train":
            order = order[:train_size]
        x = torch.from_numpy(arrays[f"x_{part}"][order]).to(where)
        tensors[f"x_{part}"] = x.float() / 255 if x.dtype == torch.uint8 else x
        tensors[f"y_{part}"] = torch.from_numpy(arrays[f"y_{part}"][order]).to(where)
    return Dataset(**tensors, num_classes=int(arrays["y_train"].max()) + 1, name=name, edition=edition, seed=seed)


@remember
def _mnist1d(seed: int) -> dict[str, np.ndarray]:
    """4,000 training and 10,000 test signals of 40 points (Greydanus and Kobak 2024); the package seeds numpy itself."""
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    args.num_samples, args.train_split, args.seed = 14_000, 4_000 / 14_000, args.seed + seed
    state = np.random.get_state()
    try:
        made = make_dataset(args)
    finally:
        np.random.set_state(state)
    return {"x_train": made["x"].astype(np.float32), "y_train": made["y"].astype(np.int64),
            "x_test": made["x_test"].astype(np.float32), "y_test": made["y_test"].astype(np.int64)}


# -- the store of images ---------------------------------------------------------------------------------------


def folder() -> Path:
    """Where data sets are kept."""
    return environment.data_folder()


def available(name: str) -> bool:
    """Whether `load` will find the data without asking any host."""
    choose("data set", name, NAMES)
    return name == "mnist1d" or (folder() / f"{name}.npz").exists()


def _stored(name: str) -> tuple[dict[str, np.ndarray], str]:
    path = folder() / f"{name}.npz"
    if not path.exists():
        save(path, _fetch(name))
    return read(path, name)


def read(path: Path, name: str) -> tuple[dict[str, np.ndarray], str]:
    """Read and check one stored set; (arrays, edition). Raises ValueError that says what is wrong with the file."""
    trains, tests, shape, classes = _IMAGES[name]
    again = f"Delete it and run again; it will be fetched anew. ({path})"
    try:
        with np.load(path, allow_pickle=False) as file:  # zip members carry a CRC, so a flipped byte is noticed here
            arrays = {k: file[k] for k in ("x_train", "y_train", "x_test", "y_test")}
    except KeyError as error:
        raise ValueError(f"{path.name} lacks an array that {name} must have: {error}. {again}") from error
    except (zipfile.BadZipFile, EOFError, ValueError, OSError, zlib.error) as error:
        raise ValueError(f"{path.name} is truncated or altered and cannot be read: {error}. {again}") from error
    for part, count in (("train", trains), ("test", tests)):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.shape != (count, *shape) or x.dtype != np.uint8:
            raise ValueError(f"{path.name}: x_{part} is {x.dtype} {x.shape}; {name} has uint8 {(count, *shape)}. {again}")
        if y.shape != (count,) or y.dtype != np.int64 or y.min() != 0 or y.max() != classes - 1:
            raise ValueError(f"{path.name}: y_{part} is not {count} int64 labels from 0 to {classes - 1}. {again}")
    edition = _EDITIONS.get(hashlib.sha256(arrays["x_train"].tobytes()).hexdigest())
    if name == "mnist" and edition != "MNIST":
        raise ValueError(f"{path.name} has the right shape, but its pixels are not MNIST's: it was altered. {again}")
    return arrays, edition or _TITLES[name]


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz so that it is there whole or not at all. Raises OSError in the learner's words when it cannot be."""
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
            partial = Path(file.name)
            np.savez(file, **arrays)
        os.replace(partial, path)
    except BaseException as error:
        if partial is not None:
            partial.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        need = sum(a.nbytes for a in arrays.values()) // 2**20
        why = f"the disk is full; {need} MiB are needed" if error.errno == errno.ENOSPC else str(error)
        raise OSError(error.errno, f"Could not write {path}: {why}. Nothing was left half-written. "
                                   "Free some space, or point LABSUPPORT_DATA at another folder.") from error


def _fetch(name: str) -> dict[str, np.ndarray]:
    """Both splits through torchvision, which checks its own downloads; the raw download is not kept."""
    put = f"put {name}.npz (x_train, y_train, x_test, y_test; uint8 N x C x H x W, int64) there yourself."
    try:
        from torchvision import datasets
    except (ImportError, RuntimeError) as error:  # RuntimeError: it is there, but made for another torch
        raise DataUnavailable(f"{_TITLES[name]} is not in {folder()}, and needs torchvision to be fetched: {error}. Run "
                              f"pip install torchvision, or {put}") from error
    kind = {"mnist": datasets.MNIST, "cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[name]
    arrays = {}
    with tempfile.TemporaryDirectory() as scratch, _patience(PATIENCE):
        for part in ("train", "test"):
            try:
                got = kind(scratch, train=part == "train", download=True)
            except (OSError, RuntimeError) as error:
                hosts = ", ".join(getattr(kind, "mirrors", [getattr(kind, "url", "its host")]))
                raise DataUnavailable(
                    f"{_TITLES[name]} is not in {folder()} and could not be fetched from {hosts}: {error}. Try again later, "
                    f"or {put}") from error
            pixels = np.asarray(got.data)
            pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
            arrays[f"x_{part}"] = np.ascontiguousarray(pixels, dtype=np.uint8)
            arrays[f"y_{part}"] = np.asarray(got.targets, dtype=np.int64)
    return arrays


@contextmanager
def _patience(seconds: float):
    """Give up on a host that is silent for so long; torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
