"""`make book` runs a chapter once: again only where something that the chapter reads has changed."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import execute, kept

#: Counts its runs, makes a claim as chapters do, and shows a number.
CHAPTER = """\
import os, pathlib, random
runs = pathlib.Path(os.environ["COUNTED"])
runs.write_text(runs.read_text() + "x")
claims = pathlib.Path(os.environ["LABSUPPORT_STORE"]) / "claims" / "laptop-cpu"
claims.mkdir(parents=True, exist_ok=True)
(claims / "3.1.json").write_text("held")
random.random()"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A chapter, and a function that runs it as `make book` does: how often it ran by then, and its cells."""
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "chapters")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COUNTED", str(tmp_path / "runs"))
    monkeypatch.delenv("LABSUPPORT_MEASURE", raising=False)
    (tmp_path / "runs").write_text("")

    def make(words="A walk.", code=CHAPTER, **changed: str):
        path = tmp_path / "03-a-walk.ipynb"
        cells = [new_markdown_cell(words), new_code_cell(code)]
        nbformat.write(new_notebook(cells=cells), path)
        for name, value in changed.items():
            monkeypatch.setenv(name, value)
        assert execute.run_these([path], 1, "laptop", again=True) == 0
        return len((tmp_path / "runs").read_text()), nbformat.read(path, as_version=4).cells

    return make, tmp_path


def test_the_second_time_the_outputs_are_those_of_the_first(book, capsys):
    make, _ = book
    (_, first), (runs, second) = make(), make(words="A walk, in other words.")
    assert runs == 1 and first[1].outputs == second[1].outputs and first[1].outputs
    assert second[0].source == "A walk, in other words." and second[1].execution_count == 1
    assert "as before" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        {"code": CHAPTER + " + 1"},
        {"LABSUPPORT_WORKERS": "2"},
        {"LABSUPPORT_MEASURE": "epsilon-curve"},
    ],
    ids=["code", "settings", "asked"],
)
def test_what_a_chapter_reads_makes_it_run_again(book, change):
    make, _ = book
    make()
    assert make(**change)[0] == 2


def test_another_package_makes_it_run_again(book, monkeypatch):
    make, _ = book
    make()
    monkeypatch.setattr(kept, "_package", lambda: "another")
    assert make()[0] == 2


def test_other_data_make_it_run_again(book):
    make, folder = book
    make()
    (folder / "data").mkdir()
    (folder / "data" / "mnist.npz").write_bytes(b"other")
    assert make()[0] == 2


def test_claims_that_are_gone_or_altered_make_it_run_again(book):
    make, folder = book
    make()
    (claim,) = (folder / "store" / "claims").rglob("*.json")
    claim.write_text("not held")
    assert make()[0] == 2 and claim.read_text() == "held"
    claim.unlink()
    assert make()[0] == 3


@pytest.mark.parametrize("damage", ["altered", "half", "empty"])
def test_a_damaged_file_counts_for_nothing(book, damage):
    make, folder = book
    make()
    (file,) = (folder / "chapters").iterdir()
    text = file.read_text()
    content = json.loads(text)
    content["result"]["cells"][0][0] = 77
    file.write_text({"altered": json.dumps(content), "half": text[:100], "empty": ""}[damage])
    runs, cells = make()
    assert runs == 2 and cells[1].execution_count == 1
    assert len(list((folder / "chapters").iterdir())) == 1


def test_the_chapter_that_gathers_claims_reads_those_of_the_others(tmp_path):
    gathers = Path("09-what-still-stands.ipynb")
    claims = tmp_path / "claims"
    known = kept.Kept(tmp_path / "chapters", claims, tmp_path / "data")
    (claims / "laptop-cpu").mkdir(parents=True)
    names = []
    for key, text in (("3.1", "held"), ("9.1", "held"), ("9.1", "not held"), ("3.1", "not held")):
        (claims / "laptop-cpu" / f"{key}.json").write_text(text)
        names.append(known.name(gathers, new_notebook(), gathers=True))
    assert names[0] == names[1] == names[2] != names[3]
