"""What the tools may write: folders that they made themselves, and files that are whole or not there.

A folder that a tool made holds a mark with the folder's place. Only such a folder is ever emptied: neither one of the
reader's, nor a copy of ours that somebody went on working in.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from labsupport.files import write as write_whole

__all__ = [
    "BUILD",
    "MARK",
    "ROOT",
    "Refused",
    "fresh",
    "ours",
    "put_in_place",
    "remove",
    "write_whole",
]

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
MARK = ".made-by-the-book"


class Refused(Exception):
    """What a person asked for cannot be done; the message is one sentence for them."""


def fresh(folder: Path) -> Path:
    """Make ``folder``, or empty it if a tool made it; return it, absolute and with its mark.

    Raises Refused, and touches nothing, if it holds what no tool put there.
    """
    folder = Path(folder).resolve()
    _refuse_unless_ours(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(
        folder / MARK, _place(folder) + "\n"
    )  # first: an interrupted run leaves a folder of ours
    for inside in folder.iterdir():
        if inside.name != MARK:
            remove(inside)
    return folder


def put_in_place(new: Path, target: Path) -> None:
    """Make ``target`` the folder ``new``, in one step; what a tool made there before goes.

    Raises Refused, and touches nothing, if ``target`` holds what no tool put there.
    """
    target = target.resolve()
    _refuse_unless_ours(target)
    write_whole(new / MARK, _place(target) + "\n")
    before = target.with_name(f"{target.name}.before")
    if target.exists():
        if before.exists():
            _refuse_unless_ours(before)
            remove(before)
        write_whole(target / MARK, _place(before) + "\n")
        target.rename(before)
    target.parent.mkdir(parents=True, exist_ok=True)
    new.rename(target)
    remove(before)


def _refuse_unless_ours(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise Refused(
            f"{folder} is a file. Name a folder that is new, empty, or made by this tool."
        )
    if folder.is_dir() and any(folder.iterdir()) and not ours(folder):
        raise Refused(
            f"{folder} is not empty and was not made by this tool, so it is left alone. "
            "Name a new or empty folder, or delete it yourself."
        )


def ours(folder: Path) -> bool:
    """Whether a tool made ``folder``, here: a copy that somebody made of it does not count."""
    try:
        return (folder / MARK).read_text(encoding="utf-8").strip() == _place(folder.resolve())
    except (OSError, UnicodeDecodeError):
        return False


def _place(folder: Path) -> str:
    """Where a folder is: inside the clone relative to it, since a clone may be moved."""
    inside = folder.is_relative_to(ROOT)
    return folder.relative_to(ROOT).as_posix() if inside else folder.as_posix()


def remove(path: Path) -> None:
    """Delete a file, a link (never what it points to) or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
