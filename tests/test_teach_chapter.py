"""A chapter for the classroom, and metadata that survives the project's own normalization."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labsupport.teach import chapter
from tools import notebooks as tools_notebooks

BOOK = Path(__file__).resolve().parent.parent / "book"
CHAPTERS = [path.stem for path in tools_notebooks.chapters(BOOK)]


def folded(notebook, word: str) -> int:
    return sum(cell.source.lower().count(f"<summary>{word}") for cell in notebook.cells)


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize("answers", [True, False])
def test_a_chapter_loses_its_solutions_and_if_wished_its_answers_and_nothing_else(
    tmp_path, name, answers
):
    before = nbformat.read(BOOK / f"{name}.ipynb", as_version=4)
    path = chapter.release(name[:2], tmp_path / "out", book=BOOK, answers=answers)
    after = nbformat.read(path, as_version=4)
    assert folded(before, "solution") > 0 and folded(after, "solution") == 0
    assert folded(after, "answer") == (folded(before, "answer") if answers else 0)
    assert folded(after, "hint") == folded(before, "hint")
    headings = [
        [line for cell in each.cells for line in cell.source.split("\n") if line.startswith("#")]
        for each in (before, after)
    ]
    assert set(headings[1]) <= set(headings[0])
    code = [
        [cell.source for cell in each.cells if cell.cell_type == "code"] for each in (before, after)
    ]
    assert code[0] == code[1] and not any(cell.get("outputs") for cell in after.cells)
    nbformat.validate(after)


def test_a_folded_part_that_holds_another_one_stops_the_release(tmp_path):
    (tmp_path / "book").mkdir()
    odd = "<details>\n<summary>Hint</summary>\n\n<details>\n<summary>Solution</summary>\n42\n"
    nbformat.write(new_notebook(cells=[new_markdown_cell(odd)]), tmp_path / "book" / "01-odd.ipynb")
    with pytest.raises(
        ValueError, match="cell 0: a solution could not be taken out; nothing was written"
    ):
        chapter.release("1", tmp_path / "out", book=tmp_path / "book")
    assert not (tmp_path / "out").exists()


def test_metadata_of_nbgrader_and_of_slides_survives_normalization():
    graded = {
        "grade": True,
        "grade_id": "q1",
        "locked": True,
        "points": 2,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    cell = new_code_cell(
        "1 + 1",
        metadata={"nbgrader": graded, "slideshow": {"slide_type": "slide"}, "scrolled": True},
    )
    notebook = new_notebook(cells=[cell])
    tools_notebooks.normalize(notebook)
    assert notebook.cells[0].metadata == {"nbgrader": graded, "slideshow": {"slide_type": "slide"}}


def test_a_released_chapter_keeps_them_too(tmp_path):
    (tmp_path / "book").mkdir()
    cell = new_markdown_cell("# One", metadata={"slideshow": {"slide_type": "slide"}})
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "book" / "01-one.ipynb")
    path = chapter.release("1", tmp_path / "out", book=tmp_path / "book")
    assert nbformat.read(path, as_version=4).cells[0].metadata["slideshow"] == {
        "slide_type": "slide"
    }
