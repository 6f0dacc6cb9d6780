"""Grades as tables: one for the instructor, one that Canvas imports, one that Moodle imports."""

from __future__ import annotations

import csv
import hashlib
import html
import os
import tempfile
from pathlib import Path

from labsupport.teach.grade import Record
from labsupport.teach.release import Release
from labsupport.teach.source import Assignment, Question

_CANVAS = ("sis user id", "sis login id", "section")


def columns(assignment: Assignment) -> list[str]:
    """The head of the instructor's table."""
    asked = [f"{question.name} ({question.points:g})" for question in assignment.questions]
    return [
        "submission",
        "student",
        "name",
        *asked,
        f"automatic ({assignment.automatic_points:g})",
        "by hand",
        "total",
        "what went wrong",
        "to look at",
        "tests failed",
        "cells failed",
        "seconds",
        "MB",
    ]


def row(record: Record, assignment: Assignment, by_hand: dict[str, float]) -> list:
    """One submission's line. Questions graded by hand are empty until their points are in the file of marks."""
    points = [_points(record, question, by_hand) for question in assignment.questions]
    manual = [question.name for question in assignment.questions if question.manual]
    given = sum(by_hand.get(name, 0.0) for name in manual)
    complete = all(name in by_hand for name in manual)
    failed = [result["test"] for result in record.results if result["why"]]
    cells = "; ".join(f"cell {number + 1}: {why}" for number, why in record.failed_cells[:5])
    return [
        record.submission,
        record.student,
        record.name,
        *points,
        f"{record.earned:g}",
        f"{given:g}" if by_hand else "",
        f"{record.earned + given:g}" if complete else "",
        record.problem,
        " ".join(record.flags),
        "" if record.problem else " ".join(failed),
        cells,
        f"{record.seconds:.1f}",
        record.peak_mb,
    ]


def _points(record: Record, question: Question, by_hand: dict[str, float]) -> str:
    if question.manual:
        return f"{by_hand[question.name]:g}" if question.name in by_hand else ""
    return f"{sum(result['earned'] for result in record.results if result['question'] == question.name):g}"


def write(records: list[Record], assignment: Assignment, release: Release, out: Path) -> list[Path]:
    """Write all tables beside ``out``; return their paths.

    ``out`` is the instructor's. ``NAME.canvas.csv`` and ``NAME.moodle.csv`` hold a line for each student,
    ``NAME.written.csv`` waits for the points given by hand and is never overwritten, ``NAME.written.html`` shows the
    answers in words. A table that somebody has changed since it was written is set aside under another name first.
    """
    _set_aside_edited(out)
    marks_path = out.with_suffix(".written.csv")
    marks = read_marks(marks_path, assignment)
    lines = [row(record, assignment, marks.get(record.submission, {})) for record in records]
    save_csv(out, [columns(assignment), *lines])
    made = [out]
    manual = [question for question in assignment.questions if question.manual]
    if manual:
        _add_marks(marks_path, records, manual)
        page = out.with_suffix(".written.html")
        save(page, answers_page(records, assignment))
        made += [marks_path, page]
    if release.students:
        best = _best(records, marks)
        for name, table in (("canvas", canvas), ("moodle", moodle)):
            path = out.with_suffix(f".{name}.csv")
            save_csv(path, table(best, assignment, release))
            made.append(path)
    _note(out, made)
    return made


def _notes(out: Path) -> Path:
    return out.with_suffix(".records") / "tables.sha256"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _note(out: Path, made: list[Path]) -> None:
    """Remember what was written, to know what a person has changed when it is written again."""
    save(_notes(out), "".join(f"{_digest(path)}  {path.name}\n" for path in made))


def _set_aside_edited(out: Path) -> None:
    """Keep tables that are not as they were written, as NAME.edited-1.csv and so on."""
    notes = _notes(out)
    known = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
    for path in (out, out.with_suffix(".canvas.csv"), out.with_suffix(".moodle.csv")):
        if path.is_file() and f"{_digest(path)}  {path.name}" not in known:
            number = 1
            while (aside := path.with_suffix(f".edited-{number}.csv")).exists():
                number += 1
            path.rename(aside)
            print(f"{path.name} was not as it had been written: it is kept as {aside.name}.")


def _best(records: list[Record], marks: dict) -> dict[str, float]:
    """{student: points}; of several submissions the best."""
    found: dict[str, float] = {}
    for record in records:
        if record.student:
            points = record.earned + sum(marks.get(record.submission, {}).values())
            found[record.student] = max(points, found.get(record.student, 0.0))
    return found


