"""Submissions as students would make them from a release: the answers put into the student's own notebook."""

from __future__ import annotations

import nbformat
import yaml

from labsupport.teach import notebooks, source, strip


def answered(
    assignment: source.Assignment,
    release: str = "",
    *,
    seed: int | None = None,
    student: str = "",
    instead: dict[str, str] | None = None,
    words: str = "Because of the wall.",
):
    """The student's notebook with every answer given: the author's, or what ``instead`` has for a question."""
    made = notebooks.student(assignment, release, seed=seed, student=student)
    answers = iter(_answers(assignment, instead or {}, words))
    for cell in made.cells:
        if "answer" in cell.metadata.get("tags", []):
            cell.source = next(answers)
    assert next(answers, None) is None, (
        "the student's notebook has fewer places for answers than the source"
    )
    return made


def _answers(assignment: source.Assignment, instead: dict[str, str], words: str):
    for question in assignment.questions:
        if question.manual:
            yield words
            continue
        for number, cell in enumerate(question.solution):
            if cell.cell_type == "code":
                right = strip.without_marks(cell.source)
                yield (
                    instead.get(question.name, right)
                    if number == 0 or question.name not in instead
                    else ""
                )


def empty(assignment: source.Assignment, release: str = "", **options):
    """The notebook as it was handed out."""
    return notebooks.student(assignment, release, **options)


def mistakes(assignment: source.Assignment) -> list[dict]:
    """The assignment's typical wrong answers."""
    path = assignment.folder / "mistakes.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def code(notebook) -> list[str]:
    """The sources of its code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def save(notebook, path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
