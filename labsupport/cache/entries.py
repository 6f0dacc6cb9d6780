"""One result as one file: an ordinary .npz that holds no pickle, and whose last 64 bytes are the
SHA-256 of all before them.

Inside are ``meta.json``, which says of what types the result is built, and one .npy for each array.
The types are a closed list: numbers, text, None, lists, tuples, sets, dicts, arrays, tensors,
tables, and the results that this package returns. Nothing in a file is run: a type that is not on
the list cannot be read, and cannot be written.
"""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from labsupport.cache.values import Reader, Writer

FORMAT = "labsupport entry 1"
#: What the file of an entry ends in.
SUFFIX = ".npz"
_DIGEST = 64  # hexadecimal digits of SHA-256
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same result is the same file


class Damaged(Exception):
    """What lies there is not the entry that was stored; the message says what it is instead."""


def digest(content: bytes | memoryview) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def dumps(result, about: Mapping[str, str], given: Mapping[str, object] | None = None) -> bytes:
    """The file of one result.

    ``about`` names it, by its key above all. ``given`` are the arguments it was computed from: a
    problem, a network or a data set among them that the result holds is not stored; it is put back
    when the result is read. Raises TypeError for a result that holds what cannot be stored.
    """
    writer = Writer(given or {})
    tree = writer.encode(result)
    meta = {"format": FORMAT, **about, "result": tree}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        file.writestr(zipfile.ZipInfo("meta.json", _EPOCH), json.dumps(meta, allow_nan=False))
        for number, array in enumerate(writer.arrays):
            with file.open(
                zipfile.ZipInfo(f"{number}.npy", _EPOCH), "w", force_zip64=True
            ) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        file.comment = b"0" * _DIGEST
    body = buffer.getbuffer()[:-_DIGEST]
    return bytes(body) + digest(body).encode()


def meta(content: bytes) -> dict:
    """What an entry says of itself; its digest is checked. Raises Damaged."""
    return _open(content)[0]


def loads(content: bytes, key: str, given: Mapping[str, object] | None = None):
    """The result in a file's content. Raises Damaged where it is not, bit by bit, what was stored under this key."""
    about, file = _open(content)
    if about.get("key") != key:
        raise Damaged(f"it is the result of another call, of {about.get('function')}")
    try:
        arrays = {
            name.removesuffix(".npy"): _array(file, name)
            for name in file.namelist()
            if name.endswith(".npy")
        }
        return Reader(arrays, given or {}).decode(about["result"])
    except (
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
        zipfile.BadZipFile,
    ) as error:
        raise Damaged(f"it holds what this version cannot read ({error})") from error


def _array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    with file.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _open(content: bytes) -> tuple[dict, zipfile.ZipFile]:
    if not content:
        raise Damaged("it is empty")
    view = memoryview(content)
    if digest(view[:-_DIGEST]).encode() != content[-_DIGEST:]:
        raise Damaged("its content does not have the digest that was stored with it")
    try:
        file = zipfile.ZipFile(io.BytesIO(content))
        about = json.loads(file.read("meta.json"))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Damaged("it is not an entry of this store") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise Damaged("it is not an entry of this version of the store")
    return about, file


def read(path: Path, key: str, given: Mapping[str, object] | None = None):
    """The result at a path.

    Raises
    ------
    FileNotFoundError
        There is none.
    Damaged
        Something else lies there.
    OSError, MemoryError
        It cannot be read now; nothing is said about the entry.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise Damaged(f"it is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no plain file')}")
    return loads(path.read_bytes(), key, given)


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}
