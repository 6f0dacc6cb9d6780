"""Adam's limit is where its steps on a parabola begin to grow, and the scaled Hessian is what it says."""

import dataclasses

import pandas as pd
import pytest
import torch
from torch import nn

from labsupport import settings, training
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
    torch.manual_seed(0)
    x, y = torch.randn(60, 4), torch.randint(0, 3, (60,))
    f = Objective(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), x, y)
    return f, torch.randn(f.n), torch.rand(f.n) + 0.1


def test_the_scaled_eigenvalue_is_that_of_the_whole_matrix():
    f, x, spread = small()
    hessian = torch.stack(
        [f.double().hessian_vector(x.double(), v) for v in torch.eye(f.n).double()]
    )
    root = spread.double().sqrt()
    whole = torch.linalg.eigvalsh(hessian / root / root[:, None])[-1]
    found = instability.scaled_eigenvalue(f, x[None], spread[None], tolerance=1e-3)
    assert found == [pytest.approx(float(whole), rel=1e-3)]


def test_a_scaled_function_has_the_slope_of_its_own_units():
    f, x, spread = small()
    scaled = instability.Scaled(f, spread).double()
    u, v = x.double() * scaled.root, torch.randn(f.n).double()
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
    f, x, spread = small()
    with pytest.raises(ValueError, match="one root a weight"):
        instability.scaled_eigenvalue(f, x[None], spread[:1])


@pytest.mark.parametrize(
    "losses, expected",
    [
        ([1.0, 0.001, 0.0005, 0.0004, 0.2, 0.001], 6),
        ([1.0, 0.001, 0.0005, 0.001, 0.0015], None),  # above ten times nowhere
        ([1.0, 0.1, 1.5, 0.1], None),  # never at the stop
        (
            [0.001, 0.0001, 0.0015, 0.1],
            4,
        ),  # ten times the least, but below the stop, is no spike yet
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
