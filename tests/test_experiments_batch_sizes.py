"""Chapter 2's experiments at their smallest size, and the two ways the counterexample can come about."""

import json

import numpy as np
import pytest

from labsupport import Problem, data, experiments, provenance, settings
from labsupport.errors import DataUnavailable
from labsupport.experiments import batch_sizes, images

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_the_gap_has_a_row_a_batch_and_seed_from_the_last_point():
    table = experiments.generalization_gap(s)
    assert table.groupby("batch").seed.apply(list).to_dict() == {"SB": [0, 1], "LB": [0, 1]}
    runs = experiments.minima(s)
    on_test = s.main.objective("test")
    assert np.allclose(
        table[table.batch == "LB"].test_accuracy, on_test.accuracy(runs["LB"].x).cpu(), atol=0.02
    )
    # 3 epochs of 800 samples in batches of 32
    assert table[table.batch == "SB"].steps.tolist() == [75, 75]


@pytest.mark.parametrize(
    "size, epochs", [(32, 80), (64, 80), (128, 80), (256, 128), (400, 200), (2000, 1000)]
)
def test_every_batch_size_gets_at_least_the_epochs_of_sb_and_the_steps_of_lb(size, epochs):
    s = settings.TABLE["laptop"]
    recipe = batch_sizes.sweep_recipe(s, size)
    assert (recipe.batch_size, recipe.epochs) == (size, epochs)
    assert (
        batch_sizes.sweep_recipe(s, s.SB.batch_size) == s.SB
        and batch_sizes.sweep_recipe(s, s.LB.batch_size) == s.LB
    )


def test_the_sweep_shares_its_ends_with_the_gap():
    sweep, table = experiments.batch_size_sweep(s), experiments.generalization_gap(s)
    assert sweep.test_accuracy.tolist() == table.test_accuracy.tolist()
    assert sweep.batch_size.unique().tolist() == [32, 400]


def test_without_mnist_the_committed_control_is_shown_and_named(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise DataUnavailable("no host answers")

    monkeypatch.setattr(data, "load", refuse)
    monkeypatch.setattr("labsupport.problem._kept", refuse)  # nor from a test before
    table = experiments.negative_control(s)
    assert set(table.source) == {"committed"}
    assert set(table.columns) >= {
        "batch",
        "seed",
        "train_accuracy",
        "test_accuracy",
        "train_loss",
        "sharpness",
    }
    origin = experiments.control_provenance()
    assert sorted(table[table.batch == "SB"].seed) == origin["seeds"]
    assert {"commit", "date", "machine", "torch", "python", "SB", "LB", "train_size"} <= set(origin)
    assert (table.sharpness > 0).all() and table.test_accuracy.between(90, 100).all()


@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not on this machine")
def test_with_mnist_the_control_is_measured():
    table = experiments.negative_control(s)
    assert set(table.source) == {"this machine"} and (table.sharpness > 0).all()
    assert set(table.columns) == set(provenance.read("negative-control")[0].columns) | {"source"}


def test_the_committed_images_follow_the_rules_that_were_written_down():
    table, origin = experiments.real_images(), experiments.real_images_provenance()
    for (dataset, _), one in table.groupby(["dataset", "batch"]):
        wanted = [seed for group in images.SEEDS[dataset] for seed in group]
        assert one.seed.tolist() == wanted == origin["seeds"][dataset]
    assert "mnist" in set(table.dataset) and set(table.dataset) == set(origin["seeds"])
    for batch, recipe in images.RECIPES.items():
        assert origin[batch] == repr(recipe)
        of_batch = table[table.batch == batch]
        stopped = of_batch.train_loss <= recipe.stop_loss
        assert (stopped | (of_batch.epoch == recipe.epochs)).all()


@pytest.mark.skipif(not data.available("mnist"), reason="MNIST is not on this machine")
def test_the_images_are_measured_and_recorded_by_the_same_function(tmp_path):
    recipe = s.control_SB.but(epochs=2)
    recipes = {"SB": recipe, "LB": recipe.but(batch_size=100)}
    problem = Problem("F1s", "mnist", 1000)
    path = experiments.record_real_images([problem], recipes, {"mnist": [(3, 4)]}, tmp_path)
    written = json.loads(path.read_text())
    assert [(row["batch"], row["seed"]) for row in written["rows"]] == [
        ("SB", 3),
        ("SB", 4),
        ("LB", 3),
        ("LB", 4),
    ]
    assert written["provenance"]["seeds"] == {"mnist": [3, 4]}
    assert all(row["sharpness"] > 0 for row in written["rows"])
