"""Adam's limit is where its steps on a parabola begin to grow, and the scaled Hessian is what it says."""

import dataclasses

import pandas as pd
import pytest
import torch
from torch import nn

from labsupport import curvature, settings, training
from labsupport.experiments import instability
from labsupport.objective import Objective
from labsupport.training.optimizers import Adam

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


@pytest.mark.parametrize("times, grows", [(0.98, False), (1.02, True)])
def test_steps_grow_above_the_limit_and_shrink_below(times, grows):
    """Adam's mean of gradients, its root held fixed at 1, on x^2 / 2 times the eigenvalue."""
    rate = 1e-3
    eigenvalue = times * instability.limit(rate)
    x, mean, seen = 1.0, 0.0, []
    for _ in range(200):
        mean = Adam.b1 * mean + (1 - Adam.b1) * eigenvalue * x
        x -= rate * mean
        seen.append(abs(x))
    assert (seen[-1] > 1) == grows


def small():
    """(f, two points, a D for each), with enough weights for Lanczos."""
    torch.manual_seed(0)
    x, y = torch.randn(60, 4), torch.randint(0, 3, (60,))
    f = Objective(nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 3)), x, y)
    assert f.n > curvature.DENSE
    spreads = torch.rand(2, f.n) + 0.1
    return f, torch.randn(2, f.n), spreads


def test_the_scaled_eigenvalues_are_those_of_the_whole_matrices():
    f, x, spreads = small()
    found = instability.scaled_eigenvalue(f, x, spreads, tolerance=1e-3)
    for value, point, spread in zip(found, x.double(), spreads.double()):
        columns = [f.double().hessian_vector(point, v) for v in torch.eye(f.n).double()]
        units = spread.sqrt()
        whole = torch.linalg.eigvalsh(torch.stack(columns) / units / units[:, None])[-1]
        assert value == pytest.approx(float(whole), rel=1e-3)


def test_a_weight_that_changes_nothing_does_not_count_however_small_its_root():
    """The bias ahead of batch norm: its gradient is rounding, and Adam's root its constant."""
    f = s.main.objective()
    x = training.start("F0", (0,))
    spread = torch.full_like(x, 1e-3)
    (plain,) = instability.scaled_eigenvalue(f, x, spread)
    still = f.gradient(x).abs() < 1e-7
    assert still.sum() > 100
    (found,) = instability.scaled_eigenvalue(f, x, torch.where(still, torch.tensor(1e-8), spread))
    assert found == pytest.approx(plain, rel=0.05)


def test_a_scaled_function_has_the_slope_of_its_own_units():
    f, points, spreads = small()
    x, scaled = points[0], instability.Scaled(f, spreads[0]).double()
    u, v = x.double() * scaled.units, torch.randn(f.n).double()
    value, gradient = scaled.value_and_gradient(u)
    ahead, behind = (scaled(u + step * v) for step in (1e-5, -1e-5))
    assert float(value) == pytest.approx(float(f(x)), rel=1e-6)
    assert float(ahead - behind) / 2e-5 == pytest.approx(float(gradient @ v), rel=1e-5)


def test_the_root_is_that_of_torchs_adam_in_the_same_training():
    """One epoch of each seed written out: the same order of samples, torch's gradients and torch's Adam."""
    two = dataclasses.replace(s, seeds=2)
    _, loop = next(instability.epochs_with(two, {}))
    f, size = two.main.objective(), two.LB.batch_size
    found = instability.spread(loop.stepper.state)
    for seed in range(2):
        x = nn.Parameter(training.start("F0", (seed,))[0])
        adam = torch.optim.Adam([x])
        order = torch.randperm(len(f.labels), generator=torch.Generator().manual_seed(seed))
        for rows in order.split(size):
            x.grad = Objective("F0", f.inputs[rows], f.labels[rows]).gradient(x)
            adam.step()
        state = adam.state[x]
        mean = state["exp_avg_sq"] / (1 - 0.999 ** float(state["step"]))
        assert torch.allclose(loop.x[seed], x.detach(), atol=1e-4)
        assert torch.allclose(found[seed], mean.sqrt() + 1e-8, rtol=0.02, atol=1e-6)


def test_one_root_for_several_weights_is_refused():
    f, x, spreads = small()
    with pytest.raises(ValueError, match="one root a weight"):
        instability.scaled_eigenvalue(f, x, spreads[:, :1])


@pytest.mark.parametrize(
    "losses, expected",
    [
        ([1.0, 0.001, 0.0005, 0.0004, 0.2, 0.001], 6),
        ([1.0, 0.001, 0.0005, 0.001, 0.0015], None),  # above ten times nowhere
        ([1.0, 0.1, 1.5, 0.1], None),  # never at the stop
        ([0.001, 0.0001, 0.0015, 0.1], 4),  # ten times the least, but below the stop: not yet
    ],
)
def test_the_last_look_before_a_spike(losses, expected):
    run = pd.DataFrame({"epoch": range(0, 2 * len(losses), 2), "train_loss": losses})
    assert instability.look_before_spike(run.sample(frac=1, random_state=0), stop=0.002) == expected


def test_the_record_has_what_all_share_and_each_arm(tmp_path):
    short = dataclasses.replace(s, seeds=2, long_epochs=s.SB.epochs + 2)
    instability.record_adams_limit(short, folder=tmp_path)
    rows, about = instability.provenance.read(instability.NAME, tmp_path)
    assert set(rows.arm) == {"", *instability.ARMS}
    assert (rows.eigenvalue > 0).all() and about["seeds"] == 2
    limits = rows.groupby("arm").limit.first()
    assert limits["rate / 10"] == pytest.approx(10 * limits["unchanged"])
    assert list(rows.columns) == list(instability.adams_limit().columns)


def test_the_committed_measurement_is_of_todays_recipe():
    laptop, rows = settings.TABLE["laptop"], instability.adams_limit()
    about = instability.provenance.read(instability.NAME)[1]
    assert about["recipe"] == repr(instability.long_recipe(laptop))
    assert set(rows.seed) == set(range(laptop.seeds))
    assert rows.epoch.min() == instability.EVERY and rows.epoch.max() == laptop.long_epochs
