"""The form every notebook shares: its metadata, its setup cell, the order of its parts.

python -m tools.notebooks new 02-generalization-gap "The generalization gap"
python -m tools.notebooks normalize book/02-*.ipynb
"""

from __future__ import annotations

import re
from pathlib import Path

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labsupport.teach.setup_cell import METADATA, install
from tools import arguments, normal
from tools.files import ROOT, Refused
from tools.normal import read, write

__all__ = [
    "METADATA",
    "PAGES",
    "chapters",
    "every",
    "no_chapters",
    "normalize",
    "read",
    "skeleton",
    "write",
]

NAME = re.compile(r"\d\d(-[a-z0-9]+)+")
#: Pages that are notebooks: run, published and opened on Colab like chapters, without claims and exercises.
PAGES = ("your-own-network",)

SETUP_TAGS = ["setup", "hide-input", "nbval-ignore-output"]
PARTS = [
    "Paper and us",
    "Claims",
    "Exercises",
    "Summary",
    "What this does not show",
    "Where to go next",
]

#: `PACKAGE` is empty in what is committed; `tools.published` fills it in the copies that are published.
SETUP_CELL = (
    install()
    + """
IMPORTS

s = settings.current()  # the problems and recipes of this scale
print(device.describe())"""
)
IMPORTS = """\
import matplotlib.pyplot as plt
import numpy as np
import torch

from labsupport import check, device, explore, plots, settings, training"""


#: What stands below the title; where the address is known, the link to Colab is put before it.
RUN_IT = "[Run it yourself](setup.md)"


def setup_cell(imports: str = IMPORTS) -> str:
    """The source of a setup cell: where the package is missing it installs it, elsewhere it only imports."""
    return SETUP_CELL.replace("IMPORTS", imports.strip())


def chapters(folder: Path) -> list[Path]:
    """The chapters in ``folder``, in the book's order; not a second copy that a front end made of one."""
    return [path for path in every(folder) if path.stem not in PAGES]


def every(folder: Path) -> list[Path]:
    """The notebooks of the book in ``folder``: the chapters in their order, then the pages that are notebooks."""
    extra = no_chapters(folder)
    return [path for path in sorted(folder.glob("*.ipynb")) if path not in extra]


def no_chapters(folder: Path) -> dict[Path, str]:
    """The notebooks in ``folder`` that are none of the book's, each with the reason: "is a second copy of ...".

    Jupyter names a copy ``03-sharp-Copy1``, a file manager ``03-sharp (1)``, Colab ``Copy of 03-sharp``.
    """
    paths = sorted(folder.glob("*.ipynb"), key=lambda path: (len(path.stem), path.stem))
    found: dict[Path, str] = {}
    originals: list[Path] = []
    for path in paths:
        original = next((one for one in originals if one.stem in path.stem), None)
        if original:
            found[path] = f"is a second copy of {original.name}"
        elif path.stem not in PAGES and not NAME.fullmatch(path.stem):
            found[path] = "is not named as a chapter, two digits and words: 02-generalization-gap"
        else:
            originals.append(path)
    return found


def normalize(notebook, name: str = "The notebook") -> None:
    """Bring ``notebook`` to the chapters' form, in place. Raises Refused if it is none that can be brought to it."""
    normal.normalize(notebook, METADATA, name)


def skeleton(name: str, title: str):
    """A new chapter with every part in its place, for an author to fill."""
    number = int(name[:2])
    cells = [
        new_markdown_cell(
            f"# {title}\n\n*The question of the chapter?*\n\n"
            "**You will** do this; see that; know what follows.\n\n"
            "**You need** the gradient, and the chapter before.\n\n"
            "**Takes about** 30 minutes to read, 60 seconds to run (laptop CPU) or 40 seconds (free GPU).\n\n"
            f"{RUN_IT}"
        ),
        new_code_cell(setup_cell(), metadata={"tags": SETUP_TAGS, "cellView": "form"}),
        new_markdown_cell(
            "## The idea\n\nOne idea a paragraph, the concrete thing before the principle."
        ),
        new_markdown_cell(
            "### Predict before you run\n\nWhat will happen?\n\n"
            "(a) nothing\n\n(b) this\n\n(c) that\n\n(d) it depends on the seed"
        ),
        new_code_cell("1 + 1  # the experiment"),
        new_markdown_cell("<details>\n<summary>Answer</summary>\n\n(b), and why.\n\n</details>"),
        new_markdown_cell(
            "## Paper and us\n\nOur number beside the published one, with what differs."
        ),
        new_markdown_cell("## Claims\n\nEach line says held or not held, with its margin."),
        new_code_cell(f'check.claim("{number}.1", "SB wins", gaps);  # see labsupport.check'),
        new_markdown_cell("## Exercises"),
    ]
    for k in (1, 2, 3):
        cells += [
            new_markdown_cell(f"### Exercise {number}.{k}: a title\n\nThe task."),
            new_code_cell("answer = None  # your answer", metadata={"tags": ["exercise"]}),
            new_code_cell(
                f'check.exercise("{number}.{k}", answer, expected=2)',
                metadata={"tags": ["exercise-check"]},
            ),
            new_markdown_cell(
                "<details>\n<summary>Hint</summary>\n\nA nudge.\n\n</details>\n\n"
                "<details>\n<summary>Solution</summary>\n\nThe way, then the answer.\n\n</details>"
            ),
        ]
    cells += [
        new_markdown_cell("## Summary\n\n- One point for each goal."),
        new_markdown_cell(
            "## What this does not show\n\nThe caveat, in the same breath as the claim."
        ),
        new_markdown_cell("## Where to go next\n\nThe question that is left open."),
    ]
    notebook = new_notebook(cells=cells)
    normalize(notebook)
    return notebook


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write an empty chapter to book/")
    new.add_argument("name", help="two digits and words, joined by hyphens: 02-generalization-gap")
    new.add_argument("title")
    tidy = commands.add_parser("normalize", help="strip what differs between machines")
    tidy.add_argument("paths", nargs="+")
    given = parser.parse_args(argv)

    if given.command == "normalize":
        paths = arguments.notebooks_named(given.paths)
        tidied = [(path, read(path)) for path in paths]
        for path, notebook in tidied:
            normalize(notebook, path.name)
        for path, notebook in tidied:  # all or none
            write(notebook, path)
        return 0
    if not NAME.fullmatch(given.name):
        raise Refused(
            f"{given.name!r} is no chapter's name. Use two digits and words: 02-generalization-gap."
        )
    path = ROOT / "book" / f"{given.name}.ipynb"
    if path.exists():
        raise Refused(f"{path.name} exists already.")
    write(skeleton(given.name, given.title), path)
    print(f"Wrote book/{path.name}. Fill it, then: make outputs NB=book/{path.name}")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
