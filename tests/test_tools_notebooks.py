"""A notebook that any front end saved goes through whole, or is refused in words; a copy is no chapter."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import arguments, execute, normal, notebooks, skeleton
from tools.files import Refused

MODEL = {
    "model_name": "IntSliderModel",
    "model_module": "@jupyter-widgets/controls",
    "state": {"max": 3},
}
PLAIN = {
    "nbformat": 4,
    "nbformat_minor": 4,
    "metadata": {},
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A title\n", "text"]},
        {
            "cell_type": "code",
            "metadata": {},
            "source": "1 + 1",
            "execution_count": 1,
            "outputs": [],
        },
    ],
}
RESULT = {
    "output_type": "execute_result",
    "data": {"text/plain": ["2"]},
    "metadata": {},
    "execution_count": 1,
}


def saved(tmp_path: Path, change=lambda content: None, name: str = "03-sharp.ipynb") -> Path:
    """A plain notebook with one change, written as a front end would."""
    content = copy.deepcopy(PLAIN)
    change(content)
    path = tmp_path / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def normalized(path: Path):
    """What our command makes of it, which must be valid."""
    assert notebooks.main(["normalize", str(path)]) == 0
    notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(content: dict) -> dict:
    return content["cells"][1]


LEFT_OUT = {
    "no execution_count": lambda c: code(c).pop("execution_count"),
    "no outputs": lambda c: code(c).pop("outputs"),
    "outputs are null": lambda c: code(c).update(outputs=None),
    "no metadata of a cell": lambda c: code(c).pop("metadata"),
    "no metadata at all": lambda c: c.pop("metadata"),
    "no source": lambda c: c["cells"][0].pop("source"),
    "no minor version": lambda c: c.pop("nbformat_minor"),
    "a result without metadata": lambda c: code(c).update(
        outputs=[{k: RESULT[k] for k in ("output_type", "data")}]
    ),
    "a stream without a name": lambda c: code(c).update(
        outputs=[{"output_type": "stream", "text": ["a\n"]}]
    ),
    "text that was code": lambda c: c["cells"][0].update(execution_count=3, outputs=[]),
}


@pytest.mark.parametrize("change", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_a_front_end_left_out_is_put_back(change, tmp_path, capsys):
    path = saved(tmp_path, change)
    notebook = normalized(path)
    assert notebook.cells[1].execution_count in (None, 1) and notebook.cells[1].source == "1 + 1"
    skeleton.main([str(path)])  # says what is missing, without a traceback
    assert "03-sharp.ipynb: " in capsys.readouterr().out


KEPT = {
    "nbgrader": {
        "grade": True,
        "grade_id": "q1",
        "points": 2,
        "schema_version": 3,
        "solution": True,
        "locked": False,
    },
    "slideshow": {"slide_type": "fragment"},
    "deletable": False,
    "editable": False,
    "tags": ["exercise"],
    "cellView": "form",
}


@pytest.mark.parametrize("key", KEPT)
def test_what_instructors_and_readers_set_stays(key, tmp_path):
    notebook = normalized(
        saved(tmp_path, lambda c: code(c)["metadata"].update({key: KEPT[key], "collapsed": True}))
    )
    assert notebook.cells[1].metadata == {key: KEPT[key]}


def test_widgets_as_jupyter_saves_them_stay(tmp_path):
    widgets = {normal.WIDGETS: {"state": {"a1": MODEL}, "version_major": 2, "version_minor": 0}}
    assert (
        normalized(
            saved(tmp_path, lambda c: c["metadata"].update(widgets=widgets))
        ).metadata.widgets
        == widgets
    )


def test_widgets_as_colab_saves_them_get_the_wrapper_that_pages_need(tmp_path):
    widgets = {normal.WIDGETS: {"a1": MODEL, "b2": MODEL}}
    kept = normalized(
        saved(tmp_path, lambda c: c["metadata"].update(widgets=widgets))
    ).metadata.widgets
    assert kept == {
        normal.WIDGETS: {
            "state": {"a1": MODEL, "b2": MODEL},
            "version_major": 2,
            "version_minor": 0,
        }
    }


@pytest.mark.parametrize(
    "widgets", [{}, {"application/x": {}}, {normal.WIDGETS: {"a1": {"model_name": "x"}}}, None, []]
)
def test_widgets_without_a_state_go(widgets, tmp_path):
    assert (
        "widgets"
        not in normalized(saved(tmp_path, lambda c: c["metadata"].update(widgets=widgets))).metadata
    )


def test_line_ends_of_windows_become_ours(tmp_path):
    assert (
        normalized(saved(tmp_path, lambda c: code(c).update(source="a = 1\r\nb = 2")))
        .cells[1]
        .source
        == "a = 1\nb = 2"
    )


def test_an_old_notebook_is_brought_up_to_date(tmp_path):
    path = tmp_path / "03-old.ipynb"
    cell = {
        "cell_type": "code",
        "collapsed": False,
        "input": ["1 + 1"],
        "language": "python",
        "metadata": {},
        "outputs": [],
    }
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    path.write_text(json.dumps(old))
    assert normalized(path).cells[0].source == "1 + 1"


REFUSED = {
    "nothing in it": ("", "line 1 is no JSON"),
    "cut off": (json.dumps(PLAIN)[:80], "is no JSON"),
    "a conflict": ('{\n<<<<<<< HEAD\n"cells": []\n=======\n}', "git left conflict marks in it"),
    "a list": ("[1, 2]", "holds no list of cells"),
    "no cells": ('{"nbformat": 4}', "holds no list of cells"),
    "a cell that is none": (
        '{"nbformat": 4, "metadata": {}, "cells": [3]}',
        "cell 0: it does not say",
    ),
    "an output that is none": (
        json.dumps(PLAIN).replace('"outputs": []', '"outputs": [{"text": "x"}]'),
        "of which kind",
    ),
    "an unknown cell": (
        json.dumps(PLAIN).replace('"markdown"', '"sparkle"'),
        "is no valid notebook",
    ),
    "a version to come": (
        json.dumps(PLAIN).replace('"nbformat": 4', '"nbformat": 9'),
        "is no notebook that Jupyter",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_notebook_is_refused_in_one_sentence_and_left(text, said, tmp_path, capsys):
    path = tmp_path / "03-odd.ipynb"
    path.write_text(text)
    assert arguments.told(lambda: notebooks.main(["normalize", str(path)])) == 2
    words = capsys.readouterr().err
    assert said in words and "03-odd.ipynb" in words and words.count("\n") == 1
    assert path.read_text() == text


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "03-odd.ipynb"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(Refused, match="bytes that are not UTF-8"):
        normal.read(path)


def test_one_odd_notebook_keeps_all_as_they_were(tmp_path):
    good = saved(tmp_path)
    before = good.read_text()
    (tmp_path / "04-odd.ipynb").write_text("{")
    with pytest.raises(Refused):
        notebooks.main(["normalize", str(good), str(tmp_path / "04-odd.ipynb")])
    assert good.read_text() == before


def test_a_damaged_notebook_ends_a_run_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "03-odd.ipynb"
    path.write_text("{")
    assert arguments.told(lambda: execute.main(["--in-place", str(path), "--jobs", "1"])) == 2
    assert capsys.readouterr().err.startswith("03-odd.ipynb is no notebook")


# Second copies


COPIES = [
    "03-sharp-Copy1",
    "03-sharp (1)",
    "03-sharp-copy",
    "03-sharp 2",
    "Copy of 03-sharp",
    "Untitled",
    "03-Sharp",
]


@pytest.mark.parametrize("name", COPIES)
def test_a_second_copy_is_no_chapter_and_stays_out_of_the_book(name, tmp_path, monkeypatch, capsys):
    book = tmp_path / "book"
    book.mkdir()
    for stem in ("02-gap", "03-sharp", name):
        notebooks.write(new_notebook(cells=[new_code_cell("1")]), book / f"{stem}.ipynb")
    assert [path.stem for path in notebooks.chapters(book)] == ["02-gap", "03-sharp"]
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    for config in ("_config.yml", "_toc.yml"):
        (tmp_path / config).touch()
    copied = execute.copy_book(tmp_path / "src")
    assert [path.stem for path in copied] == ["02-gap", "03-sharp"]
    assert not (tmp_path / "src" / "book" / f"{name}.ipynb").exists()
    assert f"Left out: {name}.ipynb is" in capsys.readouterr().out


def test_a_page_that_is_a_notebook_is_run_and_is_no_chapter(tmp_path):
    (page,) = notebooks.PAGES
    for name in ("02-gap", page, f"Copy of {page}"):
        (tmp_path / f"{name}.ipynb").touch()
    assert [path.stem for path in notebooks.chapters(tmp_path)] == ["02-gap"]
    assert [path.stem for path in notebooks.every(tmp_path)] == ["02-gap", page]
    left_out = notebooks.no_chapters(tmp_path)
    assert list(left_out.values()) == [f"is a second copy of {page}.ipynb"]
    assert skeleton.claims in skeleton.checks(Path("02-gap.ipynb"))
    assert skeleton.claims not in skeleton.checks(Path(f"{page}.ipynb"))
    assert skeleton.one_setup_cell in skeleton.checks(Path(f"{page}.ipynb"))


def test_the_check_names_a_second_copy(tmp_path, monkeypatch, capsys):
    (tmp_path / "book").mkdir()
    for name in ("03-sharp", "03-sharp-Copy1"):
        saved(tmp_path / "book", name=f"{name}.ipynb")
    monkeypatch.setattr(skeleton, "ROOT", tmp_path)
    monkeypatch.setattr(arguments, "ROOT", tmp_path)
    assert skeleton.main([]) == 1
    said = capsys.readouterr().out
    assert "03-sharp-Copy1.ipynb is a second copy of 03-sharp.ipynb: rename or delete it" in said


def test_a_chapter_whose_neighbor_has_a_longer_name_is_no_copy(tmp_path):
    for name in ("01-first", "02-first-steps", "03-sharp", "03-flat"):
        (tmp_path / f"{name}.ipynb").touch()
    assert notebooks.no_chapters(tmp_path) == {}
