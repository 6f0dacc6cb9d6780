"""Who is in the class, and which data each student gets.

A roster is a CSV with a column ``id`` and, if wished, ``name``, ``email`` and others (Canvas's and Moodle's own
are passed on to the table that goes back). A student's seed is a keyed hash of the assignment and the id: the
same student always gets the same one, and without the secret nobody can tell another's.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Student:
    """One row of the roster; ``more`` holds its other columns."""

    id: str
    name: str = ""
    email: str = ""
    more: dict = field(default_factory=dict, hash=False)


def read(path: Path) -> list[Student]:
    """The students in the CSV at ``path``.

    Raises
    ------
    FileNotFoundError, ValueError
        No file; or a line and a column that cannot be right: named.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. A roster is a CSV file with a column id.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: the letters are not UTF-8; save the table as CSV UTF-8."
        ) from None
    return _parse(text, str(path))


def _parse(text: str, path: str) -> list[Student]:
    rows = csv.reader(io.StringIO(text, newline=""), dialect=_dialect(text), strict=True)
    students: list[Student] = []
    seen: dict[str, int] = {}
    header: list[str] | None = None
    try:
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = _header(row, path, rows.line_num)
                continue
            student = _student(row, header, path, rows.line_num)
            key = plain(student.id)
            if key in seen:
                raise ValueError(
                    f"{path}, line {rows.line_num}, column id: {student.id!r} stands in line {seen[key]} already."
                )
            seen[key] = rows.line_num
            students.append(student)
    except csv.Error as error:
        raise ValueError(f"{path}, line {rows.line_num}: this is no CSV ({error}).") from None
    if not students:
        raise ValueError(
            f"{path} holds no student. Its first line names the columns (id, name, email), then one line each."
        )
    return students


def _dialect(text: str):
    """Commas, semicolons or tabs: whatever the first line has most of."""
    first = text.lstrip().partition("\n")[0]

    class Found(csv.excel):
        delimiter = max(",;\t", key=first.count)

    return Found


def _header(row: list[str], path: str, line: int) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    if "id" not in names:
        raise ValueError(
            f"{path}, line {line}: no column is called id; the columns are {', '.join(names)}."
        )
    for number, name in enumerate(names):
        if name in names[:number] and name:
            raise ValueError(
                f"{path}, line {line}, column {number + 1}: a second column is called {name!r}."
            )
    return names


def _student(row: list[str], header: list[str], path: str, line: int) -> Student:
    if len(row) != len(header):
        raise ValueError(
            f"{path}, line {line}: {len(row)} columns where the first line has {len(header)}."
        )
    cells = {name: unicodedata.normalize("NFC", cell.strip()) for name, cell in zip(header, row)}
    if not cells["id"]:
        raise ValueError(f"{path}, line {line}, column id: it is empty; every student needs one.")
    if strange := [letter for letter in cells["id"] if not letter.isprintable()]:
        raise ValueError(
            f"{path}, line {line}, column id: it holds the unprintable character {strange[0]!r}."
        )
    if (email := cells.get("email", "")) and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise ValueError(f"{path}, line {line}, column email: {email!r} is no address.")
    more = {key: value for key, value in cells.items() if key not in ("id", "name", "email")}
    return Student(cells["id"], cells.get("name", ""), email, more)


def plain(text: str) -> str:
    """A form in which the same name is the same text: composed, lower case, single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def seed_of(student: str, assignment: str, secret: str) -> int:
    """The student's seed, 1 to 2**31 - 1.

    >>> seed_of("anna", "04-the-measure", "s") == seed_of(" Anna ", "04-the-measure", "s")
    True
    >>> seed_of("anna", "04-the-measure", "s") == seed_of("anna", "04-the-measure", "t")
    False
    """
    said = f"{assignment}\0{plain(student)}".encode()
    number = int.from_bytes(hmac.new(secret.encode(), said, hashlib.sha256).digest()[:8], "big")
    return number % (2**31 - 1) + 1


def whose(name: str, says: str, students: list[Student]) -> tuple[Student | None, str]:
    """Which student a submission belongs to, and what is doubtful about it.

    The file's name decides, since the platform gave it: its folder or file is the id or the email, or contains it
    between other signs. What the notebook says of itself only counts where the name says nothing.
    """
    named = _named(name, students)
    inside = (
        next((student for student in students if plain(student.id) == plain(says)), None)
        if says
        else None
    )
    if len(named) > 1:
        ids = ", ".join(student.id for student in named[:3])
        return None, f"Its name fits several students: {ids}."
    if named and inside and named[0] != inside:
        return named[0], f"The notebook was given to {inside.id}."
    if named:
        return named[0], ""
    if inside:
        return inside, "Its name names no student; the notebook itself does."
    return None, "No student of the roster has this name."


def _named(name: str, students: list[Student]) -> list[Student]:
    parts = [plain(part) for part in re.split(r"[/\\]", name)]
    parts[-1] = re.sub(r"( ?\(\d+\)|[ _-]?copy)?\.[a-z0-9]+$", "", parts[-1])
    exact = [
        student
        for student in students
        if {plain(student.id), plain(student.email)} & set(parts) - {""}
    ]
    if exact:
        return exact
    found = []
    for student in students:
        keys = [re.escape(key) for key in (plain(student.id), plain(student.email)) if key]
        if any(re.search(rf"(?<![^\W_]){key}(?![^\W_])", part) for key in keys for part in parts):
            found.append(student)
    if len(found) > 1:  # of "anna" and "anna-maria" the longer is meant
        longest = max(len(student.id) for student in found)
        best = [student for student in found if len(student.id) == longest]
        inside = all(plain(student.id) in plain(best[0].id) for student in found)
        return best[:1] if inside else found
    return found
