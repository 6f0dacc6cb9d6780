"""The store's folder: what a kill has left goes away, what is damaged is put aside, and `forget` empties it."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from labsupport.cache import locks
from labsupport.files import PARTIAL

#: Where damaged entries are put, inside the store.
DAMAGED = "damaged"
#: Where the chapters' claims are kept, inside the store.
CLAIMS = "claims"
#: Seconds after which a partial file without a lock has no writer any more.
OLD = 3600.0

_ENTRY = re.compile(r"\w+-[0-9a-f]{40}\.npz")
_OF_OLD = re.compile(r"\w+-[0-9a-f]{40}\.joblib(\.lock)?|tmp\w+\.partial")  # version 0.1
_LOCK = re.compile(r"\w+-[0-9a-f]{40}\.lock")
_PARTIAL = re.compile(r"[^/]*\.[0-9a-f]{8}\.partial")
_swept: set[tuple[str, int]] = set()


def remove_partials(path: Path) -> None:
    """Delete what killed writers of one entry have left. Only for who holds its lock."""
    with suppress(OSError):
        for partial in path.parent.glob(f"{path.stem}.*{PARTIAL}"):
            partial.unlink()


def sweep_once(folder: Path) -> None:
    """Delete locks and partial files whose holder is dead; once a process and folder."""
    if (str(folder), os.getpid()) in _swept:
        return
    _swept.add((str(folder), os.getpid()))
    with suppress(OSError, locks.CannotLock):
        for lock in folder.glob("*.lock"):
            if _LOCK.fullmatch(lock.name):
                _free(lock)
        for partial in folder.glob(f"*{PARTIAL}"):
            if _PARTIAL.fullmatch(partial.name) and time.time() - partial.stat().st_mtime > OLD:
                partial.unlink()


def _free(lock: Path) -> None:
    """Delete a lock, and the partial files beside it, if nobody holds it."""
    file = locks.take(lock)
    if file is not None:
        remove_partials(lock)
        locks.release(file, lock)


def put_aside(path: Path) -> Path:
    """Move what lies in an entry's place, be it a file, a folder or a link, to `DAMAGED`; where it is now."""
    home = path.parent / DAMAGED
    home.mkdir(exist_ok=True)
    for number in range(1, 10_000):
        aside = home / f"{path.name}.{number}"
        if not os.path.lexists(aside):
            os.rename(path, aside)
            return aside
    raise OSError(f"{home} is full of damaged entries; run python -m labsupport store --forget")


@dataclass
class Forgotten:
    """What `forget` did: how many of each kind were removed, and what was left, with the reason."""

    folder: Path
    results: int = 0
    claims: int = 0
    leftovers: int = 0
    bytes: int = 0
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        said = (
            f"Removed {self.results:,} results, {self.claims:,} claims and {self.leftovers:,} leftovers "
            f"({self.bytes / 2**20:,.1f} MiB) from {self.folder}."
        )
        return "\n".join(
            [said, *(f"Left there: {line}" for line in self.left)]
            if self.left
            else [said, "It is empty."]
        )


def forget(folder: Path) -> Forgotten:
    """Empty a store of all that this package has put there, and say what was removed; other files
    are left and named.
    """
    done = Forgotten(folder)
    if not folder.is_dir():
        return done
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} may not be written to by you; nothing was removed.")
    busy = set()
    for lock in sorted(folder.glob("*.lock")):
        if _LOCK.fullmatch(lock.name) and not _is_free(lock):
            busy.add(lock.stem)
            done.left.append(f"{lock.stem}, which another process is computing now")
    for path, kind in list(_ours(folder)):
        if path.name.split(".")[0] not in busy:
            _remove(path, kind, done)
    for inner in (DAMAGED, CLAIMS):
        for path in sorted((folder / inner).rglob("*"), reverse=True):
            with suppress(OSError):
                path.rmdir()
        with suppress(OSError):
            (folder / inner).rmdir()
    known = {f"{stem}.lock" for stem in busy} | {path.name for path, _ in _ours(folder)}
    done.left += [
        f"{path.name}, which this package has not made"
        for path in sorted(folder.iterdir())
        if path.name not in known
    ]
    return done


def _is_free(lock: Path) -> bool:
    try:
        file = locks.take(lock)
    except (OSError, locks.CannotLock):
        return True
    if file is not None:
        os.close(file)
    return file is not None


def _ours(folder: Path) -> Iterator[tuple[Path, str]]:
    """All files of this package in a store, each with its kind."""
    for path in sorted(folder.iterdir()):
        if _ENTRY.fullmatch(path.name):
            yield path, "results"
        elif (
            _LOCK.fullmatch(path.name)
            or _PARTIAL.fullmatch(path.name)
            or _OF_OLD.fullmatch(path.name)
        ):
            yield path, "leftovers"
    if not (folder / DAMAGED).is_symlink():
        for path in sorted((folder / DAMAGED).glob("*")):
            yield path, "leftovers"
    if not (folder / CLAIMS).is_symlink():
        for path in sorted((folder / CLAIMS).glob("*/*")):
            if path.suffix == ".json":
                yield path, "claims"
            elif path.suffix == PARTIAL:
                yield path, "leftovers"


def _remove(path: Path, kind: str, done: Forgotten) -> None:
    try:
        size = path.lstat().st_size
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:
        done.left.append(f"{path.name}, which cannot be removed: {error.strerror}")
        return
    done.bytes += size
    setattr(done, kind, getattr(done, kind) + 1)


def stored(folder: Path) -> list[Path]:
    """The entries of a store, by name."""
    names = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        path
        for path in names
        if _ENTRY.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    ]
