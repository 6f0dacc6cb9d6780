"""What nobody but the instructor may see: solution lines, hidden tests, rubrics, the inventory's key."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import yaml

from labsupport.teach import source, strip

ROOT = Path(__file__).resolve().parent.parent.parent
#: Lines that mean nothing alone.
_PLAIN = re.compile(
    r"(import \w+( as \w+)?|from [\w.]+ import .*|return .{0,12}|\*\*Rubric\*\*|# .{0,12})$"
)


def all_assignments() -> dict[str, source.Assignment]:
    found = sorted((ROOT / "assignments").glob("*/assignment.ipynb"))
    return {path.parent.name: source.read(path.parent) for path in found}


def of(assignment: source.Assignment) -> list[str]:
    """The assignment's secret lines: long enough to mean something, and nowhere in what its students are given."""
    given = [part for part in assignment.parts if not isinstance(part, source.Question)]
    given += [cell for question in assignment.questions for cell in question.text]
    shown = [test.source for test in assignment.tests if not test.hidden]
    shown += [cell.source for cell in given]
    for question in assignment.questions:
        shown += [
            strip.without_solution(c.source) for c in question.solution if not question.manual
        ]
    text = "\n".join(shown)
    return sorted(line for line in _all(assignment) if _tells(line) and line not in text)


def _all(assignment: source.Assignment) -> set[str]:
    lines = []
    for question in assignment.questions:
        for cell in question.solution:
            code = cell.cell_type == "code"
            lines += strip.solution_lines(cell.source) if code else cell.source.split("\n")
        for test in question.tests:
            lines += [test.name, *test.source.split("\n")[1:]] if test.hidden else []
    return {line.strip() for line in lines}


def _tells(line: str) -> bool:
    return len(line) > 12 and not _PLAIN.match(line)


def of_inventory() -> list[str]:
    """The misconceptions behind wrong answers."""
    key = yaml.safe_load(
        (ROOT / "assignments" / "inventory" / "key.yaml").read_text(encoding="utf-8")
    )
    return sorted(belief for item in key for belief in item["misconceptions"].values())


def in_chapters() -> str:
    """All that the book's chapters show: a line that stands there gives nothing away."""
    text = []
    for path in sorted((ROOT / "book").glob("[0-9][0-9]-*.ipynb")):
        text += [cell.source for cell in nbformat.read(path, as_version=4).cells]
    return "\n".join(text)


def everything() -> dict[str, list[str]]:
    """{whose: secret lines}, less those that a chapter shows."""
    shown = in_chapters()
    found = {name: of(assignment) for name, assignment in all_assignments().items()}
    found["inventory"] = of_inventory()
    return {name: [line for line in lines if line not in shown] for name, lines in found.items()}


def leaked(text: str, secrets: dict[str, list[str]]) -> list[str]:
    """The secrets that stand in a text, whether or not it is HTML or JSON."""
    plain = _unescaped(text)
    return [
        f"{name}: {line}"
        for name, lines in secrets.items()
        for line in lines
        if _in(line, text, plain)
    ]


def _in(line: str, text: str, plain: str) -> bool:
    return line in text or " ".join(line.split()) in plain


def _unescaped(text: str) -> str:
    import html

    without = re.sub(r"<[^>]*>", "", text)
    without = without.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", " ")
    return " ".join(html.unescape(without).split())
