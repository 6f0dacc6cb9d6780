"""Chapter 8's experiments: real runs at the smallest scale."""

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import data, provenance, settings, training
from labsupport.errors import UnknownName
from labsupport.experiments import recipes
from labsupport.problem import Problem
from labsupport.recipe import Recipe

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


@pytest.fixture(scope="module")
def table():
    return recipes.closing_the_gap(s)


def test_a_method_differs_from_plain_large_batches_in_what_it_names():
    found = recipes.closing_recipes(s)
    plain = found["LB"]
    changes = {
        name: {
            k for k in Recipe.__dataclass_fields__ if getattr(found[name], k) != getattr(plain, k)
        }
        for name in (
            "augmented",
            "conservative",
            "three steps",
            "SAM",
            "ASAM",
            "root rate",
            "linear rate",
            "linear, cold",
        )
    }
    assert changes == {
        "augmented": {"augment", "epochs"},
        "conservative": {"proximal", "inner_steps"},
        "three steps": {"inner_steps"},
        "SAM": {"sam_rho"},
        "ASAM": {"sam_rho", "sam_adaptive"},
        "root rate": {"learning_rate", "warmup_steps"},
        "linear rate": {"learning_rate", "warmup_steps"},
        "linear, cold": {"learning_rate"},
    }


def test_large_batches_stop_at_one_loss_unless_normalized_in_small_groups():
    stops = {name: r.stop_loss for name, r in recipes.closing_recipes(s).items()}
    assert {name for name, stop in stops.items() if stop is None} == {
        "SB",
        "SB, augmented",
        "SB, slow",
        "root + ghost",
        "ghost norm",
    }
    assert set(stops.values()) == {None, recipes.MATCHED_LOSS}


def test_rates_follow_the_two_rules():
    found = recipes.closing_recipes(s)
    assert found["linear rate"].learning_rate / found["LB"].learning_rate == pytest.approx(12.5)
    assert found["root rate"].learning_rate ** 2 == pytest.approx(
        found["linear rate"].learning_rate * found["LB"].learning_rate
    )
    assert found["SB, slow"].learning_rate * 12.5 == pytest.approx(found["SB"].learning_rate)


def test_growing_batches_start_small_and_end_large():
    growth = recipes.closing_recipes(s)["growing"].growth
    assert [size for _, size in growth] == [113, 400]
    assert 0 < growth[0][0] < growth[1][0]


def test_one_finite_row_a_recipe_and_seed(table):
    assert table.groupby("recipe", sort=False).size().to_dict() == dict.fromkeys(
        recipes.closing_recipes(s), 2
    )
    assert np.isfinite(table.drop(columns="recipe").to_numpy(dtype=float)).all()
    assert (table.sharpness >= table["sharpness_5e-4"]).all()


def test_updates_count_every_step_on_a_batch(table):
    updates = table.groupby("recipe").updates.mean()
    assert updates["LB"] == 4 * 2  # 4 epochs of 800 samples
    assert updates["conservative"] == updates["three steps"] == 3 * updates["LB"]


def test_all_methods_share_their_starts():
    first, *others = recipes.closing_runs(s).values()
    assert all(torch.equal(run.x0, first.x0) for run in others)


def test_an_augmented_seed_does_not_depend_on_its_company():
    signals, recipe = data.load("mnist1d", train_size=400), Recipe(100, epochs=2, augment="signals")
    both = training.train(Problem("F0", signals), recipe, [0, 1], progress=False)
    alone = training.train(Problem("F0", signals), recipe, [1], progress=False)
    assert torch.allclose(both.x[1], alone.x[0], atol=1e-5)


def test_diagonals_of_the_map_have_one_ratio():
    cells = recipes.dial_recipes(s)
    assert len(cells) == 15
    ratios = [cells[32, 0.001], cells[113, 0.00354], cells[400, 0.0125]]
    assert [r.learning_rate / r.batch_size for r in ratios] == pytest.approx(
        [0.001 / 32] * 3, rel=0.01
    )


def test_the_map_takes_over_what_the_table_has(table):
    dial = recipes.dial_map(s).set_index(["batch_size", "learning_rate"])
    assert len(dial) == 15
    for cell, name in (
        ((32, 0.001), "SB"),
        ((400, 0.0125), "linear rate"),
        ((32, 8e-5), "SB, slow"),
    ):
        row = table[(table.recipe == name) & (table.seed == 0)].iloc[0]
        assert dial.loc[cell, "test_accuracy"] == row.test_accuracy
        assert dial.loc[cell, "sharpness"] == pytest.approx(row.sharpness, rel=1e-3)


def test_long_runs_make_as_many_updates_as_small_batches():
    assert {r.steps for r in recipes.long_recipes(s).values()} == {
        recipes.closing_runs(s)["SB"].final.steps.max()
    }


def test_a_committed_result_comes_back_as_it_was(tmp_path):
    rows = pd.DataFrame({"recipe": ["a", "b"], "value": [1.5, 2.25]})
    path = provenance.write("tried", rows, provenance.here(network="F0"), folder=tmp_path)
    again, about = provenance.read("tried", folder=tmp_path)
    assert again.equals(rows) and about["network"] == "F0" and about["scale"] == "smoke"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_unknown_committed_result_names_the_known_ones(tmp_path):
    provenance.write("tried", pd.DataFrame({"value": [1.0]}), {}, folder=tmp_path)
    with pytest.raises(UnknownName, match="tried"):
        provenance.read("tired", folder=tmp_path)
