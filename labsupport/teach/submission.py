"""What a student handed in: found in a folder of whatever a learning platform gives, and read without running it."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from labsupport.teach.source import SEED, Assignment

#: Bytes of a notebook that is read.
LARGEST = 50 * 2**20
_RELEASE = re.compile(r"release ([0-9a-f]{12})")
_HEADING = re.compile(r"^#{1,3} (.+)$", re.MULTILINE)


@dataclass
class Submission:
    """One submission: where it is, its code cells, its text, or why it cannot be read."""

    name: str
    path: Path
    digest: str = ""
    cells: list[str] = field(default_factory=list, repr=False)
    texts: list[tuple[str, str]] = field(
        default_factory=list, repr=False
    )  # (kind, source) of all cells
    release: str = ""
    student: str = ""  # as the notebook says, which anybody can write
    problem: str = ""


def find(folder: Path) -> list[Submission]:
    """Every submission in ``folder``: a file each, or a folder each as platforms make them.

    Raises
    ------
    FileNotFoundError, ValueError
        No such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is no folder. Give the folder that holds the submissions."
        )
    entries = sorted(
        path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))
    )
    if not entries:
        raise ValueError(f"{folder} is empty: there is nothing to grade.")
    return [_read(path, folder) for entry in entries for path in _of(entry)]


def _of(entry: Path) -> list[Path]:
    """The files of one entry: itself, or a folder's notebooks; the folder if it has none."""
    if entry.is_symlink() or not entry.is_dir():
        return [entry]
    notebooks = [
        path for path in sorted(entry.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts
    ]
    return notebooks or [entry]


def _read(path: Path, folder: Path) -> Submission:
    made = Submission(unicodedata.normalize("NFC", str(path.relative_to(folder))), path)
    try:
        _fill(made)
    except (OSError, ValueError, RecursionError) as error:
        made.problem = (
            str(error)
            if isinstance(error, ValueError)
            else f"It cannot be read: {type(error).__name__}."
        )
    return made


def _fill(made: Submission) -> None:
    path = made.path
    if path.is_symlink():
        raise ValueError("It is a link to another file.")
    if path.is_dir():
        raise ValueError("There is no notebook in this folder.")
    if not path.is_file():
        raise ValueError("It is no file.")
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"It has {size / 2**20:.0f} MB; at most {LARGEST // 2**20} are read.")
    content = path.read_bytes()
    made.digest = hashlib.sha256(content).hexdigest()
    if path.suffix.lower() != ".ipynb":
        raise ValueError(f"It is no notebook, but {path.suffix or 'a file without a suffix'}.")
    _parse(made, content)


def _parse(made: Submission, content: bytes) -> None:
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ValueError("It is no notebook: its content is no JSON.") from None
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("It is no notebook: it has no cells.")
    for cell in cells:
        kind, source = (
            (cell.get("cell_type"), cell.get("source", ""))
            if isinstance(cell, dict)
            else (None, "")
        )
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        made.texts.append((str(kind), source))
    made.cells = [source for kind, source in made.texts if kind == "code"]
    said = _dictionary(_dictionary(notebook, "metadata"), "labsupport")
    made.student = str(said.get("student", ""))[:200]
    in_cells = _RELEASE.search("\n".join(made.cells))
    made.release = in_cells.group(1) if in_cells else str(said.get("release", ""))[:12]


def _dictionary(outer: dict, key: str) -> dict:
    """A dictionary inside another; an empty one where it is none."""
    found = outer.get(key)
    return found if isinstance(found, dict) else {}


def with_seed(cells: list[str], seed: int) -> tuple[list[str], list[int]]:
    """The cells with the seed that was given out in place of what they say; and the seeds they said."""
    said = [int(found.group(1)[:18]) for source in cells for found in SEED.finditer(source)]
    if said:
        return [
            SEED.sub(lambda found: f"seed = {seed}{found.group(2)}", source) for source in cells
        ], said
    return [f"seed = {seed}", *cells], said


def written(made: Submission, assignment: Assignment) -> dict[str, str]:
    """The answers in words to the questions that are graded by hand: the text below each question's heading."""
    wanted = {
        question.title.strip(): question.name
        for question in assignment.questions
        if question.manual
    }
    found: dict[str, str] = {}
    current = None
    for kind, source in made.texts:
        heading = _HEADING.search(source) if kind == "markdown" else None
        if heading:
            current = wanted.get(heading.group(1).strip())
        elif kind == "markdown" and current:
            found[current] = (found.get(current, "") + "\n\n" + source).strip()
    return found
