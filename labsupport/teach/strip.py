"""A solution taken out of a cell, as otter does it: by marks at the ends of lines.

y = 3  # SOLUTION                    y = ...
half = 2 * s  # SOLUTION NO PROMPT   (the line goes)
# BEGIN SOLUTION                     ...
any lines
# END SOLUTION
"""

from __future__ import annotations

import re

_BEGIN = re.compile(r"^(\s*)# BEGIN SOLUTION( NO PROMPT)?\s*$")
_END = re.compile(r"^\s*# END SOLUTION\s*$")
_LINE = re.compile(r"^(\s*)(.*?)\s*# SOLUTION( NO PROMPT)?\s*$")
_ASSIGNED = re.compile(r"^([\w.,\s\[\]'\"]+?)\s*=(?!=)")
_MARKS = re.compile(r"\s*# (SOLUTION|BEGIN SOLUTION|END SOLUTION)( NO PROMPT)?\s*$")
#: What stands where an answer belongs.
BLANK = "..."
PROMPT = "_Write your answer here, in place of this line._"


def without_solution(source: str) -> str:
    """The cell as a student gets it.

    Raises
    ------
    ValueError
        A block that begins and does not end, or the other way round.

    >>> print(without_solution("y = 3  # SOLUTION"))
    y = ...
    >>> print(without_solution("def f(x):\\n    return x + 1  # SOLUTION"))
    def f(x):
        ...
    """
    kept, inside = [], False
    for line in source.split("\n"):
        if begin := _BEGIN.match(line):
            if inside:
                raise ValueError("'# BEGIN SOLUTION' stands inside another one.")
            inside = True
            kept += [] if begin.group(2) else [begin.group(1) + BLANK]
        elif _END.match(line):
            if not inside:
                raise ValueError("'# END SOLUTION' has no beginning.")
            inside = False
        elif not inside:
            kept += _blanked(line)
    if inside:
        raise ValueError("'# BEGIN SOLUTION' has no end.")
    return "\n".join(kept)


def _blanked(line: str) -> list[str]:
    """The line, with ``...`` for a marked answer; nothing where no prompt is wanted."""
    marked = _LINE.match(line)
    if marked is None:
        return [line]
    indent, code, silent = marked.groups()
    if silent:
        return []
    assigned = _ASSIGNED.match(code)
    return [f"{indent}{assigned.group(1)} = {BLANK}" if assigned else indent + BLANK]


def without_marks(source: str) -> str:
    """The cell as the solution shows it: nothing taken out but the marks."""
    lines = [
        _MARKS.sub("", line)
        for line in source.split("\n")
        if not _BEGIN.match(line) and not _END.match(line)
    ]
    return "\n".join(lines)


def solution_lines(source: str) -> list[str]:
    """The lines that a student must not see, without their marks."""
    found, inside = [], False
    for line in source.split("\n"):
        if _BEGIN.match(line):
            inside = True
        elif _END.match(line):
            inside = False
        elif inside:
            found.append(line.strip())
        elif marked := _LINE.match(line):
            found.append(marked.group(2).strip())
    return [line for line in found if line]
