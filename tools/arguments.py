"""What a person gives to a command: checked before anything starts, and said in one sentence if it will not do."""

from __future__ import annotations

import argparse
import errno
import glob
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NoReturn

from tools import running
from tools.files import ROOT, Refused

SCALES = ("smoke", "laptop", "gpu")
MOST_JOBS = 64


class Parser(argparse.ArgumentParser):
    """A parser whose help keeps the module's own lines, and whose errors are one sentence."""

    def __init__(self, **options) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        options.setdefault("allow_abbrev", False)
        super().__init__(**options)

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument \S+: (?=[A-Z]+ is )", "", message)
        raise Refused(message[:1].upper() + message[1:] + ("" if message.endswith(".") else "."))


def told(command: Callable[[], int]) -> int:
    """Run a command; return its exit code. What a person can mend is one sentence, not a traceback."""
    try:
        with running.stoppable():
            return command()
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except running.Stopped:
        print("Stopped. Nothing of it is running any more.", file=sys.stderr)
        return running.INTERRUPTED
    except BrokenPipeError:  # who read our words has left
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if (sentence := trouble(error)) is None:
            raise
        print(sentence, file=sys.stderr)
        return 1


def command_line(command: Callable[[], int]) -> NoReturn:
    """Run a command as a program of its own."""
    running.leave(told(command))


def trouble(error: OSError) -> str | None:
    """A sentence for what a machine may lack; None for an error that is ours."""
    where = f" ({error.filename})" if error.filename else ""
    if "No space left on device" in str(error) or error.errno == errno.ENOSPC:
        return f"The disk is full{where}: make room and run the command again. What was finished before is whole."
    if error.errno in (errno.EDQUOT, errno.EFBIG):
        return f"Your share of the disk is used up{where}: make room and run the command again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"This place cannot be written{where}: take another folder, or change its permissions."
        )
    if "No usable temporary directory" in str(error):
        return (
            "No temporary folder can be written: make room on the disk, or name a folder in TMPDIR."
        )
    return None


def whole_number(name: str, least: int, most: int) -> Callable[[str], int]:
    """A reader of whole numbers from ``least`` to ``most``, for `argparse`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"{name} is {text!r}; give a whole number from {least} to {most}"
            )
        return number

    return read


jobs = whole_number("JOBS", 1, MOST_JOBS)
port = whole_number("PORT", 1, 65535)


def whole_path(variable: str) -> None:
    """Raise Refused if ``variable`` names a relative folder: kernels start elsewhere, and each would make its own."""
    given = os.environ.get(variable, "").strip()
    if given and not Path(os.path.expanduser(given)).is_absolute():
        raise Refused(
            f"{variable} is {given!r}; give a whole path, such as {Path(given).absolute()}."
        )


def notebooks_named(given: Iterable[str] | None) -> list[Path]:
    """The notebooks that ``given`` names, as paths or patterns; all of the book's if it is empty.

    Raises Refused if one is no notebook, or not there.
    """
    from tools import notebooks

    names = [str(name) for name in given or []]
    if not any(name.strip() for name in names):
        return notebooks.every(ROOT / "book")
    return [path for name in names for path in _named(name)]


def _named(name: str) -> list[Path]:
    """The notebooks under one name: a file, a pattern, or several of these with spaces between."""
    found = _one(name)
    if found is None:
        try:
            parts = [_one(part) for part in shlex.split(name)]
        except ValueError:  # a quotation mark that is not closed
            parts = [None]
        if None in parts or not parts:
            example = "NB=book/02-generalization-gap.ipynb, NB='book/0*.ipynb'"
            raise Refused(f"No notebook is called {name!r}. For example: {example}.")
        found = [path for part in parts for path in part or []]
    return found


def _one(name: str) -> list[Path] | None:
    """The notebooks of a path or a pattern; None if there are none."""
    path = Path(name)
    if path.is_dir():
        raise Refused(f"{name} is a folder. Name its notebooks: NB='{path / '*.ipynb'}'.")
    if path.is_file():
        return [_notebook(path)]
    return [_notebook(Path(one)) for one in sorted(glob.glob(name))] or None


def _notebook(path: Path) -> Path:
    if path.suffix != ".ipynb":
        raise Refused(f"{path} is no notebook: its name does not end in .ipynb.")
    return path
