"""A class of thirty, graded: good, bad and hostile submissions, under names as students and platforms give them."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labsupport.__main__ import app
from labsupport.teach import release, roster, sandbox, source, tables
from tests.assignments import hostile, made

ROOT = Path(__file__).resolve().parent.parent
NAMES = [
    "anna",
    "bo",
    "chloé",
    "d'angelo",
    "emma lou",
    "fritz",
    "gül",
    "hana",
    "ivo",
    "jiří",
    "kim",
    "lea",
    "max",
    "nora",
    "ole",
    "pia",
    "quentin",
    "rosa",
    "sam",
    "tom",
    "uwe",
    "vera",
    "wu",
    "xenia",
    "yara",
    "zoë",
]


@pytest.fixture(scope="module")
def class_of_thirty(tmp_path_factory):
    """A release for 26 students and 30 submissions; their folder, and what each file should earn."""
    folder = tmp_path_factory.mktemp("class")
    table = folder / "roster.csv"
    table.write_text(
        "id,name,email\n"
        + "".join(f"{n},{n.title()},{n.replace(' ', '.')}@x.edu\n" for n in NAMES),
        encoding="utf-8",
    )
    assignment = source.read(ROOT / "assignments" / "04-the-measure")
    out = folder / "hw04"
    told = release.make(
        assignment, out, students=roster.read(table), paper=None, with_autograder=False
    )
    handed_in = folder / "submissions"
    wanted = _hand_in(assignment, told, handed_in)
    return folder, told, assignment, handed_in, wanted


def _hand_in(assignment, told, handed_in) -> dict[str, float]:
    full, mistakes = assignment.automatic_points, made.mistakes(assignment)
    points = {test.name: test.points for test in assignment.tests}
    wanted = {}

    def save(name, notebook, earns):
        made.save(notebook, handed_in / name)
        wanted[name] = earns

    def of(student, **options):
        student = next(one for one in told.students if one.id == student)
        return made.answered(
            assignment, told.id, seed=told.seed_of(student), student=student.id, **options
        )

    save("anna.ipynb", of("anna"), full)
    save("anna (1).ipynb", of("anna", instead={"q2": "corner = None"}), full - 3)
    save("bo_98765_112233_04-the-measure.ipynb", of("bo"), full)  # as Canvas names it
    save(
        "Chloé Martin_chloé_assignsubmission_file/my homework é.ipynb", of("chloé"), full
    )  # as Moodle does
    save("d'angelo.ipynb", of("d'angelo"), full)
    save("d'angelo - Copy.ipynb", of("d'angelo"), full)
    save("emma lou.ipynb", of("emma lou"), full)
    save("fritz@x.edu.ipynb", of("fritz"), full)
    save("gu\u0308l.ipynb", of("gül"), full)  # u and two dots, as another system writes it
    save(
        "hana.ipynb", of("anna"), full - 4
    )  # a neighbor's notebook: its numbers of q1 and q5 are the neighbor's
    wanted["hana.ipynb"] = full  # but they are computed, from the seed that the grader puts in
    old = of("ivo")
    for cell in old.cells:
        cell.source = cell.source.replace(told.id, "0123456789ab")
    save("ivo.ipynb", old, full)
    for student, mistake in zip(["jiří", "kim", "lea", "max", "nora", "ole"], mistakes):
        lost = sum(points[test] for test in mistake["loses"])
        save(
            f"{student}.ipynb",
            of(student, instead={mistake["question"]: mistake["code"]}),
            full - lost,
        )
    for student in ("pia", "quentin"):
        save(f"{student}.ipynb", made.empty(assignment, told.id), 0)
    attacks = [
        "exits",
        "prints gigabytes",
        "patches check, numpy and torch",
        "forges answers",
        "deletes files",
        "forks",
    ]
    for student, attack in zip(["rosa", "sam", "tom", "uwe", "vera", "wu"], attacks):
        notebook = made.empty(assignment, told.id)
        notebook.cells += [_cell(source_) for source_ in hostile.ATTACKS[attack][0]]
        save(f"{student}.ipynb", notebook, 0)
    for name, content in (
        ("xenia.ipynb", b"\x89PNG"),
        ("yara.pdf", b"%PDF"),
        ("nobody at all.ipynb", b"{}"),
    ):
        (handed_in / name).write_bytes(content)
        wanted[name] = 0
    (handed_in / "zoë").mkdir()
    wanted["zoë"] = 0
    typed = of("emma lou", instead={"q1": "allowances, share = [0.00102, 0.009], 97.0"})
    save("stranger.ipynb", typed, 0)
    wanted["stranger.ipynb"] = None  # the notebook itself says whose it is
    assert len(wanted) == 30
    return wanted


def _cell(text):
    from nbformat.v4 import new_code_cell

    return new_code_cell(text)


def grade(*words):
    result = CliRunner().invoke(app, ["grade", *map(str, words)], catch_exceptions=False)
    return result.output


@pytest.fixture(scope="module")
def graded(class_of_thirty):
    """The table of grades by submission, and what was said meanwhile."""
    folder, _, _, handed_in, _ = class_of_thirty
    out = folder / "grades.csv"
    said = grade(
        folder / "hw04", handed_in, "--out", out, "--jobs", 2, "--seconds", 60, "--memory", 1500
    )
    with out.open(encoding="utf-8-sig", newline="") as file:
        return {line["submission"]: line for line in csv.DictReader(file)}, said, out


def key(name: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", name)


def test_every_submission_has_a_row_with_the_points_that_it_earned(class_of_thirty, graded):
    wanted, (rows, _, _) = class_of_thirty[4], graded
    assert set(rows) == {key(name) for name in wanted}
    for name, points in wanted.items():
        row = rows[key(name)]
        earned = float(
            next(value for column, value in row.items() if column.startswith("automatic"))
        )
        assert points is None or earned == points, row


def test_submissions_are_known_by_the_names_that_platforms_give_them(graded):
    rows, _, _ = graded
    known = {name: row["student"] for name, row in rows.items()}
    assert known["bo_98765_112233_04-the-measure.ipynb"] == "bo"
    assert known[key("Chloé Martin_chloé_assignsubmission_file/my homework é.ipynb")] == "chloé"
    assert known["fritz@x.edu.ipynb"] == "fritz" and known[key("gül.ipynb")] == "gül"
    assert known["anna (1).ipynb"] == known["anna.ipynb"] == "anna"


def test_what_is_doubtful_is_flagged(graded):
    rows, _, _ = graded
    assert "made from release 0123456789ab" in rows["ivo.ipynb"]["to look at"]
    assert "was given to anna" in rows["hana.ipynb"]["to look at"]
    assert "2 submissions" in rows["anna.ipynb"]["to look at"]
    assert "its name names no student" in rows["stranger.ipynb"]["to look at"].lower()
    assert rows["anna.ipynb"]["what went wrong"] == ""


def test_what_went_wrong_is_said_in_words(graded):
    rows, _, _ = graded
    assert "ended by itself" in rows["rosa.ipynb"]["what went wrong"]
    assert "printed more than" in rows["sam.ipynb"]["what went wrong"]
    assert "no notebook" in rows["xenia.ipynb"]["what went wrong"]
    assert "no notebook, but .pdf" in rows["yara.pdf"]["what went wrong"]
    assert "no notebook in this folder" in rows["zoë"]["what went wrong"]


def test_progress_is_shown_submission_by_submission(graded):
    assert "30 of 30" in graded[1] and "anna.ipynb" in graded[1]


def test_canvas_and_moodle_get_one_line_for_each_student_and_the_best_submission(
    class_of_thirty, graded
):
    _, told, assignment, _, _ = class_of_thirty
    out = graded[2]
    canvas = list(csv.reader(out.with_suffix(".canvas.csv").open(encoding="utf-8-sig")))
    assert canvas[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert canvas[1][0] == "    Points Possible" and canvas[1][-1] == "20"
    assert len(canvas) == 2 + len(told.students)
    points = {line[1]: line[-1] for line in canvas[2:]}
    assert points["anna"] == "17" and points["pia"] == "0"
    moodle = list(csv.DictReader(out.with_suffix(".moodle.csv").open(encoding="utf-8-sig")))
    assert len(moodle) == len(told.students) and moodle[0]["Email address"] == "anna@x.edu"


def test_a_second_run_grades_nothing_again_and_a_stopped_one_goes_on(class_of_thirty, graded):
    folder, _, _, handed_in, _ = class_of_thirty
    out = graded[2]
    before = out.read_bytes()
    records = sorted(out.with_suffix(".records").glob("*.json"))
    assert len(records) == 30
    said = grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)
    assert " of 30  " not in said and out.read_bytes() == before
    record = next(
        path for path in records if json.loads(path.read_text())["submission"] == "kim.ipynb"
    )
    record.write_text(record.read_text()[:100])  # cut short, as by a full disk
    said = grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)
    assert "kim.ipynb" in said and "lea.ipynb" not in said


def test_points_given_by_hand_are_added_and_never_overwritten(class_of_thirty, graded):
    folder, _, assignment, handed_in, _ = class_of_thirty
    out = graded[2]
    marks = out.with_suffix(".written.csv")
    text = marks.read_text(encoding="utf-8-sig")
    assert "anna.ipynb," in text
    marks.write_text(text.replace("anna.ipynb,", "anna.ipynb,2.5"), encoding="utf-8-sig")
    grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)
    rows = {line["submission"]: line for line in csv.DictReader(out.open(encoding="utf-8-sig"))}
    assert (
        rows["anna.ipynb"]["total"] == "19.5"
        and rows["bo_98765_112233_04-the-measure.ipynb"]["total"] == ""
    )
    assert "anna.ipynb,2.5" in marks.read_text(encoding="utf-8-sig")
    marks.write_text(text.replace("anna.ipynb,", "anna.ipynb,9"), encoding="utf-8-sig")
    with pytest.raises(
        ValueError, match="line [0-9]+, column q6: '9' is no number of points from 0 to 3"
    ):
        grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)
    marks.write_text(text, encoding="utf-8-sig")
    grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)  # the tables as they were
    rows = {line["submission"]: line for line in csv.DictReader(out.open(encoding="utf-8-sig"))}
    assert rows["anna.ipynb"]["total"] == ""


def test_a_table_that_a_person_has_changed_is_kept_under_another_name(class_of_thirty, graded):
    folder, _, _, handed_in, _ = class_of_thirty
    out = graded[2]
    before = out.read_bytes()
    out.write_bytes(before + b"a remark of mine\n")
    said = grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)
    aside = out.with_suffix(".edited-1.csv")
    assert "it is kept as grades.edited-1.csv" in said
    assert aside.read_bytes() == before + b"a remark of mine\n" and out.read_bytes() == before
    assert "is kept as" not in grade(folder / "hw04", handed_in, "--out", out, "--jobs", 1)


def test_the_page_of_written_answers_runs_nothing(class_of_thirty, graded):
    page = graded[2].with_suffix(".written.html").read_text(encoding="utf-8")
    assert "Because of the wall." in page and "<script" not in page


def working_in(folder) -> list[str]:
    """Processes whose working folder lies below ``folder``: what the grader has started there."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            place = os.readlink(f"/proc/{entry}/cwd")
        except OSError:
            continue
        if place.startswith(str(folder)):
            found.append(place)
    return found


