"""The notebooks that a release writes: the student's, without solutions or hidden tests, and the solution."""

from __future__ import annotations

from labsupport.teach import strip
from labsupport.teach.needs import need
from labsupport.teach.setup_cell import METADATA, install
from labsupport.teach.source import SEED, Assignment, Question


def student(
    assignment: Assignment,
    release: str,
    *,
    seed: int | None = None,
    student: str = "",
    package: str = "",
):
    """What a student gets. ``seed`` takes the place of the source's; ``release`` is noted beside it."""
    cells = []
    for part in assignment.parts:
        if isinstance(part, Question):
            cells += _question(part)
        else:
            cells.append(_given(part, release, seed, package))
    said = {"assignment": assignment.name, "release": release} | (
        {"student": student} if student else {}
    )
    return _notebook(cells, {"labsupport": said})


def solution(assignment: Assignment):
    """What the instructor keeps: answers, rubrics and all tests."""
    v4, cells = need("nbformat.v4"), []
    for part in assignment.parts:
        if not isinstance(part, Question):
            cells.append(_given(part, "", None, ""))
            continue
        cells += [_copy(cell) for cell in part.text]
        for cell in part.solution:
            shown = _copy(cell)
            shown.source = strip.without_marks(cell.source)
            cells.append(shown)
        for test in part.tests:
            kind = "hidden" if test.hidden else "visible"
            head = f"**{test.name}**: {kind}, {test.points:g} points\n\n"
            cells.append(v4.new_markdown_cell(f"{head}```python\n{test.source}```"))
    return _notebook(cells, {"labsupport": {"assignment": assignment.name, "solution": True}})


def _question(question: Question) -> list:
    v4 = need("nbformat.v4")
    cells = [_copy(cell) for cell in question.text]
    if question.manual:
        return [*cells, v4.new_markdown_cell(strip.PROMPT, metadata={"tags": ["answer"]})]
    for cell in question.solution:
        source = strip.without_solution(cell.source)
        made = (
            v4.new_code_cell(source)
            if cell.cell_type == "code"
            else v4.new_markdown_cell(strip.PROMPT)
        )
        made.metadata["tags"] = ["answer"]
        cells.append(made)
    if shown := [test for test in question.tests if not test.hidden]:
        cells.append(v4.new_code_cell(check_cell(question, shown), metadata={"tags": ["check"]}))
    return cells


def check_cell(question: Question, tests: list) -> str:
    """The visible checks of a question, through the course's own `check`."""
    names = ", ".join(test.name for test in tests)
    bodies = "\n\n".join(test.source for test in tests)
    head = f"# Check of {question.name}: run the cell above, then this one"
    return f'{head}\n{bodies}\n\ncheck.question("{question.name}", globals(), {names})'


def _given(cell, release: str, seed: int | None, package: str):
    made = _copy(cell)
    if cell.cell_type != "code":
        return made
    if "setup" in cell.metadata.get("tags", []):
        made.source = f"{install(package)}\n{cell.source}"
    if SEED.search(cell.source):
        note = f" (release {release})" if release else ""
        made.source = SEED.sub(
            lambda found: (
                f"seed = {found.group(1) if seed is None else seed}{found.group(2)}{note}"
            ),
            cell.source,
        )
    return made


def _copy(cell):
    v4 = need("nbformat.v4")
    make = {"code": v4.new_code_cell, "markdown": v4.new_markdown_cell}.get(
        cell.cell_type, v4.new_raw_cell
    )
    made = make(cell.source)
    if tags := [tag for tag in cell.metadata.get("tags", []) if tag in ("given", "setup")]:
        made.metadata["tags"] = tags
    return made


def _notebook(cells: list, said: dict):
    """A notebook without outputs, the same for the same cells to the last byte."""
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number:03d}"
    metadata = METADATA | said
    made = need("nbformat.v4").new_notebook(cells=cells, metadata=metadata)
    made.nbformat, made.nbformat_minor = 4, 5
    return made
