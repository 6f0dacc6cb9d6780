"""What a release hands out, what it keeps, and what it refuses."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

from labsupport.__main__ import app
from labsupport.teach import (
    autograder,
    notebooks,
    questions,
    release,
    roster,
    source,
    strip,
    submission,
)
from labsupport.teach.gradescope import OwnSeed
from labsupport.teach.setup_cell import install
from tests.assignments import made, secrets
from tools.notebooks import SETUP_CELL

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "assignments"
ASSIGNMENTS = {
    path.parent.name: source.read(path.parent) for path in sorted(FOLDER.glob("*/assignment.ipynb"))
}
each_assignment = pytest.mark.parametrize("name", ASSIGNMENTS)


def invoke(*words) -> str:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False).output


@pytest.fixture(scope="module")
def reference():
    return ASSIGNMENTS["04-the-measure"]


@pytest.fixture(scope="module")
def for_two(reference, tmp_path_factory):
    """A release for two students, without the parts that take long."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "roster.csv").write_text("id,name,email\nanna,Anna,anna@x.edu\nbo,Bo,bo@x.edu\n")
    students = roster.read(folder / "roster.csv")
    return release.make(
        reference, folder / "hw", students=students, paper=None, with_autograder=False
    )


# -- the student's notebook ---------------------------------------------------------------------------------------


@each_assignment
def test_a_students_notebook_has_no_solution_no_hidden_test_and_no_rubric(name):
    assignment = ASSIGNMENTS[name]
    text = "\n".join(cell.source for cell in notebooks.student(assignment, "0" * 12).cells)
    for secret in secrets.of(assignment):
        assert secret not in text, secret


def test_there_are_secrets_to_look_for(reference):
    found = secrets.of(reference)
    assert any("half = 2.776" in line for line in found) and any(
        "1 point: " in line for line in found
    )
    assert any("first_order(1.5" in line for line in found) and len(found) > 30


@each_assignment
def test_a_students_notebook_needs_no_otter_and_is_python(name):
    notebook = notebooks.student(ASSIGNMENTS[name], "0" * 12)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "otter" not in text and not any(cell.cell_type == "raw" for cell in notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)
    nbformat.validate(notebook)


@each_assignment
def test_a_students_checks_are_quiet_about_answers_and_right_for_the_solution(name, capsys):
    assignment = ASSIGNMENTS[name]
    for notebook, says in (
        (made.empty(assignment), "no answer yet"),
        (made.answered(assignment), "right so far"),
    ):
        space: dict = {}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, "cell", "exec"), space)
        lines = [
            line for line in capsys.readouterr().out.splitlines() if line.startswith("Question ")
        ]
        assert len(lines) == sum(any(not t.hidden for t in q.tests) for q in assignment.questions)
        wrong = [line for line in lines if says not in line]
        assert not wrong if says == "right so far" else len(wrong) < len(lines), lines


def test_a_function_that_is_not_written_yet_is_said_so_in_one_line(capsys):
    from labsupport import check

    def test_it_doubles(double):
        assert double(2) == 4, "double(2) should be 4."

    check.question("q1", {"double": lambda x: ...}, test_it_doubles)
    check.question("q1", {"double": lambda x: 1 / 0}, test_it_doubles)
    assert capsys.readouterr().out.splitlines() == [
        "Question q1: not yet. double(2) should be 4.",
        "Question q1: not yet. It stopped with ZeroDivisionError: division by zero.",
    ]


def test_the_setup_cell_is_the_books():
    ours = install()
    assert ours.strip() == SETUP_CELL.partition("\nIMPORTS")[0].strip()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("y = 3  # SOLUTION", "y = ..."),
        ("    return 2 * x  # SOLUTION", "    ..."),
        ("a, b = 1, 2  # SOLUTION", "a, b = ..."),
        ("half = 1  # SOLUTION NO PROMPT\nc = half # SOLUTION", "c = ..."),
        (
            "def f():\n    # BEGIN SOLUTION\n    x = 1\n    return x\n    # END SOLUTION",
            "def f():\n    ...",
        ),
        ("plain = 1  # no solution here", "plain = 1  # no solution here"),
    ],
)
def test_solutions_are_stripped_as_otter_strips_them(before, after):
    from otter.assign.solutions import replace_solutions

    assert strip.without_solution(before) == after
    assert "\n".join(replace_solutions(before.split("\n"), "python")) == after


