"""Sharpness along training at smoke size, and spikes in histories made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import experiments, settings
from labsupport.experiments import during_training

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def history(losses: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": list(losses), "train_loss": list(losses.values())})


def test_a_spike_has_a_top_and_an_end():
    found = during_training.find_spike(
        history({0: 2.0, 4: 0.002, 8: 0.001, 12: 0.05, 16: 0.3, 20: 0.01, 24: 0.0015, 28: 0.9}),
        2e-3,
    )
    assert found.tolist() == [4, 16, 24]


@pytest.mark.parametrize(
    "losses, expected",
    [
        ({0: 2.0, 4: 0.5, 8: 0.01}, [np.nan] * 3),  # never down
        ({0: 2.0, 4: 0.002, 8: 0.001, 12: 0.0015}, [4, np.nan, np.nan]),  # no spike
        # stays below the stop
        ({0: 2.0, 4: 0.002, 8: 0.0001, 12: 0.0015, 16: 0.0001}, [4, np.nan, np.nan]),
        ({0: 2.0, 4: 0.002, 8: 0.3}, [4, 8, np.nan]),  # not back before the run ends
    ],
)
def test_what_is_no_whole_spike(losses, expected):
    np.testing.assert_array_equal(
        during_training.find_spike(history(losses), 2e-3).to_numpy(), expected
    )


def test_at_equal_loss_the_ends_hold_beyond_the_path():
    path = pd.DataFrame({"seed": 0, "loss": [1.0, 0.01], "sharpness": [10.0, 1000.0]})
    assert during_training.at_loss(path, [5.0, 1e-5]).loc[0].tolist() == pytest.approx([10, 1000])


def test_the_long_run_begins_as_the_large_batch_does():
    run = during_training.long_run(s)
    assert run.recipe.stop_loss is None and max(run.checkpoints) == s.long_epochs
    # at smoke scale LB never stops early
    assert torch.equal(run.checkpoints[s.LB.epochs], experiments.minima(s)["LB"].x)


def test_the_table_holds_what_the_points_say():
    table = during_training.along_training(s)
    f = s.main.objective()
    assert len(table) == 2 * (len(s.warm_epochs) + 1) * 2 * s.seeds
    start = table[(table.stage == "0") & (table.epsilon == 1e-3)].pivot(
        index="seed", columns="batch", values="sharpness"
    )
    assert start.SB.tolist() == start.LB.tolist()  # both leave from one point
    x = experiments.minima(s)["LB"].x[1]
    row = table[
        (table.batch == "LB") & (table.stage == "end") & (table.seed == 1) & (table.epsilon == 5e-4)
    ].iloc[0]
    gradient, loss = f.gradient(x), f(x).item()
    assert row.loss == pytest.approx(loss, rel=1e-5)
    plane = 100 * (5e-4 * (x.abs() + 1) * gradient.abs()).sum().item() / (1 + loss)
    assert row.slope == pytest.approx(plane, rel=1e-4)
    assert row.distance == pytest.approx(
        (x - experiments.minima(s)["LB"].x0[1]).norm().item(), rel=1e-5
    )
    assert row.sharpness >= 0.9 * row.slope  # the corner the gradient points to was tried


def test_without_spikes_the_tables_are_empty_but_whole():
    assert during_training.around_spikes(s).empty and during_training.before_and_after(s).empty
    assert {"when", "sharpness"} <= set(during_training.before_and_after(s).columns)
