"""Each published solution, in its own chapter: after the chapter's real cells, on the networks that it trains there.

`test_exercises` runs the same solutions on small stand-ins; a bound can hold there and fail on the real thing.
"""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient

from tests.test_exercises import CHAPTERS, ROOT, published

pytestmark = pytest.mark.monthly


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_solution_is_accepted_in_its_chapter(chapter):
    (path,) = (ROOT / "book").glob(f"{chapter.removeprefix('chapter')}-*.ipynb")
    notebook = nbformat.read(path, as_version=4)
    solutions = {one.check: one.solution for one in published(chapter).values()}
    cells, checks = [], []
    for cell in notebook.cells:
        if cell.cell_type == "code" and "exercise-check" in cell.metadata.get("tags", []):
            cells.append(nbformat.v4.new_code_cell(solutions[cell.source]))
            checks.append(cell)
        cells.append(cell)
    notebook.cells = cells
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=1800, kernel_name="python3", resources=resources).execute()
    said = ["".join(out.get("text", "") for out in cell.outputs) for cell in checks]
    wrong = [text for text in said if ": correct." not in text]
    assert len(said) == len(solutions) and not wrong
