"""Large batches past their stop, at smoke size, and the longer measurements that are committed."""

from __future__ import annotations

import pytest
import torch

from labsupport import experiments, settings
from labsupport.engine.functions import adapt
from labsupport.experiments import during_training

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


class _Quadratic:
    """x^T diag(bend) x / 2 of twenty numbers, with its product with the Hessian."""

    bend = torch.arange(1.0, 21.0, dtype=torch.float64)

    def hessian_vector(self, x, v):
        return self.bend * v


def test_the_long_run_begins_as_the_large_batch_does():
    run = during_training.long_run(s)
    assert run.recipe.stop_loss is None and max(run.checkpoints) == s.long_epochs
    # at smoke scale LB never stops early
    assert torch.equal(run.checkpoints[s.LB.epochs], experiments.minima(s)["LB"].x)


def test_a_training_whose_adam_is_left_unchanged_is_the_long_run_to_the_last_bit():
    rows = during_training.change_adam(s)
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


def test_a_scaled_eigenvalue_is_the_largest_of_the_bend_over_the_spread():
    spread = torch.linspace(1.0, 4.0, 20, dtype=torch.float64)
    found = during_training.scaled_eigenvalue(
        _Quadratic(), torch.zeros(20, dtype=torch.float64), spread, tolerance=1e-8
    )
    assert found == pytest.approx(float((_Quadratic.bend / spread).max()))
    whole = adapt(lambda x: (_Quadratic.bend * x**2).sum() / 2, torch.float64)
    assert torch.allclose(
        whole.hessian_vector(torch.zeros(20, dtype=torch.float64), spread),
        _Quadratic().hessian_vector(None, spread),
    )
