"""`provenance.once`: a chapter's measurement of minutes is read where it is committed, and made where somebody asks."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from labsupport import provenance
from labsupport.errors import UnknownName
from labsupport.experiments import recipes
from tests import chapters

#: (chapter, measurement) of every `provenance.once` in the book.
NAMED = [
    (path.name[:2], name)
    for path in sorted(chapters.BOOK.glob("[01]*.ipynb"))
    for cell in chapters.cells(path.name[:2])
    for name in re.findall(r'provenance\.once\("([\w-]+)"\)', cell)
]


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A measurement that counts how often it is made, and its folder."""
    monkeypatch.setenv("LABSUPPORT_SCALE", "laptop")
    monkeypatch.delenv("LABSUPPORT_MEASURE", raising=False)
    made = []

    @provenance.once("mine", folder=tmp_path)
    def measure():
        """What it measures."""
        made.append(True)
        return pd.DataFrame({"seed": [0, 1], "phi": [1e-7 / 3, 200 / 3], "last": [True, False]})

    return measure, made, tmp_path


def commit(mine, monkeypatch):
    measure, made, _ = mine
    monkeypatch.setenv("LABSUPPORT_MEASURE", "all")
    measure()
    monkeypatch.delenv("LABSUPPORT_MEASURE")
    made.clear()


def test_what_is_not_committed_is_measured_and_leaves_nothing(mine, capsys):
    measure, made, folder = mine
    assert measure.__doc__ == "What it measures."
    assert measure().phi[1] == 200 / 3 and made and not list(folder.iterdir())
    assert capsys.readouterr().out == "mine: measured here\n"


def test_what_is_committed_is_read_and_says_where_it_comes_from(mine, monkeypatch, capsys):
    measure, made, folder = mine
    commit(mine, monkeypatch)
    capsys.readouterr()
    rows = measure()
    assert not made and rows.phi.tolist() == [1e-7 / 3, 200 / 3]  # every digit
    assert rows["last"].tolist() == [True, False]
    about = json.loads((folder / "mine.json").read_text())["provenance"]
    assert {"date", "commit", "machine", "scale", "torch", "python"} <= set(about)
    said = capsys.readouterr().out
    assert about["commit"] in said and "LABSUPPORT_MEASURE=mine repeats it" in said


def test_another_scale_measures_and_never_overwrites(mine, monkeypatch):
    measure, made, folder = mine
    commit(mine, monkeypatch)
    before = (folder / "mine.json").read_bytes()
    for asked in ("", "mine"):
        monkeypatch.setenv("LABSUPPORT_SCALE", "smoke")
        monkeypatch.setenv("LABSUPPORT_MEASURE", asked)
        assert measure().phi[1] == 200 / 3
    assert len(made) == 2 and (folder / "mine.json").read_bytes() == before


def test_asking_measures_again(mine, monkeypatch):
    measure, made, folder = mine
    commit(mine, monkeypatch)
    written = (folder / "mine.json").stat().st_mtime_ns
    monkeypatch.setenv("LABSUPPORT_MEASURE", "mine")
    measure()
    assert made and (folder / "mine.json").stat().st_mtime_ns > written


def test_a_name_that_nothing_has_is_refused(mine, monkeypatch):
    measure, made, _ = mine
    commit(mine, monkeypatch)
    monkeypatch.setenv("LABSUPPORT_MEASURE", "miine")
    with pytest.raises(
        UnknownName, match="LABSUPPORT_MEASURE is called 'miine'. Did you mean 'mine'"
    ):
        measure()
    assert not made


def test_every_measurement_of_a_chapter_is_committed_and_every_committed_one_is_a_chapters():
    named = sorted(name for _, name in NAMED)
    assert named == provenance._repeatable(provenance.FOLDER) and len(named) > 5


@pytest.mark.parametrize("chapter", sorted({chapter for chapter, _ in NAMED}))
def test_what_a_chapter_would_measure_has_the_form_of_what_is_committed(
    smoke, chapter, monkeypatch
):
    made, found = {}, {}

    def once(name):
        def decorate(measure):
            made[name] = lambda: found.setdefault(name, measure()).copy()
            return made[name]

        return decorate

    monkeypatch.setattr(provenance, "once", once)
    monkeypatch.setattr("matplotlib.pyplot.show", lambda: None)
    # what has one length at every scale is cut short: the form of a table is asked for, not its numbers
    monkeypatch.setattr("labsupport.experiments.interventions.LENGTH_EPOCHS", 1)
    monkeypatch.setattr("labsupport.experiments.rates.MOST", 3)
    whole = recipes.dial_recipes
    monkeypatch.setattr(recipes, "dial_recipes", lambda s: dict(list(whole(s).items())[:3]))
    names = [name for where, name in NAMED if where == chapter]
    chapters.run_until(chapter, f'provenance.once("{names[-1]}")')
    assert set(made) == set(names)
    for name in names:
        rows = made[name]() if name not in found else found[name]
        committed = set(provenance.read(name)[0].columns)
        assert set(rows.columns) == committed or not len(rows) and set(rows.columns) < committed
