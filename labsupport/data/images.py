"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100: through torchvision once, then from ``$LABSUPPORT_DATA/<name>.npz``.

A stored set holds x_train, x_test (uint8, N x C x H x W) and y_train, y_test (int64). It is written
under another name first, and checked whenever it is read.
"""

from __future__ import annotations

import gzip
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np

from labsupport.data import files
from labsupport.data.editions import PARTS, TITLES, edition_of
from labsupport.data.files import folder, save
from labsupport.errors import DataUnavailable
from labsupport.files import require_writable

#: {name: (training images, test images, shape of one, classes)}
SHAPES = {
    "mnist": (60_000, 10_000, (1, 28, 28), 10),
    "fashion_mnist": (60_000, 10_000, (1, 28, 28), 10),
    "cifar10": (50_000, 10_000, (3, 32, 32), 10),
    "cifar100": (50_000, 10_000, (3, 32, 32), 100),
}
#: Where Debian's package ``dataset-fashion-mnist`` puts the original files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def path_of(name: str) -> Path:
    """Where a set is kept."""
    return folder() / f"{name}.npz"


def available(name: str) -> bool:
    """Whether `stored` will find it without asking any host."""
    return path_of(name).exists() or (name == "fashion_mnist" and DEBIAN.is_dir())


def stored(name: str) -> tuple[dict[str, np.ndarray], str]:
    """The arrays and their edition; fetched first if they are not there.

    Raises
    ------
    ValueError
        The file is not what it should be.
    DataUnavailable
        It is not there and cannot be fetched.
    """
    path = path_of(name)
    if not path.exists():
        require_writable(path.parent, "LABSUPPORT_DATA")
        save(path, debian() if name == "fashion_mnist" and DEBIAN.is_dir() else fetch(name))
    arrays = read(path, name)
    return arrays, edition_of(name, arrays, path.name)


def read(path: Path, name: str) -> dict[str, np.ndarray]:
    """Read and check one stored set. Raises ValueError that says what is wrong with the file."""
    trains, tests, shape, classes = SHAPES[name]
    again = f"Delete it and run again; it will be fetched anew. ({path})"
    try:
        with np.load(path, allow_pickle=False) as file:  # a zip: each member carries a CRC
            arrays = {part: file[part] for part in PARTS}
    except KeyError as error:
        raise ValueError(
            f"{path.name} lacks an array that {name} must have: {error}. {again}"
        ) from error
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
        OSError,
        zlib.error,
        AttributeError,
        TypeError,
    ) as error:
        raise ValueError(
            f"{path.name} is truncated or altered and cannot be read: {error}. {again}"
        ) from error
    for part, count in (("train", trains), ("test", tests)):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.shape != (count, *shape) or x.dtype != np.uint8:
            raise ValueError(
                f"{path.name}: x_{part} is {x.dtype} {x.shape}; {name} has uint8 {(count, *shape)}. {again}"
            )
        if y.shape != (count,) or y.dtype != np.int64 or y.min() != 0 or y.max() != classes - 1:
            raise ValueError(
                f"{path.name}: y_{part} is not {count} int64 labels from 0 to {classes - 1}. {again}"
            )
    return arrays


def debian() -> dict[str, np.ndarray]:
    """Fashion-MNIST from the files of Debian's package, in the format of the original MNIST."""
    arrays = {}
    for part, stem in (("train", "train"), ("test", "t10k")):
        images = _idx(DEBIAN / f"{stem}-images-idx3-ubyte.gz", header=16)
        arrays[f"x_{part}"] = images.reshape(-1, 1, 28, 28)
        arrays[f"y_{part}"] = _idx(DEBIAN / f"{stem}-labels-idx1-ubyte.gz", header=8).astype(
            np.int64
        )
    return arrays


def _idx(path: Path, header: int) -> np.ndarray:
    try:
        return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataUnavailable(
            f"{path} cannot be read: {error}. Install dataset-fashion-mnist again, or put "
            f"fashion_mnist.npz in {folder()}."
        ) from error


def fetch(name: str) -> dict[str, np.ndarray]:
    """Both splits through torchvision, which checks its own downloads; the raw download is not kept."""
    put = f"put {name}.npz (x_train, y_train, x_test, y_test; uint8 N x C x H x W, int64) there yourself."
    try:
        from torchvision import datasets
    except (
        ImportError,
        RuntimeError,
    ) as error:  # RuntimeError: it is there, but made for another torch
        raise DataUnavailable(
            f"{TITLES[name]} is not in {folder()}, and needs torchvision to be fetched: {error}. Run "
            f"pip install torchvision, or {put}"
        ) from error
    kinds = {
        "mnist": datasets.MNIST,
        "fashion_mnist": datasets.FashionMNIST,
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    kind, arrays = kinds[name], {}
    with tempfile.TemporaryDirectory() as scratch, files.patience(files.PATIENCE):
        for part in ("train", "test"):
            try:
                got = kind(scratch, train=part == "train", download=True)
            except (OSError, RuntimeError) as error:
                hosts = ", ".join(getattr(kind, "mirrors", [getattr(kind, "url", "its host")]))
                raise DataUnavailable(
                    f"{TITLES[name]} is not in {folder()} and could not be fetched from {hosts}: "
                    f"{error}. Try again later, or {put}"
                ) from error
            pixels = np.asarray(got.data)
            pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
            arrays[f"x_{part}"] = np.ascontiguousarray(pixels, dtype=np.uint8)
            arrays[f"y_{part}"] = np.asarray(got.targets, dtype=np.int64)
    return arrays
