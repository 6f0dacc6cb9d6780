"""Warm starts at smoke size: LB really starts where SB was, and the table says what the runs did."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labsupport import experiments, settings, training
from labsupport.experiments import warm_starts

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_iterates_lie_on_the_way_of_small_batches():
    found = experiments.iterates(s)
    assert list(found) == [0, 1, 2, 3]
    assert torch.equal(found[0], experiments.minima(s)["SB"].x0) and torch.equal(found[3], experiments.minima(s)["SB"].x)
    by_hand = training.train(s.main, s.SB.but(epochs=2), s.seeds, progress=False)
    assert torch.equal(by_hand.x, found[2])


def test_large_batches_start_there():
    found, runs = experiments.iterates(s), warm_starts.warm_runs(s)
    assert runs.keys() == found.keys()
    for k in found:
        assert torch.equal(runs[k].x0, found[k]) and runs[k].recipe == s.LB


def test_the_table_says_what_the_runs_did():
    table = warm_starts.warm_start(s).set_index(["run", "k", "seed"]).sort_index()
    runs, on_test = warm_starts.warm_runs(s), s.main.objective("test")
    assert len(table) == 2 * 4 * 2
    assert table.loc["LB", 2].test_accuracy.tolist() == pytest.approx(on_test.accuracy(runs[2].x).tolist())
    assert table.loc["SB", 1].test_accuracy.tolist() == pytest.approx(on_test.accuracy(experiments.iterates(s)[1]).tolist())
    assert table.loc["SB", 2].updates.tolist() == [50, 50]  # 800 samples by 32, twice
    assert table.loc["LB", 2].updates.tolist() == [58, 58]  # and 4 epochs of 2
    assert (table.loc["LB", "sharpness_1e-3"] > table.loc["LB", "sharpness_5e-4"]).all()
    assert (table.loc["SB", "sharpness_1e-3"] > 0).all() and table.loc["SB", "sharpness_5e-4"].isna().all()


def test_paths_join_where_the_batch_changes():
    table, on_test = warm_starts.paths(s), s.main.objective("test")
    first = table[table.k == 2].sort_values("epoch").groupby("seed").first()
    assert first.epoch.tolist() == [2, 2]
    assert np.allclose(first.test_accuracy, on_test.accuracy(experiments.iterates(s)[2]).tolist())
    assert table[table.k.isna()].epoch.max() == s.SB.epochs


def test_remedies_count_all_their_updates():
    table = warm_starts.remedies(s).groupby("method").first()
    assert table.loc["SB", "updates"] == 75 and table.loc["LB", "updates"] == 8
    assert table.loc["SB 2 epochs, then LB", "updates"] == 58
    assert table.loc["SB 2 epochs, then lower rate", "updates"] == 50 + 25
    assert table.loc["growing batch", "updates"] == 25 + 13 + 7 + 2  # batches of 32, 64, 128, 400


def test_annealing_lowers_the_rate_and_nothing_else():
    runs = warm_starts.annealed(s, 1)
    assert runs.recipe.learning_rate == pytest.approx(s.SB.learning_rate * 32 / 400) and runs.recipe.batch_size == 32
    assert torch.equal(runs.x0, experiments.iterates(s)[1])


def test_the_other_way_round_starts_at_the_large_batch_minimum():
    runs = warm_starts.reverse(s)
    assert torch.equal(runs.x0, experiments.minima(s)["LB"].x) and runs.recipe.batch_size == s.SB.batch_size
