"""SB and LB under several arms: how a rate is chosen, what an arm is, and the tables."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch

from labsupport import experiments, provenance, settings
from labsupport.errors import TrainingDiverged, UnknownName
from labsupport.experiments import rates
from labsupport.experiments.tuned import record_tuned, tuned_gaps
from labsupport.recipe import Recipe

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def looked_at(best: dict[str, float]):
    """A measurement whose validation accuracy falls by a point for every factor of two away from the best rate."""

    def measure(rate):
        rows = [
            {
                "ends": end,
                "seed": seed,
                "validation_accuracy": 70 + seed - abs(math.log2(rate / at)),
            }
            for end, at in best.items()
            for seed in (0, 1)
        ]
        return pd.DataFrame(rows).assign(optimizer="adam", batch="LB", learning_rate=rate)

    return measure


def test_a_grid_grows_until_the_best_rate_of_every_end_lies_inside():
    found = rates.extended(looked_at({"own stop": 8.0, "as many epochs": 0.5}), (2.0, 4.0), 2)
    assert sorted(found.learning_rate.unique()) == [0.25, 0.5, 1, 2, 4, 8, 16]
    assert set(rates.chosen_rates(found).values()) == {(8.0, True), (0.5, True)}


def test_a_grid_that_is_wide_enough_is_left_alone():
    found = rates.extended(looked_at({"own stop": 2.0}), (1.0, 2.0, 4.0), 2)
    assert sorted(found.learning_rate.unique()) == [1, 2, 4]


def test_an_optimum_that_is_never_inside_is_said_to_be_at_the_edge():
    found = rates.extended(looked_at({"own stop": 1e9}), (1.0, 2.0, 4.0), 2)
    assert found.learning_rate.nunique() == rates.MOST
    assert list(rates.chosen_rates(found).values()) == [(128.0, False)]


def test_a_rate_with_which_one_seed_diverged_is_never_chosen():
    rows = pd.DataFrame(
        {
            "learning_rate": [1.0, 1.0, 2.0, 2.0],
            "validation_accuracy": [60.0, 61.0, 99.0, math.nan],
        }
    )
    assert rates.best_rate(rows) == (1.0, False)
    with pytest.raises(ValueError, match="diverged; begin with smaller ones"):
        rates.best_rate(rows.assign(validation_accuracy=math.nan))


def test_a_diverged_training_is_a_row_without_an_accuracy(monkeypatch):
    def fails(*_, **__):
        raise TrainingDiverged("The loss is no number.")

    monkeypatch.setattr(rates.sweep, "run", fails)
    recipe = rates.arm(s, "sgd", "LB", "own stop", 1e6)
    rows = rates._validated(s, s.main, recipe, ("own stop", "as many epochs"))
    assert len(rows) == 2 * s.seeds and rows.validation_accuracy.isna().all()


def test_rates_are_chosen_without_the_test_set():
    whole, held_out = s.main.load(), rates.validation_problem(s).load()
    kept = len(whole.y_train) - s.held_out
    assert torch.equal(held_out.x_train, whole.x_train[:kept])
    assert torch.equal(held_out.x_test, whole.x_train[kept:])
    assert torch.equal(held_out.y_test, whole.y_train[kept:])


def test_an_arm_differs_from_the_chapters_recipe_in_what_it_names():
    def changes(recipe, plain):
        return {k for k in Recipe.__dataclass_fields__ if getattr(recipe, k) != getattr(plain, k)}

    assert rates.arm(s, "adam", "SB", "own stop") == s.SB
    assert rates.arm(s, "adam", "LB", "own stop") == s.LB
    tuned = rates.arm(s, "adam", "LB", "own stop", 0.01)
    assert changes(tuned, s.LB) == {"learning_rate", "warmup_steps"}
    other = rates.arm(s, "sgd", "LB", "own stop")
    assert changes(other, s.LB) == {"optimizer", "momentum", "learning_rate"}
    longer = rates.arm(s, "adam", "LB", "as many updates")
    assert changes(longer, s.LB) == {"epochs", "steps", "stop_loss"}
    assert longer.steps == s.SB.epochs * len(s.main.load().y_train) // s.SB.batch_size
    assert rates.arm(s, "adam", "LB", "as many epochs").epochs == s.SB.epochs


def test_small_batches_have_no_other_end_than_their_own():
    with pytest.raises(UnknownName, match="as many updates"):
        rates.arm(s, "adam", "SB", "as many updates")


def test_the_own_stop_is_where_the_loss_first_comes_down_to_the_stop_loss():
    history = pd.DataFrame({"epoch": [0, 1, 2, 3], "train_loss": [2.0, 0.5, 0.7, 0.4]})
    assert rates._read(history, "own stop", 2, 0.5).epoch.tolist() == [1]
    assert rates._read(history, "own stop", 2, 0.1).epoch.tolist() == [3]
    assert rates._read(history, "as many epochs", 2, 0.5).epoch.tolist() == [2]
    assert rates._read(history, "own stop", 2, None).epoch.tolist() == [3]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The whole measurement at the smallest scale, with one rate a grid: (ends, rates, provenance)."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        grids = {key: (first[:1], factor) for key, (first, factor) in rates.GRIDS.items()}
        patch.setattr(rates, "GRIDS", grids)
        patch.setattr(rates, "MOST", 1)
        record_tuned(s, ("adam",), folder=folder)
    rows, about = provenance.read("tuned", folder=folder)
    return rows, provenance.read("tuned-rates", folder=folder)[0], about


def test_every_arm_has_one_finite_row_a_seed(recorded):
    rows, swept, _ = recorded
    arms = rows.groupby(["protocol", "batch", "ends"]).seed.apply(list)
    assert len(arms) == 2 * (2 + 4) and all(seeds == [0, 1] for seeds in arms)
    assert np.isfinite(rows.select_dtypes("number").to_numpy(dtype=float)).all()
    assert swept.groupby(["batch", "ends"]).size().to_dict() == {
        ("SB", "own stop"): 2,
        ("LB", "own stop"): 2,
        ("LB", "as many epochs"): 2,
        ("LB", "as many updates"): 2,
    }


def test_the_record_says_which_rates_its_sweep_chose_and_its_arms_have_them(recorded):
    rows, swept, about = recorded
    chosen = rates.chosen_rates(swept)
    assert about["rates"] == {
        ", ".join(key): {"learning_rate": rate, "inside": inside}
        for key, (rate, inside) in chosen.items()
    }
    had = rows[(rows.protocol == "tuned") & (rows.ends != "equal loss")]
    had = had.groupby(["optimizer", "batch", "ends"]).learning_rate.unique().apply(list)
    assert had.to_dict() == {key: [rate] for key, (rate, _) in chosen.items()}


def test_the_record_says_where_it_comes_from_and_the_recipe_of_every_arm(recorded):
    rows, _, about = recorded
    assert {"date", "commit", "machine", "torch", "python", "seeds", "held_out"} <= set(about)
    assert set(about["recipes"]) == set(rows.recipe)
    for name, rate in rows.groupby("recipe").learning_rate.first().items():
        assert f"learning_rate={rate}" in about["recipes"][name]


def test_equal_loss_is_read_at_the_higher_of_the_two_ends(recorded):
    rows, _, _ = recorded
    for _, arms in rows.groupby(["protocol", "seed"]):
        loss = arms.set_index(["batch", "ends"]).train_loss
        level = max(loss["SB", "own stop"], loss["LB", "own stop"])
        assert loss["SB", "equal loss"] <= level and loss["LB", "equal loss"] <= level
        assert level in (loss["SB", "equal loss"], loss["LB", "equal loss"])


def test_as_many_updates_are_as_many(recorded):
    rows, _, _ = recorded
    made = rows.groupby(["batch", "ends"]).updates.unique()
    assert made["LB", "as many updates"].tolist() == made["SB", "own stop"].tolist()


def test_a_gap_and_a_ratio_are_those_of_the_seeds():
    rows = pd.DataFrame(
        {
            "optimizer": "sgd",
            "protocol": "tuned",
            "batch": ["SB", "SB", "SB", "LB", "LB", "LB"],
            "ends": "own stop",
            "seed": [0, 1, 2, 2, 1, 0],  # paired by seed, not by row
            "test_accuracy": [71.0, 72.0, 73.0, 70.0, 70.0, 70.0],
            "sharpness": [1.0, 1.0, 4.0, 32.0, 4.0, 2.0],
            "sharpness_5e-4": [1.0, 1.0, 4.0, 32.0, 0.0, 2.0],
            "train_loss": 0.01,
            "updates": 10,
        }
    )
    found = tuned_gaps(rows).iloc[0]
    half = 4.302653 / math.sqrt(3)  # t of 2 degrees of freedom, and a deviation of 1
    assert found[["gap", "gap_low", "gap_high"]].tolist() == pytest.approx([2, 2 - half, 2 + half])
    assert found.ratio == pytest.approx((2 * 4 * 8) ** (1 / 3))
    assert found.ratio_low == pytest.approx(4 * math.exp(-half * math.log(2)))
    assert math.isnan(found["ratio_5e-4"])


# -- the committed result --------------------------------------------------------------------------------------------


def test_the_committed_rates_are_those_that_the_committed_sweep_chooses():
    about = experiments.tuned_provenance()
    chosen = {
        ", ".join(key): {"learning_rate": rate, "inside": inside}
        for key, (rate, inside) in rates.chosen_rates(experiments.tuned_rates()).items()
    }
    assert about["rates"] == chosen
    rows = experiments.tuned()
    for key, found in about["rates"].items():
        optimizer, batch, ends = key.split(", ")
        of_arm = rows.query(
            "optimizer == @optimizer and batch == @batch and ends == @ends and protocol == 'tuned'"
        )
        assert of_arm.learning_rate.unique().tolist() == [found["learning_rate"]]


def test_the_committed_arms_are_complete_and_each_says_its_recipe():
    rows, about = experiments.tuned(), experiments.tuned_provenance()
    arms = rows.groupby(["optimizer", "protocol", "batch", "ends"]).seed.apply(list)
    assert all(seeds == list(range(about["seeds"])) for seeds in arms)
    assert {key[:2] for key in arms.index} == {
        (optimizer, protocol)
        for optimizer in about["optimizers"]
        for protocol in ("shared rate", "tuned")
    }
    assert set(rows[rows.batch == "LB"].ends) == {*about["ends"], "equal loss"}
    assert set(about["recipes"]) == set(rows.recipe)
    assert np.isfinite(rows.select_dtypes("number").to_numpy(dtype=float)).all()
    assert about["scale"] == "laptop" and about["commit"] != "unknown"
    for name, rate in rows.groupby("recipe").learning_rate.first().items():
        assert f"learning_rate={rate}" in about["recipes"][name]


def test_the_gaps_of_the_committed_arms_are_recomputed_from_their_rows():
    rows, found = experiments.tuned(), experiments.tuned_gaps()
    assert len(found) == rows[rows.batch == "LB"].recipe.nunique()
    for one in found.itertuples():
        arm = rows.query("optimizer == @one.optimizer and protocol == @one.protocol")
        large = arm[(arm.batch == "LB") & (arm.ends == one.ends)].sort_values("seed")
        beside = "equal loss" if one.ends == "equal loss" else "own stop"
        small = arm[(arm.batch == "SB") & (arm.ends == beside)].sort_values("seed")
        gap = small.test_accuracy.to_numpy() - large.test_accuracy.to_numpy()
        known = scipy.stats.ttest_1samp(gap, 0).confidence_interval(0.95)
        assert (one.gap, one.gap_low, one.gap_high) == pytest.approx((gap.mean(), *known))
        times = large.sharpness.to_numpy() / small.sharpness.to_numpy()
        assert one.ratio == pytest.approx(scipy.stats.gmean(times))
