"""A rehearsal of Colab: chapters and students' notebooks from their first cell, in the versions of Colab's image.

On every change one of each: the first chapter, and one student's notebook. The others run with `pytest -m monthly
tests/test_colab_rehearsal.py`, as a workflow does every month. Torch alone is this environment's own, since Colab's
would be several GB more; `python -m tools.colab` makes no such exception.
"""

from __future__ import annotations

import subprocess

import nbformat
import pytest

from tests.assignments import made, secrets
from tools import colab, constraints, notebooks
from tools.execute import ROOT

pytestmark = pytest.mark.slow

CHAPTERS = notebooks.every(ROOT / "book")  # and the pages that are notebooks
STUDENTS = [
    (name, made.answered if answered else made.empty)
    for name in secrets.all_assignments()
    for answered in (True, False)
]


def one_now(cases: list, name) -> list:
    """``cases`` as parameters, named by ``name(case)``: the first runs on every change, the others monthly."""
    later = [pytest.mark.monthly]
    return [
        pytest.param(case, id=name(case), marks=later if number else [])
        for number, case in enumerate(cases)
    ]


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The package of this tree, built as a wheel."""
    return colab.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    """An environment like Colab's."""
    return colab.make(tmp_path_factory.mktemp("colab"), borrow_torch=True)


def test_the_environment_has_colabs_versions(machine):
    pinned = constraints.read(colab.PINS)
    versions = machine.versions()
    different = {
        name: versions.get(name)
        for name, version in pinned.items()
        if versions.get(name) != version
    }
    borrowed = colab.TORCH | set(colab.instead(pinned))
    assert set(different) <= borrowed, "only torch is borrowed, and what it cannot do without"
    assert "labsupport" not in versions and "pytest" not in versions


@pytest.mark.parametrize("path", one_now(CHAPTERS, lambda path: path.stem))
def test_a_chapter_runs_as_on_colab(path, machine, package, tmp_path):
    colab.run(path, machine, package, tmp_path)
    assert machine.changed() == {}, "the install changed what Colab brings"


@pytest.mark.parametrize("student", one_now(STUDENTS, lambda case: f"{case[0]}-{case[1].__name__}"))
def test_a_students_notebook_runs_as_on_colab_without_otter(student, machine, package, tmp_path):
    name, make = student
    path = tmp_path / f"{name}.ipynb"
    made.save(make(secrets.all_assignments()[name]), path)
    colab.run(path, machine, package, tmp_path)
    assert machine.changed() == {} and "otter-grader" not in machine.versions()


@pytest.mark.parametrize(
    "package, says",
    [
        (
            "",
            "labsupport is not installed: put its wheel beside this notebook and run this cell again.",
        ),
        (
            "http://127.0.0.1:9/labsupport.zip",
            "labsupport could not be installed from http://127.0.0.1:9/labsupport.zip: ",
        ),
    ],
)
def test_where_the_package_cannot_be_had_the_reader_sees_one_sentence(
    package, says, machine, tmp_path
):
    colab.pip(machine.python, "uninstall", "-y", "labsupport")
    setup = nbformat.read(CHAPTERS[0], as_version=4).cells[1].source
    lines = setup.replace('PACKAGE = ""', f"PACKAGE = {package!r}")
    lines = lines.replace('"install", "-q"', '"install", "-q", "--retries", "0"')
    command = [
        machine.python,
        "-m",
        "IPython",
        "--no-banner",
        "--no-term-title",
        "--colors=NoColor",
        "-c",
        lines,
    ]
    told = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, env=colab.outside()
    )
    shown = (told.stdout + told.stderr).strip()
    assert shown.startswith(says) and len(shown.splitlines()) == 1


def test_a_wheel_beside_the_notebook_is_installed(package, machine, tmp_path):
    (tmp_path / package.name).write_bytes(package.read_bytes())
    opened = nbformat.read(CHAPTERS[0], as_version=4)
    opened.cells = opened.cells[:2]  # its title and its setup cell
    nbformat.write(opened, tmp_path / CHAPTERS[0].name)
    colab.run(tmp_path / CHAPTERS[0].name, machine, "http://127.0.0.1:9/nothing.zip", tmp_path)
    assert machine.changed() == {}
