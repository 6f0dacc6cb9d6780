"""The form every notebook shares: its metadata, its setup cell, the order of its parts.

    python -m tools.notebooks new 02-generalization-gap "The generalization gap"
    python -m tools.notebooks normalize book/02-*.ipynb
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent

METADATA = {  # no accelerator: the networks are tiny, and Colab's CPU is what a reader should get
    "colab": {"provenance": []},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
CELL_METADATA = {"tags", "cellView", "mystnb"}  # all else is a front end's own bookkeeping
SETUP_TAGS = ["setup", "hide-input", "nbval-ignore-output"]
PARTS = ["Paper and us", "Claims", "Exercises", "Summary", "What this does not show", "Where to go next"]

#: `PACKAGE` is empty in what is committed; `tools.published` fills it in the copies that are published.
SETUP_CELL = """\
# @title Setup: run this cell first
PACKAGE = ""
try:
    import labsupport
except ImportError:  # on Colab, for example: add the course's package, change nothing else
    import subprocess
    import sys
    from pathlib import Path

    class NotInstalled(ImportError):
        def _render_traceback_(self):  # one sentence instead of a traceback
            return [str(self)]

    beside = sorted(map(str, Path().glob("labsupport-*.whl")))
    package = beside[-1] if beside else PACKAGE
    again = "and run this cell again."
    if not package:
        raise NotInstalled(f"labsupport is not installed: put its wheel beside this notebook {again}")
    pip = [sys.executable, "-m", "pip", "install", "-q", package]
    if subprocess.run(pip, capture_output=True).returncode:
        raise NotInstalled(f"labsupport could not be installed from {package}: look at your connection {again}")

IMPORTS

s = settings.current()  # the problems and recipes of this scale
print(device.describe())"""
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
    """The chapters in ``folder``, in the book's order."""
    return sorted(folder.glob("[0-9][0-9]-*.ipynb"))


def normalize(notebook) -> None:
    """Strip what differs between two machines or front ends; keep outputs, counts and complete widget state.

    Colab writes `metadata.widgets` without state, which breaks the rendered page: such an entry is dropped.
    """
    kept = {
        kind: entry
        for kind, entry in notebook.metadata.get("widgets", {}).items()
        if isinstance(entry, dict) and entry.get("state")
    }
    notebook.metadata = nbformat.from_dict(METADATA | ({"widgets": kept} if kept else {}))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA})
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
            for output in cell.outputs:
                if "metadata" in output:
                    output.metadata = nbformat.from_dict({k: v for k, v in output.metadata.items() if k != "outputId"})


def merge_streams(outputs: list) -> list:
    """Join consecutive pieces of one stream: where they were cut depends on the machine's pace."""
    merged = []
    for output in outputs:
        before = merged[-1] if merged else None
        if before and output.output_type == "stream" == before.output_type and output.name == before.name:
            before.text += output.text
        else:
            merged.append(output)
    return merged


def write(notebook, path: Path) -> None:
    """Write ``notebook`` whole or not at all."""
    partial = path.with_suffix(".partial")
    nbformat.write(notebook, partial)
    partial.replace(path)


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
        new_markdown_cell("## The idea\n\nOne idea a paragraph, the concrete thing before the principle."),
        new_markdown_cell(
            "### Predict before you run\n\nWhat will happen?\n\n"
            "(a) nothing\n\n(b) this\n\n(c) that\n\n(d) it depends on the seed"
        ),
        new_code_cell("1 + 1  # the experiment"),
        new_markdown_cell("<details>\n<summary>Answer</summary>\n\n(b), and why.\n\n</details>"),
        new_markdown_cell("## Paper and us\n\nOur number beside the published one, with what differs."),
        new_markdown_cell("## Claims\n\nEach line says held or not held, with its margin."),
        new_code_cell(f'check.claim("{number}.1", "SB wins", gaps);  # see labsupport.check'),
        new_markdown_cell("## Exercises"),
    ]
    for k in (1, 2, 3):
        cells += [
            new_markdown_cell(f"### Exercise {number}.{k}: a title\n\nThe task."),
            new_code_cell("answer = None  # your answer", metadata={"tags": ["exercise"]}),
            new_code_cell(f'check.exercise("{number}.{k}", answer, expected=2)', metadata={"tags": ["exercise-check"]}),
            new_markdown_cell(
                "<details>\n<summary>Hint</summary>\n\nA nudge.\n\n</details>\n\n"
                "<details>\n<summary>Solution</summary>\n\nThe way, then the answer.\n\n</details>"
            ),
        ]
    cells += [
        new_markdown_cell("## Summary\n\n- One point for each goal."),
        new_markdown_cell("## What this does not show\n\nThe caveat, in the same breath as the claim."),
        new_markdown_cell("## Where to go next\n\nThe question that is left open."),
    ]
    notebook = new_notebook(cells=cells)
    normalize(notebook)
    return notebook


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write an empty chapter to book/")
    new.add_argument("name", help="two digits and words, joined by hyphens: 02-generalization-gap")
    new.add_argument("title")
    tidy = commands.add_parser("normalize", help="strip what differs between machines")
    tidy.add_argument("paths", nargs="+", type=Path)
    given = parser.parse_args(argv)

    if given.command == "normalize":
        for path in given.paths:
            notebook = nbformat.read(path, as_version=4)
            normalize(notebook)
            write(notebook, path)
        return 0
    if not re.fullmatch(r"\d\d(-[a-z0-9]+)+", given.name):
        print(f"{given.name!r} is no chapter's name. Use two digits and words: 02-generalization-gap.", file=sys.stderr)
        return 1
    path = ROOT / "book" / f"{given.name}.ipynb"
    if path.exists():
        print(f"{path.name} exists already.", file=sys.stderr)
        return 1
    write(skeleton(given.name, given.title), path)
    print(f"Wrote book/{path.name}. Fill it, then: make outputs NB=book/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
