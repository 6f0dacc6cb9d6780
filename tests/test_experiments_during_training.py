"""Large batches past their stop, at smoke size, and the longer measurements that are committed."""

from __future__ import annotations

import pytest
import torch

from labsupport import experiments, provenance, settings
from labsupport.experiments import during_training, handover

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_the_long_run_begins_as_the_large_batch_does():
    run = during_training.long_run(s)
    assert run.recipe.stop_loss is None and max(run.checkpoints) == s.long_epochs
    # at smoke scale LB never stops early
    assert torch.equal(run.checkpoints[s.LB.epochs], experiments.minima(s)["LB"].x)


def test_a_training_whose_adam_is_left_unchanged_is_the_long_run_to_the_last_bit():
    rows = during_training.change_adam(s, {"unchanged": (1.0, 1e-8), **during_training.CHANGES})
    run = during_training.long_run(s).history.set_index(["seed", "epoch"]).train_loss
    ours = rows[rows.arm == "unchanged"].set_index(["seed", "epoch"]).train_loss
    shared = ours.index.intersection(run.index)
    assert len(shared) >= 2 * s.seeds
    assert ours[shared].tolist() == run[shared].tolist()
    ends = rows[rows.epoch == s.long_epochs].pivot(index="seed", columns="arm", values="train_loss")
    for changed in ("rate / 10", "constant 1e-4"):
        assert (ends[changed] != ends["unchanged"]).all()
    starts = rows[rows.epoch == s.SB.epochs].pivot(index="seed", columns="arm", values="train_loss")
    assert (starts.nunique(axis=1) == 1).all()  # all arms leave from one point


def test_another_recipe_leaves_at_the_epoch_asked_for():
    arms = {"unchanged": (1.0, 1e-8), "rate / 10": (0.1, 1e-8)}
    seen = {
        arm: (loop.epoch, loop.x.clone())
        for arm, loop in during_training.epochs_with(s, arms, recipe=s.SB, at=1)
    }
    assert [epoch for epoch, _ in seen.values()] == [1, s.SB.epochs, s.SB.epochs]
    SB = experiments.minima(s)["SB"]
    assert torch.equal(seen["unchanged"][1], SB.x) and not torch.equal(seen["rate / 10"][1], SB.x)


def test_committed_measurements_are_those_of_the_recipes_of_today():
    laptop = settings.TABLE["laptop"]
    rows, about = provenance.read("changed-adam")
    assert about["recipe"] == repr(during_training.long_recipe(laptop))
    assert set(rows.arm) == set(during_training.CHANGES)
    assert (rows.groupby("arm").seed.nunique() == laptop.seeds).all()
    rows, about = provenance.read("late-handover")
    new, whole = handover.late_recipes(laptop)
    assert set(rows.arm) == {*new, *whole}
    assert all(about[name] == repr(recipe) for name, recipe in (new | whole).items())
    assert (rows.groupby("arm").seed.nunique() == laptop.seeds).all()
