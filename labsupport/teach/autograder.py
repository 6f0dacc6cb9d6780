"""The autograder that Gradescope and ``otter run`` take, made by otter-grader itself.

Otter runs its tests in the submission's own process. For submissions that may cheat, ``labsupport grade``
is the one that judges from outside. With a roster the zip holds a table of seeds by hashed email and id, and a
plugin that gives each submission its student's seed (`gradescope`).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from labsupport.settings import environment
from labsupport.teach import roster
from labsupport.teach.needs import need
from labsupport.teach.source import Assignment

_PLUGIN = "labsupport.teach.gradescope.OwnSeed"
_PACKAGE = Path(__file__).resolve().parents[1]


def hashed(text: str) -> str:
    """What stands for an email or an id in the zip, which carries no list of the class."""
    return hashlib.sha256(roster.plain(text).encode()).hexdigest()[:20]


def seeds(of_students: list[tuple[roster.Student, int]]) -> dict[str, int]:
    """{hashed email or id: seed} of every student."""
    found = {}
    for student, seed in of_students:
        for key in (student.id, student.email):
            if key:
                found[hashed(key)] = seed
    return found


def write(
    assignment: Assignment, of_students: list[tuple[roster.Student, int]], path: Path
) -> None:
    """Let otter make the zip, and check with it that the solution passes.

    Raises
    ------
    RuntimeError
        otter-grader is missing, or does not accept the assignment: what it said.
    """
    need("otter")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        shutil.copytree(
            assignment.folder, work, ignore=shutil.ignore_patterns("__pycache__", "mistakes.yaml")
        )
        _configure(work / "assignment.ipynb", seeds(of_students))
        (work / "requirements.txt").write_text("\n".join(requirements()) + "\n", encoding="utf-8")
        words = [sys.executable, "-m", "otter", "assign", "--no-pdfs", "assignment.ipynb", "made"]
        reached = environment.python_path(_PACKAGE.parent)
        surroundings = environment.for_a_process(PYTHONPATH=reached)
        done = subprocess.run(words, cwd=work, capture_output=True, text=True, env=surroundings)
        found = list((work / "made" / "autograder").glob("*.zip"))
        if done.returncode or not found:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise RuntimeError(
                f"otter does not accept {assignment.name}: " + " / ".join(said[-6:])[-600:]
            )
        shutil.copy(found[0], path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(_PACKAGE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                inside = file.relative_to(_PACKAGE.parent).as_posix()
                made.write(file, inside)  # for the plugin
                made.write(file, "files/" + inside)  # for the notebook


def requirements() -> list[str]:
    """What the package needs, without the package, which travels in the zip itself."""
    try:
        needs = importlib.metadata.requires("labsupport") or []
    except importlib.metadata.PackageNotFoundError:
        needs = ["torch>=2.6", "numpy", "scipy", "pandas", "matplotlib"]
    plain = [need_.split(";")[0].strip() for need_ in needs if "extra ==" not in need_]
    return [*plain, "PyYAML", "nbformat"]


def _configure(path: Path, known: dict[str, int]) -> None:
    """Add the requirements and, with a roster, the plugin to the notebook's own configuration; take its name out."""
    nbformat = need("nbformat")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "raw" and re.match(r"#\s*ASSIGNMENT CONFIG", cell.source):
            # with a name otter would refuse notebooks whose metadata a front end has dropped
            lines = [line for line in cell.source.split("\n") if not line.startswith("name:")]
            cell.source = "\n".join([*lines, "requirements: requirements.txt", ""])
            if known:
                cell.source += f"plugins: {json.dumps([{_PLUGIN: {'seeds': known}}])}\n"
    nbformat.write(notebook, path)
