"""The folder of data sets, and files that are there whole or not at all."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from labsupport import files
from labsupport.settings import environment

#: Seconds that a data host may stay silent.
PATIENCE = 30


def folder() -> Path:
    """Where data sets are kept."""
    return environment.data_folder()


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz so that it is there whole or not at all.

    Raises OSError in the learner's words when it cannot be.
    """
    try:
        with files.whole(path, beside=path.name) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its first keyword is a bool
    except OSError as error:
        need = sum(a.nbytes for a in arrays.values()) // 2**20
        needed = f"; {need} MiB are needed" if error.errno == errno.ENOSPC else ""
        raise OSError(
            error.errno,
            f"Could not write {path}: {files.why(error)}{needed}. Nothing was left half-written. "
            "Free some space, or point LABSUPPORT_DATA at another folder.",
        ) from error


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Give up on a host that is silent for so long; torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
