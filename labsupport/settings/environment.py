"""What the environment says: folders, scale, number of processes. The only place of the package that reads it.

A leaf: it imports nothing of ours. What is set and cannot be meant is refused in one sentence.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import tempfile
from pathlib import Path

import torch

SCALES = ("smoke", "laptop", "gpu")


def _given(name: str) -> str:
    return os.environ.get(name, "").strip()


def said(names: list[str]) -> dict[str, str]:
    """{name: value} of those variables that are set, for a report."""
    return {name: _given(name) for name in names if _given(name)}


def cache_home() -> Path:
    """The user's folder for what may be deleted at any time, absolute.

    ``$XDG_CACHE_HOME`` where it is absolute (an empty or relative one counts as unset), else the
    system's own, such as ``~/.cache``. Without a home, a folder for temporary files.
    """
    found = Path(_given("XDG_CACHE_HOME"))
    if not found.is_absolute():
        found = _system_cache()
    if not found.is_absolute():  # no HOME, and nobody of that name in the system's list
        found = Path(tempfile.gettempdir()) / f"labsupport-cache-{os.getuid()}"
    return found


def _system_cache() -> Path:
    usual = Path(os.path.expanduser("~/.cache"))
    try:
        import platformdirs

        found = Path(platformdirs.user_cache_dir())
    except (ImportError, RuntimeError):  # a bare machine with little more than torch; nobody's home
        return usual
    return found if found.is_absolute() else usual  # it takes a relative XDG_CACHE_HOME as it is


def for_a_process(**changes: str) -> dict[str, str]:
    """The environment of a process that this one starts: its own, with some variables changed."""
    return {**os.environ, **changes}


def python_path(*folders: Path) -> str:
    """``PYTHONPATH`` with folders before those that are there."""
    return os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])


def store_folder() -> Path:
    """Where results are kept: ``$LABSUPPORT_STORE``, else in the user's cache folder; absolute."""
    return _folder("LABSUPPORT_STORE", "store")


def use_store(folder: str | os.PathLike) -> None:
    """Keep results in this folder from now on, in this process and in those that it starts."""
    os.environ["LABSUPPORT_STORE"] = os.fspath(folder)


def data_folder() -> Path:
    """Where data sets are kept: ``$LABSUPPORT_DATA``, else in the user's cache folder; absolute."""
    return _folder("LABSUPPORT_DATA", "data")


def _folder(variable: str, name: str) -> Path:
    given = _given(variable)
    if not given:
        return cache_home() / "labsupport" / name
    found = Path(os.path.expanduser(given))
    if not found.is_absolute():
        raise ValueError(
            f"{variable} is {given!r}; an absolute folder is needed, or one that begins with ~/, "
            "because notebooks and commands start in different folders."
        )
    try:
        os.stat(found)
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise ValueError(
                f"{variable} is {given[:60]!r}, which leads nowhere: {error.strerror}. Give another folder."
            ) from error
    return found


def scale() -> str:
    """The scale's name: ``$LABSUPPORT_SCALE``, else ``gpu`` where torch sees one, else ``laptop``.

    Raises ValueError for a name that is not in `SCALES`, with the nearest one.
    """
    given = _given("LABSUPPORT_SCALE")
    if not given:
        return "gpu" if torch.cuda.is_available() else "laptop"
    if given.lower() in SCALES:
        return given.lower()
    near = difflib.get_close_matches(given.lower(), SCALES, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"No scale is called {given!r}.{hint} LABSUPPORT_SCALE can be {', '.join(SCALES)}."
    )


def workers() -> int | None:
    """How many processes may train side by side, by ``$LABSUPPORT_WORKERS``; None where nothing is said.

    0 counts as 1. Raises ValueError for what is no whole number of at least 0.
    """
    given = _given("LABSUPPORT_WORKERS")
    if not given:
        return None
    if not (given.isascii() and given.isdigit()):
        raise ValueError(
            f"LABSUPPORT_WORKERS is {given[:60]!r}; a whole number of at least 1 is needed, or leave it unset."
        )
    return max(1, min(int(given[:9]), 1024))


def commit() -> str:
    """The commit that a copy of the sources was made from, by ``$LABSUPPORT_COMMIT``; empty where nothing is said.

    Raises ValueError for what is no commit's name.
    """
    given = _given("LABSUPPORT_COMMIT")
    if given and not re.fullmatch("[0-9a-f]{7,64}", given):
        raise ValueError(
            f"LABSUPPORT_COMMIT is {given[:60]!r}; a commit's name is needed, such as 05ac20d: what "
            "`git rev-parse --short HEAD` prints where the copy was made."
        )
    return given


def measured_again() -> set[str]:
    """The committed measurements to be made here, by ``$LABSUPPORT_MEASURE``: names, or ``all``; mostly none."""
    return {name.strip() for name in _given("LABSUPPORT_MEASURE").split(",")} - {""}


def shows_progress() -> bool:
    """Whether progress bars are wanted: not where ``TQDM_DISABLE`` is set, as in the book's own build."""
    return not _given("TQDM_DISABLE")