# -- seeds --------------------------------------------------------------------------------------------------------


def test_each_student_has_data_of_their_own_and_always_the_same(for_two, reference, tmp_path):
    anna, bo = for_two.students
    assert for_two.seed_of(anna) != for_two.seed_of(bo)
    again = release.make(
        reference,
        tmp_path / "again",
        students=for_two.students,
        secret=for_two.secret,
        paper=None,
        with_autograder=False,
    )
    assert again.id == for_two.id and again.seed_of(anna) == for_two.seed_of(anna)
    files = [
        folder / "student" / "anna" / "04-the-measure.ipynb"
        for folder in (for_two.folder, again.folder)
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    other = release.make(
        reference, tmp_path / "other", students=for_two.students, paper=None, with_autograder=False
    )
    assert other.id != for_two.id and other.seed_of(anna) != for_two.seed_of(anna)


def test_neither_the_secret_nor_another_student_is_in_what_is_handed_out(for_two):
    handed_out = "".join(
        path.read_text()
        for path in (for_two.folder / "student").rglob("*.ipynb")
        if "anna" in path.parts
    )
    assert for_two.secret not in handed_out and "bo@x.edu" not in handed_out
    assert str(for_two.seed_of(for_two.students[1])) not in handed_out
    assert (for_two.folder / "instructor" / "release.json").stat().st_mode & 0o077 == 0


def test_gradescope_gives_a_submission_its_students_seed(for_two):
    config = {"seeds": autograder.seeds(for_two.seeds)}
    assert "anna" not in json.dumps(config)
    bo = for_two.students[1]
    for user in ({"email": "BO@x.edu"}, {"email": "other@y.org", "sid": "bo"}):
        plugin = OwnSeed("x.ipynb", {"users": [user]}, config)
        notebook = {"cells": [{"cell_type": "code", "source": "seed = 5  # yours"}]}
        changed = plugin.before_execution(notebook)
        assert changed["cells"][0]["source"] == f"seed = {for_two.seed_of(bo)}  # yours"
        assert changed["cells"][-1]["source"] == f"seed = {for_two.seed_of(bo)}"
    assert OwnSeed("x.ipynb", {}, config).seed() is None


def test_a_seed_that_a_student_changed_is_put_back():
    cells, said = submission.with_seed(["seed = 5  # mine", "x = 1\nseed = 7"], 42)
    assert cells == ["seed = 42  # mine", "x = 1\nseed = 42"] and said == [5, 7]
    assert submission.with_seed(["x = 1"], 42)[0][0] == "seed = 42"


# -- the rest of a release ----------------------------------------------------------------------------------------


def test_the_questions_on_paper_hold_every_question_and_no_solution(reference):
    page = questions.page(reference)
    for question in reference.questions:
        assert question.title.split(":")[-1].strip()[:20] in page
    assert "<math" in page and "$" not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
    for secret in secrets.of(reference):
        assert secret not in page


@pytest.mark.skipif(questions.find_browser() is None, reason="no browser to print with")
def test_the_questions_are_printed_as_a_pdf(reference, tmp_path):
    from pypdf import PdfReader

    path = questions.write(reference, tmp_path / "q")
    text = "".join(page.extract_text() for page in PdfReader(path).pages)
    assert path.suffix == ".pdf" and "Question 6" in text and "2.776 * growth" not in text


def test_without_a_browser_the_questions_are_a_page_and_that_is_said(
    reference, tmp_path, monkeypatch
):
    monkeypatch.setattr(questions, "find_browser", lambda: None)
    said = []
    assert questions.write(reference, tmp_path / "q", say=said.append).suffix == ".html"
    assert "No PDF" in said[0] and "--browser" in said[0]


def test_otter_accepts_the_reference_and_its_zip_grades_a_submission(reference, tmp_path):
    anna = roster.Student("anna", email="anna@x.edu")
    told = release.make(reference, tmp_path / "hw", students=[anna], paper=None)
    zipped = zipfile.ZipFile(tmp_path / "hw" / "instructor" / "autograder.zip")
    names = zipped.namelist()
    assert {"run_autograder", "setup.sh", "tests/q4.py", "files/marking.py"} <= set(names)
    assert "labsupport/teach/judging.py" in names and not any("mistakes" in name for name in names)
    config = zipped.read("otter_config.json").decode()
    assert "OwnSeed" in config and "anna" not in config and told.secret not in config
    instead = {"q2": "def corner(x, gradient, epsilon):\n    return 0 * x"}
    wrong = made.answered(reference, told.id, seed=told.seed_of(anna), instead=instead)
    made.save(wrong, tmp_path / "wrong.ipynb")
    words = ["otter", "run", "-a", zipped.filename, "-o", ".", "wrong.ipynb"]
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-800:]
    found = json.loads((tmp_path / "results.json").read_text())
    assert sum(test.get("score", 0) for test in found["tests"]) == reference.automatic_points - 3