def test_a_grader_that_is_killed_leaves_no_process_behind_and_loses_no_grade(
    class_of_thirty, tmp_path
):
    folder, _, _, handed_in, _ = class_of_thirty
    few = tmp_path / "few"
    few.mkdir()
    for name in ("bo_98765_112233_04-the-measure.ipynb", "emma lou.ipynb"):
        shutil.copy(handed_in / name, few / name)
    (few / "kim.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code", "source": "import time\ntime.sleep(999)"}]})
    )
    words = [
        sys.executable,
        "-m",
        "labsupport",
        "grade",
        folder / "hw04",
        few,
        "--out",
        tmp_path / "g.csv",
        "--jobs",
        "1",
        "--seconds",
        "200",
    ]
    running = subprocess.Popen(
        list(map(str, words)),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    deadline = time.monotonic() + 300
    records = tmp_path / "g.records"
    while not list(records.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.5)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    deadline = time.monotonic() + 30
    while (alive := working_in(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert alive == []
    (few / "kim.ipynb").unlink()
    kept = len(list(records.glob("*.json")))
    assert 1 <= kept <= 2, "what was graded before the kill is there, the one that sleeps is not"
    said = grade(folder / "hw04", few, "--out", tmp_path / "g.csv", "--jobs", 1)
    assert "2 submissions" in said and said.count(" of 2  ") == 2 - kept


def test_trusted_submissions_are_graded_without_namespaces(class_of_thirty, tmp_path, monkeypatch):
    folder, _, assignment, handed_in, _ = class_of_thirty

    def none():
        raise sandbox.SandboxUnavailable("no namespaces")

    monkeypatch.setattr(sandbox, "mode", none)
    few = tmp_path / "few"
    few.mkdir()
    shutil.copy(handed_in / "anna.ipynb", few)
    with pytest.raises(sandbox.SandboxUnavailable):
        grade(folder / "hw04", few, "--out", tmp_path / "g.csv")
    said = grade(folder / "hw04", few, "--out", tmp_path / "g.csv", "--trusted", "--jobs", 1)
    assert f"{assignment.automatic_points:g} of {assignment.automatic_points:g}" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere", "SUBS", "--out", "g.csv"], "nowhere holds no release"),
        (["HW", "nowhere", "--out", "g.csv"], "nowhere is no folder"),
        (["HW", "EMPTY", "--out", "g.csv"], "is empty: there is nothing to grade"),
        (["HW", "SUBS", "--out", "g.txt"], "ends in .csv"),
        (["HW", "SUBS", "--out", "g.csv", "--seconds", "0"], "must be positive"),
    ],
)
def test_what_cannot_be_graded_is_refused_in_one_sentence(class_of_thirty, tmp_path, words, says):
    folder, _, _, handed_in, _ = class_of_thirty
    (tmp_path / "empty").mkdir()
    known = {"HW": folder / "hw04", "SUBS": handed_in, "EMPTY": tmp_path / "empty"}
    with pytest.raises((ValueError, OSError), match=says):
        grade(*[known.get(word, word) for word in words])


def test_a_release_that_was_changed_is_noticed(class_of_thirty, tmp_path):
    folder, _, _, handed_in, _ = class_of_thirty
    copy = tmp_path / "hw"
    shutil.copytree(folder / "hw04", copy)
    marking = copy / "instructor" / "source" / "marking.py"
    marking.write_text(marking.read_text() + "\nSHAPES = []\n")
    with pytest.raises(ValueError, match="was changed after the release"):
        grade(copy, handed_in, "--out", tmp_path / "g.csv")


def test_no_cell_of_a_table_is_a_formula():
    assert (
        tables._safe("=1+1") == "'=1+1"
        and tables._safe("@x") == "'@x"
        and tables._safe(-1.5) == "-1.5"
    )
