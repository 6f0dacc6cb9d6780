"""From a script in percent form to an assignment's notebook, and what is still wrong with it.

    python -m labsupport.teach.authoring draft.py assignments/04-the-measure

The notebook is the source that is kept; the script is a way to write it without a notebook editor.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from labsupport.teach import source
from labsupport.teach.needs import need

_MARK = re.compile(r"^(ASSIGNMENT CONFIG|(BEGIN|END) (QUESTION|SOLUTION|TESTS|PROMPT))")


def to_notebook(script: str):
    """The notebook that a percent script describes; its raw cells get back the ``# `` that such scripts lose."""
    jupytext = need("jupytext")
    notebook = jupytext.reads(script, fmt="py:percent")
    kept = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.metadata.clear()
    notebook.metadata.update(kept)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata = type(cell.metadata)({k: v for k, v in cell.metadata.items() if k == "tags"})
        if cell.cell_type == "raw" and _MARK.match(cell.source):
            cell.source = "# " + cell.source
    return notebook


def main(argv: list[str]) -> int:
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    script, folder = Path(argv[0]), Path(argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    need("nbformat").write(
        to_notebook(script.read_text(encoding="utf-8")), folder / "assignment.ipynb"
    )
    made = source.read(folder)
    print(
        f"{made.title}: {made.points:g} points in {len(made.questions)} questions, "
        f"{made.automatic_points:g} graded automatically by {len(made.tests)} tests."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