def test_without_otter_one_sentence_says_what_to_install(reference, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "otter", None)
    with pytest.raises(
        RuntimeError,
        match=r'otter-grader, which is not installed; run: pip install "labsupport\[teach\]"\.$',
    ):
        release.make(reference, tmp_path / "hw", paper=None)
    assert not list(tmp_path.iterdir()), "nothing is left half-made"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["4.5"], "No assignment is called '4.5'"),
        (["04-the-mesure"], "Did you mean '04-the-measure'"),
        (["04", "--assignments", "EMPTY"], "There are no assignments in"),
        (["04", "--secret", "short", "--per-student", "ROSTER"], "at least 8 are needed"),
        (["04", "--per-student", "nowhere.csv"], "nowhere.csv does not exist"),
        (["chapter", "04", "05"], "Release what"),
        (["chapter", "44"], "No chapter is called '44'"),
    ],
)
def test_what_cannot_be_released_is_refused_in_one_sentence(tmp_path, words, says):
    (tmp_path / "empty").mkdir()
    (tmp_path / "roster.csv").write_text("id\nanna\n")
    known = {"EMPTY": tmp_path / "empty", "ROSTER": tmp_path / "roster.csv"}
    with pytest.raises((ValueError, OSError), match=says):
        invoke(
            "release",
            *[known.get(word, word) for word in words],
            "--out",
            tmp_path / "hw",
            "--no-autograder",
            "--browser",
            "none",
        )
    assert not (tmp_path / "hw").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty: name a new folder"):
        invoke("release", "04", "--out", tmp_path, "--no-autograder", "--browser", "none")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_release_that_fails_leaves_nothing(reference, tmp_path, monkeypatch):
    monkeypatch.setattr(questions, "write", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        release.make(reference, tmp_path / "hw", with_autograder=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda cells: cells.pop(
                next(i for i, c in enumerate(cells) if c.source == "# END QUESTION")
            ),
            "without its partner",
        ),
        (
            lambda cells: setattr(
                cells[
                    next(
                        i
                        for i, c in enumerate(cells)
                        if "points: 2\n" in c.source + "\n" and "BEGIN Q" in c.source
                    )
                ],
                "source",
                "# BEGIN QUESTION\nname: q1\npoints: 3",
            ),
            "has 3 points, its tests have 2",
        ),
        (
            lambda cells: setattr(
                next(c for c in cells if "def test_two" in c.source), "source", "x = 1"
            ),
            "a test begins with",
        ),
        (
            lambda cells: setattr(
                next(c for c in cells if "BEGIN Q" in c.source),
                "source",
                "# BEGIN QUESTION\nname: q1",
            ),
            "needs a name and points",
        ),
    ],
)
def test_an_assignment_that_does_not_fit_together_says_where(tmp_path, change, says):
    shutil.copytree(FOLDER / "04-the-measure", tmp_path / "a")
    path = tmp_path / "a" / "assignment.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, path)
    with pytest.raises(ValueError, match=says):
        source.read(tmp_path / "a")
