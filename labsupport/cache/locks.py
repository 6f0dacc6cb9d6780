"""One process computes, the others wait; and nobody waits for one that was stopped.

A lock is a small file that its holder locks (`fcntl.flock`) and touches every few seconds. When the
holder ends, killed or not, the system lets go of the lock. When the holder is stopped, the file is
no longer touched: who waits names the holder and goes on. Where a folder cannot lock, two processes
may compute the same result, which costs time and nothing else.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Seconds between two signs of life of a holder.
BEAT = 2.0
#: Seconds without a sign of life after which nobody waits any longer.
PATIENCE = 20.0
#: Seconds after which a holder that lives is named to those who wait.
LONG = 300.0
#: Seconds between two looks.
LOOK = 0.2

_CANNOT_LOCK = {
    errno.ENOSYS,
    errno.ENOLCK,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.EINVAL,
    errno.EBADF,
}
_told: set[str] = set()


class CannotLock(Exception):
    """The folder's file system, or this system, has no locks."""


def take(path: Path) -> int | None:
    """A file descriptor that holds the lock, or None as long as another has it.

    Raises
    ------
    CannotLock
        There are no locks here.
    OSError
        The file cannot be made.
    """
    if fcntl is None:
        raise CannotLock("this system has none")
    while True:
        file = _open(path)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES):
                return None
            if error.errno in _CANNOT_LOCK:
                raise CannotLock(error.strerror) from error
            raise
        with suppress(OSError):
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        os.close(file)  # its last holder has deleted it in the meantime


def _open(path: Path) -> int:
    common = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | common, 0o666)
    except PermissionError:  # another user's, in a shared folder: it can be locked all the same
        return os.open(path, os.O_RDONLY | common)


def release(file: int, path: Path) -> None:
    """Let go of a lock; its file goes away."""
    with suppress(OSError):
        path.unlink()
    os.close(file)


def is_held(path: Path) -> bool:
    """Whether another process holds the lock now."""
    if not path.exists():
        return False
    try:
        file = take(path)
    except (CannotLock, OSError):
        return False
    if file is None:
        return True
    release(file, path)
    return False


@contextmanager
def held(path: Path, what: str) -> Iterator[bool]:
    """Run the block when nobody else is in it. Yields whether that is so: not where the holder is
    stopped, nor without locks.

    Raises OSError where no lock file can be made or written to.
    """
    try:
        file = _wait(path, what)
    except CannotLock as error:
        _say_once(
            f"{path.parent} has no file locks ({error}). Two processes may compute the same result there; that "
            "costs time, and no result is wrong. Set LABSUPPORT_STORE to a folder on a disk of this machine "
            "to avoid it."
        )
        file = None
    if file is None:
        yield False
        return
    ended = threading.Event()
    try:
        _sign(file, what)
        threading.Thread(target=_beat, args=(file, path, ended), daemon=True).start()
        yield True
    finally:
        ended.set()
        release(file, path)


def _wait(path: Path, what: str) -> int | None:
    began = seen = time.monotonic()
    sign, told = None, False
    while (file := take(path)) is None:
        now, last = time.monotonic(), _last_sign(path)
        if last != sign:
            sign, seen = last, now
        if now - seen > PATIENCE:
            warnings.warn(
                f"{_holder(path, what)}, has given no sign of life for {now - seen:.0f} seconds; it may be "
                "stopped. Nobody waits for it: the result is computed here.",
                stacklevel=6,
            )
            return None
        if now - began > LONG and not told:
            told = True
            warnings.warn(
                f"{_holder(path, what)}, is still at it. This process waits for its result.",
                stacklevel=6,
            )
        time.sleep(LOOK)
    return file


def _sign(file: int, what: str) -> None:
    about = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "what": what,
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    try:
        os.ftruncate(file, 0)
        os.write(file, json.dumps(about).encode())
    except OSError as error:
        # another user's lock file: opened for reading
        if error.errno not in (errno.EBADF, errno.EINVAL):
            raise


def _beat(file: int, path: Path, ended: threading.Event) -> None:
    while not ended.wait(BEAT):
        with suppress(OSError):
            os.utime(path)


def _last_sign(path: Path) -> int | None:
    with suppress(OSError):
        return path.stat().st_mtime_ns
    return None


def _holder(path: Path, what: str) -> str:
    with suppress(OSError, ValueError, KeyError, TypeError):
        about = json.loads(path.read_text(encoding="utf-8"))
        since = datetime.fromisoformat(about["since"]).strftime("%Y-%m-%d %H:%M:%S")
        return f"Process {int(about['process'])} on {about['host']}, which has been computing {what} since {since}"
    return f"Another process, which is computing {what}"


def _say_once(text: str) -> None:
    if text not in _told:
        _told.add(text)
        warnings.warn(text, stacklevel=7)
