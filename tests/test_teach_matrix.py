"""Every assignment, graded as a class's would be: the solution, an empty notebook, and each typical wrong answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from labsupport.teach import grade, sandbox, source
from labsupport.teach.surroundings import Limits
from tests.assignments import made

FOLDER = Path(__file__).resolve().parent.parent / "assignments"
ASSIGNMENTS = {
    path.parent.name: source.read(path.parent) for path in sorted(FOLDER.glob("*/assignment.ipynb"))
}
MISTAKES = [
    (name, mistake["name"])
    for name, assignment in ASSIGNMENTS.items()
    for mistake in made.mistakes(assignment)
]
each_assignment = pytest.mark.parametrize("name", ASSIGNMENTS)
#: Another student's seed than the one in the source: nothing may depend on the author's own data.
SEED = 20261125


@pytest.fixture(scope="module")
def run():
    """Grade a notebook of an assignment; give the record."""
    kind = sandbox.mode()
    with sandbox.Warm() as warm:

        def graded(assignment, notebook, seed=SEED):
            record = grade.Record("x.ipynb", "digest", "release", seed=seed)
            job = grade.Job(
                record, made.code(notebook), str(assignment.folder), Limits(seconds=300), kind
            )
            return grade.run(job, warm)

        yield graded


def failed(record) -> set[str]:
    return {result["test"] for result in record.results if result["why"]}


@each_assignment
@pytest.mark.parametrize("seed", [SEED, 7])
def test_the_solution_scores_full_marks(run, name, seed):
    assignment = ASSIGNMENTS[name]
    record = run(assignment, made.answered(assignment, seed=seed), seed)
    assert record.problem == "" and record.failed_cells == []
    assert failed(record) == set(), record.results
    assert record.earned == assignment.automatic_points > 0


@each_assignment
def test_an_empty_notebook_scores_zero_and_stops_at_no_cell_that_was_given(run, name):
    assignment = ASSIGNMENTS[name]
    record = run(assignment, made.empty(assignment, seed=SEED))
    assert record.problem == "" and record.earned == 0


@pytest.mark.parametrize(
    ("name", "mistake"), MISTAKES, ids=[f"{name}: {mistake}" for name, mistake in MISTAKES]
)
def test_a_typical_wrong_answer_loses_its_points_and_no_others(run, name, mistake):
    assignment = ASSIGNMENTS[name]
    known = next(one for one in made.mistakes(assignment) if one["name"] == mistake)
    notebook = made.answered(assignment, seed=SEED, instead={known["question"]: known["code"]})
    record = run(assignment, notebook)
    assert failed(record) == set(known["loses"]), [
        (r["test"], r["why"]) for r in record.results if r["why"]
    ]
    of_question = {test.name: test.question for test in assignment.tests}
    assert {of_question[test] for test in known["loses"]} == {known["question"]}, (
        "another question's points are lost"
    )
    assert record.earned < assignment.automatic_points


@each_assignment
def test_an_assignment_has_what_the_guide_promises(name):
    assignment = ASSIGNMENTS[name]
    assert 4 <= len(assignment.questions) <= 7
    assert any(question.manual for question in assignment.questions), "no written part"
    assert len(made.mistakes(assignment)) >= 3
    for question in assignment.questions:
        if question.manual:
            assert "Rubric" in "".join(cell.source for cell in question.solution)
        else:
            assert any(test.hidden and test.points for test in question.tests)
            assert any(not test.hidden for test in question.tests)
    assert "minutes" in assignment.parts[0].source
    assert name == assignment.name == assignment.config["name"]


@each_assignment
def test_points_in_the_headings_are_those_that_are_given(name):
    assignment = ASSIGNMENTS[name]
    for question in assignment.questions:
        assert f"{question.points:g} point" in question.title
    assert f"{assignment.points:g} points" in assignment.parts[0].source
