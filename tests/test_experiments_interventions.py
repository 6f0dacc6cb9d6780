"""Sharpness turned at a fixed dial: without a step it is plain training, uphill it is SAM, and the rows are as said."""

import dataclasses

import pytest
import torch

from labsupport import experiments, settings, training
from labsupport.experiments import interventions
from labsupport.objective import Objective
from tests import chapters

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


def test_groups_without_a_step_are_ghost_batch_norm():
    recipe = s.LB.but(stop_loss=None, epochs=2)
    found = interventions.train_elsewhere(s.main, recipe, (0, 1), 0.0, group=100)
    plain = training.train(s.main, recipe.but(ghost_batch=100), (0, 1), progress=False)
    assert torch.allclose(found["last"], plain.x.cpu(), atol=1e-5)


def test_each_group_makes_a_step_of_its_own():
    """Written out for one update of a network without batch norm: two groups, two steps, the mean of the gradients."""
    problem = dataclasses.replace(s.main, network="F0-plain", train_size=400)
    recipe = s.LB.but(stop_loss=None, epochs=1)
    x = training.start("F0-plain", (0,))[0].double()
    f = problem.objective()
    order, mean = torch.randperm(400, generator=torch.Generator().manual_seed(0)), 0.0
    for rows in order.split(200):
        part = Objective("F0-plain", f.inputs[rows], f.labels[rows]).double()
        g = part.gradient(x)
        mean = mean + part.gradient(x + 0.05 * g / g.norm()) / 2
    expected = x - recipe.learning_rate * mean / (mean.abs() + 1e-8)  # Adam's first update
    found = interventions.train_elsewhere(problem, recipe, (0,), 0.05, group=200)
    moved = found["last"][0].double() - x
    clear = mean.abs() > 1e-5  # below that, rounding decides the sign
    assert torch.allclose(moved[clear], (expected - x)[clear], atol=2e-6)
    alone = interventions.train_elsewhere(problem, recipe, (0,), 0.05)["last"][0].double() - x
    assert not torch.allclose(alone[clear], moved[clear], atol=2e-5)


def test_the_record_of_the_groups_has_controls_where_a_group_changes_the_norm(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(interventions, "GROUPS", (400, 200))
    monkeypatch.setattr(interventions, "LENGTH_EPOCHS", 1)
    interventions.record_sam_groups(s, folder=tmp_path)
    rows = interventions.provenance.read(interventions.GROUPS_NAME, tmp_path)[0]
    arms = set(rows[["network", "group", "rho"]].itertuples(index=False, name=None))
    assert len(rows) == 2 * s.seeds * len(arms)
    assert {(group, rho) for network, group, rho in arms if network == "F0"} == {
        (group, rho) for group in (400, 200) for rho in (0.0, 0.05)
    }
    assert {(group, rho) for network, group, rho in arms if network == "F0-plain"} == {
        (400, 0.0), (400, 0.05), (200, 0.05)
    }  # fmt: skip


def test_a_penalty_adds_its_strength_times_the_rise_to_the_corner_of_the_box():
    """Chapter 9's penalty, by central differences in float64, the step to the corner held where it is."""
    penalized = chapters.names("09", "penalized")["penalized"]
    problem = dataclasses.replace(s.main, network="F0-plain", train_size=100)
    f, x = problem.objective().double(), training.start("F0-plain", (0,)).double()
    batch = lambda points, *_: f.value_and_gradient(points)
    _, found = penalized(batch, 3.0)(x, None, None)
    step = 1e-3 * (x.abs() + 1) * f.gradient(x).sign()
    penalty = lambda points: f(points) + 3 * (f(points + step) - f(points))
    v = torch.randn(x.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    v = v / v.norm()
    slope = (penalty(x + 1e-5 * v) - penalty(x - 1e-5 * v)) / 2e-5
    assert torch.allclose((found * v).sum(1), slope, rtol=1e-4, atol=1e-6)
    _, none = penalized(batch, 0.0)(x, None, None)
    assert torch.equal(none, f.gradient(x))


def test_a_gradient_that_is_left_alone_is_plain_training():
    recipe = s.LB.but(stop_loss=None, epochs=2)
    run = interventions.train_changed(s.main, recipe, (0, 1), lambda gradient: gradient)
    plain = interventions.train_elsewhere(s.main, recipe, (0, 1), 0.0)
    assert torch.equal(run["last"], plain["last"])
    rows = interventions.read_twice(s, s.main, recipe, run, strength=0.0)
    assert list(rows.columns)[:3] == ["strength", "read", "seed"] and len(rows) == 2 * s.seeds
