"""`make test` starts from an empty store of its own, in which `make book` may find what the chapters trained."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import files, notebooks
from tools.files import ROOT


def pytest_run(*words: str, **environ: str) -> subprocess.CompletedProcess:
    """The project's tests as a program of its own, with its conftest, on other files."""
    outer = {name: value for name, value in os.environ.items() if name != "LABSUPPORT_TEST_RUN"}
    line = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "conftest",
        "-p",
        "no:cacheprovider",
        f"--rootdir={ROOT}",
    ]
    command = [*line, "-c", str(ROOT / "pyproject.toml"), *words]
    return subprocess.run(command, cwd=ROOT, env=outer | environ, capture_output=True, text=True)


@pytest.fixture
def store(tmp_path) -> Path:
    return files.fresh(tmp_path / "test store")


def test_chapters_train_into_the_store_that_was_named_and_unit_tests_elsewhere(store, tmp_path):
    chapter = tmp_path / "tests" / "01-first.ipynb"
    cell = new_code_cell('import os\nprint(os.environ["LABSUPPORT_STORE"])', execution_count=1)
    cell.outputs = [new_output("stream", name="stdout", text=f"{store}\n")]
    notebooks.write(new_notebook(cells=[cell]), chapter)
    unit = tmp_path / "tests" / "test_unit.py"
    unit.write_text(
        f'import os\ndef test_unit():\n    assert os.environ["LABSUPPORT_STORE"] != {str(store)!r}\n'
    )
    told = pytest_run(str(chapter), str(unit), COURSE_TEST_STORE=str(store))
    assert told.returncode == 0 and "2 passed" in told.stdout, told.stdout + told.stderr


def test_a_store_that_is_not_empty_is_no_beginning(store, tmp_path):
    (store / "train-1a2b.npz").touch()
    (tmp_path / "test_unit.py").write_text("def test_unit(): pass\n")
    told = pytest_run(str(tmp_path / "test_unit.py"), COURSE_TEST_STORE=str(store))
    assert told.returncode == 2 and "start from an empty store" in told.stdout + told.stderr


def test_the_whole_check_gives_the_book_what_the_tests_have_trained():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("make test") < script.index(
        'LABSUPPORT_STORE="$PWD/_build/test-store" make book'
    )
