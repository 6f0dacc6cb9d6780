"""A chapter for the classroom: exercises without solutions and, if wished, predictions without answers.

What students open is a copy; the chapter in the book stays as it is. Metadata of nbgrader and of slides stay too.
"""

from __future__ import annotations

import re
from pathlib import Path

from labsupport.errors import choose
from labsupport.teach.needs import need

_DETAILS = re.compile(
    r"<details\b[^>]*>\s*<summary>(?P<what>.*?)</summary>.*?</details>\n*",
    re.DOTALL | re.IGNORECASE,
)
_TAGS = re.compile(r"<[^>]+>")


def find(wanted: str, book: Path) -> Path:
    """The chapter called ``wanted``, "04" or "04-measuring-sensitivity"; else UnknownName, with those there are."""
    known = {path.stem: path for path in sorted(book.glob("[0-9][0-9]-*.ipynb"))}
    if not known:
        raise FileNotFoundError(f"There are no chapters in {book}; name the folder with --book.")
    numbers = {name[:2]: name for name in known} | {name[:2].lstrip("0"): name for name in known}
    return known[choose("chapter", numbers.get(wanted, wanted), known)]


def release(wanted: str, out: Path, *, book: Path, answers: bool = True) -> Path:
    """Write the chapter's classroom copy into the folder ``out``; ``answers`` keeps those to the predictions.

    Raises
    ------
    UnknownName, FileNotFoundError
        No such chapter.
    FileExistsError
        ``out`` is not empty.
    ValueError
        Something of a solution would be left.
    """
    nbformat = need("nbformat")
    path = find(wanted, book)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} is not empty: name a new folder, so that nothing is overwritten."
        )
    notebook = nbformat.read(path, as_version=4)
    strip(notebook, answers=answers)
    if (left := what_is_left(notebook, answers=answers)) is not None:
        raise ValueError(
            f"{path.name}, cell {left}: a solution could not be taken out; nothing was written."
        )
    out.mkdir(parents=True, exist_ok=True)
    target = out / path.name
    nbformat.write(notebook, target)
    return target


def strip(notebook, *, answers: bool) -> None:
    """Take folded solutions out of a notebook, with its outputs, which show what the students are to find."""
    unwanted = {"solution"} | (set() if answers else {"answer"})
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            before = cell.source
            cell.source = _DETAILS.sub(
                lambda part: "" if _kind(part) in unwanted else part.group(), before
            ).strip("\n")
            if not cell.source.strip() and before.strip():
                continue
        elif cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if "solution" in cell.metadata.get("tags", []):
                continue
        kept.append(cell)
    notebook.cells = kept
    notebook.metadata.pop("widgets", None)


def _kind(part: re.Match) -> str:
    """The first word of a folded part's summary: solution, answer, hint."""
    words = _TAGS.sub("", part.group("what")).strip().lower().split()
    return words[0].rstrip(":.,") if words else ""


def what_is_left(notebook, *, answers: bool) -> int | None:
    """The number of a cell that still folds away a solution, or None."""
    unwanted = r"solution" if answers else r"(solution|answer)"
    for number, cell in enumerate(notebook.cells):
        if re.search(rf"<summary>\s*(<[^>]+>\s*)*{unwanted}\b", cell.source, re.IGNORECASE):
            return number
    return None
