"""An assignment as its author wrote it: an otter-grader notebook, read into questions, solutions and tests.

Otter's raw cells mark the parts (``# BEGIN QUESTION``, ``# BEGIN SOLUTION``, ``# BEGIN TESTS`` ...). Tests are
functions whose parameters name what they need from the notebook. `assignments/README.md` describes the format.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labsupport.errors import choose
from labsupport.teach.needs import need

#: A line of this form gives the notebook its seed; a release replaces the number.
SEED = re.compile(r"^seed = (\d+)(.*)$", re.MULTILINE)
_MARK = re.compile(r"#\s*(BEGIN|END)\s+(QUESTION|SOLUTION|TESTS|PROMPT)\s*$", re.IGNORECASE)
_TEST_CONFIG = re.compile(r'^""" # BEGIN TEST CONFIG\n(.*?)\n""" # END TEST CONFIG\n', re.DOTALL)


@dataclass(frozen=True)
class Test:
    """One test: a function, its points, and whether students see it."""

    __test__ = False  # pytest should not collect it
    name: str
    question: str
    points: float
    hidden: bool
    source: str
    parameters: tuple[str, ...]


@dataclass
class Question:
    """One question: what is asked, the author's solution, the tests; ``manual`` is graded by hand."""

    name: str
    points: float
    manual: bool
    text: list = field(default_factory=list)  # cells
    solution: list = field(default_factory=list)
    tests: list[Test] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its heading."""
        for cell in self.text:
            if heading := re.search(r"^#+ (.+)$", cell.source, re.MULTILINE):
                return heading.group(1)
        return self.name


@dataclass
class Assignment:
    """A whole assignment; ``parts`` are cells that everyone sees and questions, in order."""

    name: str
    title: str
    folder: Path
    config: dict
    parts: list
    notebook: Any
    digest: str

    @property
    def questions(self) -> list[Question]:
        return [part for part in self.parts if isinstance(part, Question)]

    @property
    def tests(self) -> list[Test]:
        return [test for question in self.questions for test in question.tests]

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)

    @property
    def automatic_points(self) -> float:
        return sum(test.points for test in self.tests)


def find(wanted: str, folder: Path) -> Path:
    """The folder of the assignment called ``wanted``, "04" or "04-the-measure", among those in ``folder``.

    Raises
    ------
    UnknownName
        With the nearest name and all that there are.
    FileNotFoundError
        ``folder`` holds no assignment.
    """
    known = {path.parent.name: path.parent for path in sorted(folder.glob("*/assignment.ipynb"))}
    if not known:
        raise FileNotFoundError(
            f"There are no assignments in {folder}. They are part of the repository: "
            "run this in a clone of it, or name the folder with --assignments."
        )
    by_number = {name[:2]: name for name in known} | {name[:2].lstrip("0"): name for name in known}
    wanted = by_number.get(wanted, wanted)
    return known[choose("assignment", wanted, known)]


def read(folder: Path) -> Assignment:
    """The assignment in ``folder``.

    Raises
    ------
    ValueError
        A marker without its partner, a test that is no single function, or points that do not add up: with the
        notebook, the cell and what is wrong.
    """
    nbformat = need("nbformat")
    path = Path(folder) / "assignment.ipynb"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist. An assignment is a folder with an assignment.ipynb."
        )
    notebook = nbformat.read(path, as_version=4)
    config, parts = _parts(notebook, path)
    made = Assignment(
        config.get("name", path.parent.name),
        _title(parts),
        path.parent,
        config,
        parts,
        notebook,
        _digest(path.parent, notebook),
    )
    _check(made, path)
    return made


def _parts(notebook, path: Path) -> tuple[dict, list]:
    yaml = need("yaml")
    config: dict = {}
    parts: list = []
    question: Question | None = None
    inside: str | None = None
    for number, cell in enumerate(notebook.cells):
        first, _, rest = cell.source.strip().partition("\n")
        if cell.cell_type == "raw" and re.fullmatch(r"#\s*ASSIGNMENT CONFIG", first):
            config = yaml.safe_load(rest) or {}
            continue
        mark = _MARK.fullmatch(first) if cell.cell_type == "raw" else None
        if mark is None:
            _place(cell, parts, question, inside, path, number)
            continue
        kind, what = mark.group(1).upper(), mark.group(2).upper()
        if what == "QUESTION":
            if (kind == "BEGIN") == (question is not None):
                raise ValueError(f"{path}, cell {number}: '{first}' without its partner.")
            if kind == "END":
                question = None
                continue
            said = yaml.safe_load(rest) or {}
            if "name" not in said or "points" not in said:
                raise ValueError(f"{path}, cell {number}: a question needs a name and points.")
            question = Question(
                str(said["name"]), float(said["points"]), bool(said.get("manual", False))
            )
            parts.append(question)
        else:
            if question is None or (kind == "BEGIN") == (inside is not None):
                raise ValueError(f"{path}, cell {number}: '{first}' without its partner.")
            inside = what if kind == "BEGIN" else None
    if question is not None:
        raise ValueError(f"{path}: question {question.name} has no '# END QUESTION'.")
    return config, parts


def _place(cell, parts, question, inside, path, number) -> None:
    if question is None:
        parts.append(cell)
    elif inside == "SOLUTION":
        question.solution.append(cell)
    elif inside == "TESTS":
        question.tests.append(_test(cell, question, path, number))
    elif inside is None:
        question.text.append(cell)


def _test(cell, question: Question, path: Path, number: int) -> Test:
    where = f"{path}, cell {number}"
    config = _TEST_CONFIG.match(cell.source)
    if config is None:
        raise ValueError(
            f'{where}: a test begins with """ # BEGIN TEST CONFIG, its points and whether it is hidden.'
        )
    said = need("yaml").safe_load(config.group(1))
    source = cell.source[config.end() :].strip() + "\n"
    body = ast.parse(source).body
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise ValueError(f"{where}: a test cell holds one function and nothing else.")
    names = tuple(argument.arg for argument in body[0].args.args)
    return Test(
        body[0].name,
        question.name,
        float(said.get("points", 0)),
        bool(said.get("hidden", False)),
        source,
        names,
    )


def _title(parts: list) -> str:
    for part in parts:
        if not isinstance(part, Question) and (
            heading := re.search(r"^# (.+)$", part.source, re.MULTILINE)
        ):
            return heading.group(1)
    return "Assignment"


def _digest(folder: Path, notebook) -> str:
    """Of everything that a grade depends on: the cells and the files that tests import."""
    found = hashlib.sha256()
    for cell in notebook.cells:
        found.update(f"{cell.cell_type}\0{cell.source}\0".encode())
    for path in sorted(folder.glob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _check(made: Assignment, path: Path) -> None:
    names = [test.name for test in made.tests]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(
            f"{path}: two tests are called {sorted(twice)[0]}; each needs a name of its own."
        )
    for question in made.questions:
        given = sum(test.points for test in question.tests)
        if not question.manual and given != question.points:
            raise ValueError(
                f"{path}: question {question.name} has {question.points:g} points, "
                f"its tests have {given:g}."
            )
        if question.manual and question.tests:
            raise ValueError(f"{path}: question {question.name} is graded by hand and has tests.")
