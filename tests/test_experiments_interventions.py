"""Sharpness turned at a fixed dial: without a step it is plain training, uphill it is SAM, and the rows are as said."""

import pytest
import torch

from labsupport import experiments, settings, training
from labsupport.experiments import interventions

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_without_a_step_it_is_plain_training_and_uphill_it_is_sam(rho):
    recipe = s.LB.but(stop_loss=None, epochs=2)
    found = interventions.train_elsewhere(s.main, recipe, (0, 1), rho)
    plain = training.train(s.main, recipe.but(sam_rho=rho), (0, 1), progress=False)
    assert torch.allclose(found["last"], plain.x.cpu(), atol=1e-5)


def test_downhill_is_another_training():
    recipe = s.LB.but(stop_loss=None, epochs=2)
    plain, down = (interventions.train_elsewhere(s.main, recipe, (0,), rho) for rho in (0.0, -0.05))
    assert not torch.allclose(plain["last"], down["last"], atol=1e-4)


def test_a_seed_that_does_not_reach_the_loss_is_read_at_its_last_epoch():
    recipe = s.LB.but(stop_loss=None, epochs=2)
    found = interventions.train_elsewhere(s.main, recipe, (0, 1), 0.0)
    assert torch.equal(found["matched"], found["last"])
    assert found["updates"] == [4, 4]  # two batches of 400 an epoch


def test_the_record_has_a_row_a_length_a_reading_and_a_seed(tmp_path, monkeypatch):
    monkeypatch.setattr(interventions, "LENGTHS", (0.0, -0.02))
    monkeypatch.setattr(interventions, "LENGTH_EPOCHS", 1)
    interventions.record_both_ways(s, folder=tmp_path)
    rows = interventions.provenance.read(interventions.NAME, tmp_path)[0]
    assert len(rows) == 2 * 2 * s.seeds
    assert list(rows.columns) == list(experiments.both_ways().columns)
