"""What is measured at the minimizers that `labsupport reproduce` has left in a folder."""

import pytest
import torch

from labsupport import data, provenance, training
from labsupport.errors import DataUnavailable
from labsupport.experiments import reproduction
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.reproduce import committed
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import Result, Training
from labsupport.sharpness import sharpness
from tests import chapters


@pytest.fixture
def small(monkeypatch):
    """Two trainings of F0 in the place of those of a network of the paper."""
    problem = Problem("F0", "mnist1d", 200)
    units = [Training(problem, batch, Recipe(20, epochs=1), 0) for batch in ("SB", "LB")]
    monkeypatch.setattr(reproduction.studies, "units", lambda *_: units)
    monkeypatch.setattr(reproduction, "Problem", lambda *_: problem)
    return problem, units


def test_without_the_one_is_the_box_that_rescaling_leaves_alone(small, tmp_path):
    problem, units = small
    ends = training.start("F0", [3, 4])
    for unit, x in zip(units, ends):
        Ledger(tmp_path).write(unit, Result([unit.columns], {"end": x.numpy()}), {})
    told = []
    found = reproduction.without_the_one(tmp_path, "C1", epsilon=0.01, told=told.append)
    assert found.to_dict("records") == told and list(found.batch) == ["SB", "LB"]
    wanted = sharpness(problem.objective(), ends, epsilon=0.01, offset=0, starts=1)
    assert torch.allclose(torch.tensor(found.sharpness), wanted.value, rtol=1e-4)
    assert set(found.offset) == {0} and set(found.epsilon) == {0.01}


def test_the_chapter_needs_no_data_set_for_its_rows(tmp_path, monkeypatch):
    """Who has neither torchvision nor a connection reads chapter 10 to its last claim."""

    def nowhere(name, **_):
        raise DataUnavailable(f"{name} is not here")

    monkeypatch.setattr(data, "load", nowhere)
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    found = chapters.run_until("10", '"10.28"')
    assert len(found["gap"]) == 5


def test_a_folder_without_the_trainings_says_how_they_are_made(small, tmp_path):
    with pytest.raises(ValueError, match="labsupport reproduce table2 --scale paper --networks C1"):
        reproduction.without_the_one(tmp_path)


def test_the_committed_measurement_is_of_five_pairs_that_had_learned_their_photographs():
    rows, about = provenance.read("repaired-photographs")
    assert rows.groupby("batch").seed.apply(list).to_dict() == {
        "LB": [*range(5)],
        "SB": [*range(5)],
    }
    trained = committed.tables()["training"].query("run == 'C1, all'").set_index(["batch", "seed"])
    here = rows.set_index(["batch", "seed"])
    assert (abs(here.loss - trained.train_loss) < 1e-3).all()  # on a twentieth of them
    assert about["edition"] == trained.edition.iloc[0]
    assert set(rows.epsilon) == {0.02} and set(rows.offset) == {0} and set(rows.samples) == {2_500}
