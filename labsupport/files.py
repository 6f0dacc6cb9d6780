"""Files that are there whole or not at all: the one place where the package writes to disk. A leaf.

The content is written under another name in the same folder and then put in its place in one step, so a
reader, a second process or a kill never meets half a file. Its mode is what the umask says, as for any
file, so that a folder may be shared.
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

#: What a file ends in as long as it is being written; a kill may leave one.
PARTIAL = ".partial"


@contextmanager
def whole(path: Path, *, beside: str = "") -> Iterator[BinaryIO]:
    """A binary file to write to, which is at ``path`` once the block has ended without an error.

    ``beside`` begins the name of the partial file; by default it is hidden. Raises OSError as the system does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{beside}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        with open(partial, "xb") as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes | str, *, beside: str = "") -> None:
    """Put ``content`` (text as UTF-8) at ``path``, whole or not at all."""
    with whole(path, beside=beside) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


def require_writable(folder: Path, variable: str) -> Path:
    """Make a folder and write into it once, before long work, so that nothing is lost after it.

    ``variable`` is the environment variable or option that names another folder, for the error.
    Raises OSError in one sentence.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        shown = str(folder) if len(str(folder)) <= 100 else f"{str(folder)[:97]}..."
        said = f"Nothing can be kept in {shown}: {why(error)}. Point {variable} at another folder."
        raise OSError(error.errno, said) from error
    return folder


def why(error: OSError) -> str:
    """An error of the system in a few plain words.

    >>> why(OSError(errno.ENOSPC, "No space left on device"))
    'the disk is full'
    """
    return _PLAIN.get(error.errno, error.strerror or str(error))


#: Errors of a path at which nothing can lie.
NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_PLAIN: dict[int | None, str] = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your share of the disk is full",
    errno.EACCES: "it may not be written to by you",
    errno.EPERM: "it may not be written to by you",
    errno.EROFS: "it can only be read",
    errno.ENAMETOOLONG: "its name is too long for this file system",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EEXIST: "a part of its path is a file, not a folder",
    errno.ELOOP: "a link in its path leads back to itself",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}
