"""Many trainings by name: the same as one by one, remembered, and spread over processes."""

import shutil

import pytest
import torch

from labsupport import cache, data, sweep, training
from labsupport.errors import UnknownName
from labsupport.problem import Problem
from labsupport.recipe import Recipe

SMALL = Problem("F0", "mnist1d", 200)
RECIPES = {"SB": Recipe(50, epochs=2), "LB": Recipe(200, epochs=2)}


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    """A store that has the data, which takes a second to make, and no run."""
    data.load("mnist1d")
    for path in cache.folder().glob("_mnist1d*.npz"):
        for place in (tmp_path, tmp_path / "other"):
            place.mkdir(exist_ok=True)
            shutil.copy(path, place)
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))
    monkeypatch.setenv("LABSUPPORT_WORKERS", "1")


def test_a_sweep_is_one_training_after_another():
    found = sweep.run(SMALL, RECIPES, [3, 1], checkpoints=[1])
    dataset = data.load("mnist1d", train_size=200)
    for name, recipe in RECIPES.items():
        alone = training.train(
            Problem("F0", dataset), recipe, [3, 1], progress=False, checkpoints=[1]
        )
        assert torch.equal(found[name].x, alone.x) and torch.equal(
            found[name].checkpoints[1], alone.checkpoints[1]
        )
        assert found[name].seeds == (3, 1) and found[name].recipe == recipe


def test_what_is_known_is_not_trained_again():
    first = sweep.run(SMALL, RECIPES, 2)
    again = sweep.run(SMALL, {"any name": RECIPES["SB"]}, (0, 1))
    assert again["any name"].seconds == first["SB"].seconds


def test_two_processes_give_what_one_gives(monkeypatch, tmp_path):
    one = sweep.run(SMALL, RECIPES, 2)
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "other"))
    monkeypatch.setenv("LABSUPPORT_WORKERS", "2")
    two = sweep.run(SMALL, RECIPES, 2)
    for name in RECIPES:
        assert torch.equal(one[name].x, two[name].x)


def test_seeds_apart_are_trained_as_their_parts_alone(monkeypatch):
    monkeypatch.setenv("LABSUPPORT_WORKERS", "2")
    seeds, x0 = (4, 0, 2), training.start("F0", [7, 8, 9])
    found = sweep.run(SMALL, RECIPES, seeds, checkpoints=[1], x0={"LB": x0}, apart=True)
    for name, start in (("SB", None), ("LB", x0)):
        parts = [
            training.train(
                SMALL,
                RECIPES[name],
                seeds[rows],
                checkpoints=[1],
                x0=None if start is None else start[rows],
                progress=False,
            )
            for rows in (slice(0, 2), slice(2, 3))
        ]
        assert torch.equal(found[name].x, torch.cat([part.x for part in parts]))
        kept = torch.cat([part.checkpoints[1] for part in parts])
        assert torch.equal(found[name].checkpoints[1], kept)
        assert found[name].seeds == seeds and list(found[name].history.seed.unique()) == [0, 2, 4]
        ends = found[name].final.test_loss
        assert all(
            ends[seed] == part.final.test_loss[seed] for part in parts for seed in part.seeds
        )
    usual = sweep.run(SMALL, RECIPES, seeds)
    assert torch.allclose(usual["SB"].x, found["SB"].x, atol=1e-2)
    with pytest.raises(ValueError, match="x0 has 2 rows and there are"):
        sweep.run(SMALL, {"SB": RECIPES["SB"]}, seeds, x0={"SB": x0[:2]}, apart=True)


def test_a_start_for_one_of_them():
    x0 = training.start("F0", [7])[0]
    found = sweep.run(SMALL, RECIPES, 1, x0={"LB": x0})
    assert torch.equal(found["LB"].x0[0], x0) and not torch.equal(found["SB"].x0[0], x0)


@pytest.mark.parametrize(
    "network, dataset, says",
    [("F0", "mnsit1d", "Did you mean 'mnist1d'"), ("G0", "mnist1d", "Did you mean")],
)
def test_an_unknown_name_is_found_before_anything_is_stored(network, dataset, says, tmp_path):
    with pytest.raises(UnknownName, match=says):
        sweep.run(Problem(network, dataset, 200), {"SB": RECIPES["SB"]}, 1)
    assert not list(tmp_path.glob("trained*"))


def test_a_process_begins_with_what_no_other_is_at():
    """Another process is training SB: LB comes first."""
    jobs = {name: (SMALL, recipe, (0,)) for name, recipe in RECIPES.items()}
    order = []

    def watched(*job):
        order.append(job[1].batch_size)

    watched.known = lambda *job: False
    watched.busy = lambda *job: job[1].batch_size == 50
    sweep.each(watched, jobs)
    assert order == [200, 50]
