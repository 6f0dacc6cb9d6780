"""The concept inventory: twelve multiple-choice questions before the course and after it, and what was gained.

Normalized gain (Hake 1998, *American Journal of Physics* 66, 64): of what a class could still gain, the share
that it did,

    g = (after - before) / (100 - before),      before and after in percent of right answers.

The answers of a class are a CSV with a column ``id`` and columns ``1`` to ``12`` that hold letters.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from labsupport.teach import roster
from labsupport.teach.needs import need

LETTERS = "abcd"


@dataclass(frozen=True)
class Item:
    """One question of the key: the right letter, and what somebody believes who chooses another."""

    number: str
    asks: str
    right: str
    misconceptions: dict[str, str]
    page: str


def key(path: Path) -> list[Item]:
    """The instructor's key.

    Raises
    ------
    FileNotFoundError, ValueError
        No key, or one that does not fit together.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist. The key of the inventory is kept out of the book: name it with --key."
        )
    items = [
        Item(str(one["number"]), one["asks"], one["right"], one["misconceptions"], one["page"])
        for one in need("yaml").safe_load(path.read_text(encoding="utf-8"))
    ]
    for item in items:
        if (
            set(item.misconceptions) | {item.right} != set(LETTERS)
            or item.right in item.misconceptions
        ):
            raise ValueError(
                f"{path}, question {item.number}: one letter is right, each other one a misconception."
            )
    return items


def read(path: Path, items: list[Item]) -> dict[str, dict[str, str]]:
    """{student: {question: letter}}; a question left out is an empty text.

    Raises
    ------
    ValueError
        A line or column that cannot be right, named.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist. Answers are a CSV with the columns id, 1, 2, ... {len(items)}."
        )
    found: dict[str, dict[str, str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for name in ["id", *(item.number for item in items)]:
            if name not in (rows.fieldnames or []):
                raise ValueError(
                    f"{path}, line 1: no column is called {name}; wanted: id, 1, 2, ... {len(items)}."
                )
        for row in rows:
            student = roster.plain(row["id"] or "")
            if not student or student in found:
                raise ValueError(
                    f"{path}, line {rows.line_num}, column id: it is {'empty' if not student else 'there twice'}."
                )
            found[student] = {
                item.number: _letter(row, item.number, path, rows.line_num) for item in items
            }
    if not found:
        raise ValueError(f"{path} holds no answers.")
    return found


def _letter(row: dict, number: str, path: Path, line: int) -> str:
    given = (row[number] or "").strip().strip("()").lower()
    if given and given not in LETTERS:
        raise ValueError(
            f"{path}, line {line}, column {number}: {given!r} is no answer; possible: {', '.join(LETTERS)}."
        )
    return given


def percent(answers: list[dict[str, str]], items: list[Item]) -> float:
    """Right answers in percent of all questions; one that was left out is not right."""
    right = sum(one[item.number] == item.right for one in answers for item in items)
    return 100 * right / (len(answers) * len(items))


def gain(before: float, after: float) -> float:
    """Normalized gain; NaN where nothing was left to gain.

    >>> gain(40.0, 70.0)
    0.5
    """
    return (after - before) / (100 - before) if before < 100 else float("nan")


def report(items: list[Item], before: dict, after: dict | None = None) -> str:
    """What the class knew, what it gained, and which misconceptions are still there."""
    if after is None:
        lines = [
            f"{len(before)} students, {percent(list(before.values()), items):.0f} percent right."
        ]
        return "\n".join([*lines, "", *_questions(items, list(before.values()), None)])
    both = sorted(set(before) & set(after))
    if not both:
        raise ValueError(
            "No student is in both files: gain compares the same students before and after."
        )
    first, last = [before[one] for one in both], [after[one] for one in both]
    start, end = percent(first, items), percent(last, items)
    single = [gain(percent([a], items), percent([b], items)) for a, b in zip(first, last)]
    single = [value for value in single if value == value]
    mean = f"{sum(single) / len(single):.2f}" if single else "none could gain"
    lines = [
        f"{len(both)} students in both ({len(before)} before, {len(after)} after).",
        f"Right before: {start:.0f} percent, after: {end:.0f} percent.",
        f"Normalized gain of the class: {gain(start, end):.2f}; mean of the students' own: {mean}.",
        "",
    ]
    return "\n".join([*lines, *_questions(items, first, last)])


def _questions(items: list[Item], first: list[dict], last: list[dict] | None) -> list[str]:
    """A line for each question: right before and after, and the misconception most chosen at the end."""
    lines = [
        f"{'':>3} {'before':>7} {'after':>6} {'gain':>6}  most chosen wrong answer, and where the course answers it"
    ]
    for item in items:
        start = percent(first, [item])
        end = percent(last, [item]) if last else None
        now = last or first
        counts = {
            letter: sum(one[item.number] == letter for one in now) for letter in item.misconceptions
        }
        letter = max(counts, key=lambda one: counts[one])
        wrong = (
            f"({letter}) {counts[letter]}x {item.misconceptions[letter]} [{item.page}]"
            if counts[letter]
            else ""
        )
        after = f"{end:>6.0f} {gain(start, end):>6.2f}" if end is not None else f"{'':>6} {'':>6}"
        lines.append(f"{item.number:>3} {start:>7.0f} {after}  {wrong}".rstrip())
    return lines