def canvas(best: dict[str, float], assignment: Assignment, release: Release) -> list[list]:
    """What Canvas's gradebook imports: its own columns, as the roster has them, and one for the assignment."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment.title]
    lines = [head, ["    Points Possible", "", "", "", "", f"{assignment.points:g}"]]
    for student in release.students:
        own = [student.more.get(key, "") for key in _CANVAS]
        points = f"{best[student.id]:g}" if student.id in best else ""
        lines.append([student.name, student.more.get("canvas id", student.id), *own, points])
    return lines


def moodle(best: dict[str, float], assignment: Assignment, release: Release) -> list[list]:
    """What Moodle's grade import maps: the ID number, the email address, the grade."""
    lines = [["ID number", "Email address", assignment.title]]
    for student in release.students:
        lines.append(
            [student.id, student.email, f"{best[student.id]:g}" if student.id in best else ""]
        )
    return lines


# -- graded by hand ----------------------------------------------------------------------------------------------


def read_marks(path: Path, assignment: Assignment) -> dict[str, dict[str, float]]:
    """{submission: {question: points}} from the table that a person fills.

    Raises
    ------
    ValueError
        A line or column that cannot be right, named; nothing has been written yet.
    """
    if not path.is_file():
        return {}
    allowed = {
        question.name: question.points for question in assignment.questions if question.manual
    }
    found: dict[str, dict[str, float]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for line in rows:
            name = _bare(line.get("submission") or "")
            for question, most in allowed.items():
                given = (line.get(question) or "").strip().replace(",", ".")
                if given:
                    found.setdefault(name, {})[question] = _mark(
                        given, most, path, rows.line_num, question
                    )
    return found


def _mark(given: str, most: float, path: Path, line: int, column: str) -> float:
    try:
        points = float(given)
    except ValueError:
        points = -1.0
    if not 0 <= points <= most:
        raise ValueError(
            f"{path}, line {line}, column {column}: {given!r} is no number of points from 0 to {most:g}."
        )
    return points


def _add_marks(path: Path, records: list[Record], manual: list[Question]) -> None:
    """Add lines for submissions that have none yet; what a person wrote stays as it is."""
    head, known, lines = ["submission", *(question.name for question in manual)], set(), []
    if path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file))
        known = {_bare(line[0]) for line in lines[1:] if line}
    new = [
        [record.submission, *("" for _ in manual)]
        for record in records
        if record.submission not in known
    ]
    if new or not lines:
        save_csv(path, [*(lines or [head]), *new])


def answers_page(records: list[Record], assignment: Assignment) -> str:
    """The answers in words, question by question, with the rubric above them; nothing of a submission is markup."""
    parts = [
        "<!doctype html><meta charset=utf-8><title>Answers</title>",
        "<style>body{font:16px sans-serif;max-width:48em;margin:2em auto}pre{white-space:pre-wrap}"
        "section{border-top:1px solid #999}</style>",
    ]
    for question in assignment.questions:
        if question.manual:
            rubric = "\n\n".join(cell.source for cell in question.solution)
            parts.append(
                f"<h1>{html.escape(question.title)}</h1><details><summary>Answer and rubric</summary>"
                f"<pre>{html.escape(rubric)}</pre></details>"
            )
            for record in records:
                answer = record.written.get(question.name, "").strip() or "(no answer)"
                parts.append(
                    f"<section><h2>{html.escape(record.submission)}</h2><pre>{html.escape(answer)}</pre></section>"
                )
    return "\n".join(parts) + "\n"


# -- files -------------------------------------------------------------------------------------------------------


def _bare(cell: str) -> str:
    """A cell as it was before `_safe`."""
    return cell[1:] if cell.startswith("'") and cell[1:2] in _FORMULA else cell


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def _safe(cell) -> str:
    """A text that no spreadsheet takes for a formula."""
    text = str(cell)
    number = text.removeprefix("-").replace(".", "", 1).isdigit()
    return "'" + text if text.startswith(_FORMULA) and not number else text


def save_csv(path: Path, lines: list[list]) -> None:
    """Write a table whole or not at all; UTF-8 with a mark, which spreadsheets need."""
    from io import StringIO

    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [[_safe(cell) for cell in line] for line in lines]
    )
    save(path, "\ufeff" + text.getvalue())


def save(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, suffix=".partial", delete=False, encoding="utf-8", newline=""
    ) as file:
        file.write(text)
    os.replace(file.name, path)
