"""Which edition of a data set was loaded, by the content of all its arrays and not by its name.

MNIST circulates in one edition, CIFAR-10 in several: as the authors' binary files, as PNG images of
the same pixels in another order, and as JPEG images of slightly other pixels.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping

import numpy as np

from labsupport.errors import UnknownEdition

#: The arrays of a data set, in the order in which they are hashed.
PARTS = ("x_train", "y_train", "x_test", "y_test")

TITLES = {
    "mnist1d": "MNIST-1D",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "fsdd": "FSDD",
    "timit": "TIMIT",
}

#: SHA-256 of all arrays, in their order.
KNOWN = {
    "fe3a1d5a30bea020fabb0ce970b1d16b3f8f71a0c7d043de50ac79010b62aa92": "MNIST",
    "94d7a00ee04fd1bc3097af6ec21e790d06dd55b3d2c1356f405dde6e692d4fe5": "Fashion-MNIST",
    "18186ed4b02af585ef8100f33704ae2d26cc4b66e2d9e90c134636d338d8eee0": "CIFAR-10 (PNG copy)",
    "2ffc01aec3937023db0ad75ecd91c8b92b6d52d9c5bc4f52d529e6d31f432ee1": "CIFAR-10 (JPEG copy)",
    "8addc252c990dcf5c45f3e722b7a33af4371edd3356d2883144baf5da3089855": "CIFAR-100 (PNG copy)",
}

#: SHA-256 of all samples with their labels, whatever their order. PNG keeps every pixel, so the
#: authors' own files hold the same samples as the PNG copies.
SAMPLES = {
    "2cd60b53ae999558087291ce965194c562dffdf84d286689969bbf2945fd591a": "MNIST (in another order)",
    "12476cfd06045c8a15bf4af4986f2d5af9f6f0ad13e0b3653862d6960abda728": "Fashion-MNIST (in another order)",
    "60b4d287a9d2099b024ef2d813acd3208ee4ec681ba95dafcafd5ee1867f6c5b": "CIFAR-10 (in another order)",
    "84ebf17cfb7abfd2a1e23f14ce8b125b5226b42c381af4512fdb066aaf934696": "CIFAR-10 (JPEG copy, in another order)",
    "1ae68cf2cdd8de59124f2311961abebe59d4ecee8fe282eb7877045bb39e0e63": "CIFAR-100 (in another order)",
}


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and numbers of the arrays, in `PARTS`' order."""
    found = hashlib.sha256()
    for part in PARTS:
        array = np.ascontiguousarray(arrays[part])
        found.update(f"{part} {array.dtype} {array.shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def digest_of_samples(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of the training and the test samples with their labels, whatever their order."""
    found = hashlib.sha256()
    for part in ("train", "test"):
        pairs = zip(arrays[f"x_{part}"], arrays[f"y_{part}"].tolist(), strict=True)
        one = [hashlib.sha256(x.tobytes() + y.to_bytes(8, "little")).digest() for x, y in pairs]
        found.update(b"".join(sorted(one)))
    return found.hexdigest()


def digest_of_files(files: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 of names and contents, in the order of the names."""
    found = hashlib.sha256()
    for name, content in sorted(files):
        found.update(f"{name} {len(content)} ".encode())
        found.update(content)
    return found.hexdigest()


def edition_of(name: str, arrays: Mapping[str, np.ndarray], where: str) -> str:
    """The edition that the arrays are; with a warning where it is none that is known.

    Parameters
    ----------
    where
        The file or folder they come from, for the warning.
    """
    exact = digest(arrays)
    found = KNOWN.get(exact) or SAMPLES.get(digest_of_samples(arrays))
    if found and found.partition(" (")[0] == TITLES[name]:
        return found
    return unknown(name, exact, where)


def unknown(name: str, exact: str, where: str) -> str:
    """The title of a set whose content is not known, with a warning."""
    title = TITLES[name]
    warnings.warn(
        f"{where} holds no edition of {title} that is known here (SHA-256 {exact[:12]}...): numbers can differ "
        "from the book's. Delete it and run again, and it is fetched anew.",
        UnknownEdition,
        stacklevel=4,
    )
    return f"{title} (unknown edition)"
