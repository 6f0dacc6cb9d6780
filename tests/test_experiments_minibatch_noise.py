"""Chapter 1's measurements against slow twins: one network at a time, one sample at a time."""

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import data, objective
from labsupport.experiments import minibatch_noise
from labsupport.training import start


@pytest.fixture(scope="module")
def hill():
    """f of F0 on 40 samples, statistics frozen at its point."""
    small = data.load("mnist1d", train_size=40, device="cpu")
    f = objective.Objective("F0", small.x_train, small.y_train)
    x = start("F0", [3])[0]
    return f, f.frozen_at(x), x


def test_an_epoch_of_batches_covers_every_sample_once():
    batches = minibatch_noise.epoch_batches(10, 3, torch.Generator().manual_seed(0))
    assert batches.shape == (3, 3) and len(set(batches.flatten().tolist())) == 9


def test_batch_gradients_equal_one_objective_a_batch(hill):
    f, _, x = hill
    batches = minibatch_noise.epoch_batches(40, 8, torch.Generator().manual_seed(1))
    slow = [objective.Objective("F0", f.inputs[batch], f.labels[batch]).gradient(x) for batch in batches]
    torch.testing.assert_close(minibatch_noise.batch_gradients(f, x, batches), torch.stack(slow), atol=1e-5, rtol=1e-4)


def test_with_frozen_statistics_the_batches_of_an_epoch_average_to_the_full_gradient(hill):
    f, fixed, x = hill
    batches = minibatch_noise.epoch_batches(40, 8, torch.Generator().manual_seed(1))
    mean = minibatch_noise.batch_gradients(fixed, x, batches).mean(0)
    torch.testing.assert_close(mean, fixed.gradient(x), atol=1e-5, rtol=1e-3)
    off = (minibatch_noise.batch_gradients(f, x, batches).mean(0) - f.gradient(x)).norm() / f.gradient(x).norm()
    assert off > 0.1  # each batch normalized by itself descends another function


def test_variance_is_the_mean_squared_distance_of_single_samples(hill):
    _, fixed, x = hill
    one = minibatch_noise.batch_gradients(fixed, x, torch.arange(40)[:, None])
    slow = (one - fixed.gradient(x)).square().sum(1).mean().item()
    assert minibatch_noise.sample_variance(fixed, x) == pytest.approx(slow, rel=1e-4)


@pytest.mark.parametrize("size", [2, 10, 20])
def test_the_law_without_replacement(hill, size):
    _, fixed, x = hill
    law = minibatch_noise.sample_variance(fixed, x) / size * minibatch_noise.correction(size, 40)
    assert minibatch_noise._measure(fixed, x, size, 400, seed=0)["noise"] == pytest.approx(law, rel=0.1)


def test_the_whole_set_has_no_noise_and_no_bias(hill):
    f, _, x = hill
    found = minibatch_noise._measure(f, x, 40, 2, seed=0)
    assert found["noise"] < 1e-6 * found["signal"] and found["bias"] < 1e-6 * found["signal"]


def test_slope_of_a_power():
    table = pd.DataFrame({"seed": 0, "batch_size": [1, 10, 100], "noise": [5.0, 0.5, 0.05]})
    assert minibatch_noise.slope(table)[0] == pytest.approx(-1)


def test_where_a_level_is_reached():
    history = pd.DataFrame({"seed": [0, 0, 1, 1], "epoch": [0, 1, 0, 1], "steps": [0, 9, 0, 9],
                            "train_loss": [2.0, 0.1, 2.0, 1.0], "test_accuracy": [10.0, 60.0, 10.0, 70.0]})
    loss = minibatch_noise.reached(history, "train_loss", 0.5)
    assert loss.steps[0] == 9 and np.isnan(loss.steps[1])
    assert minibatch_noise.reached(history, "test_accuracy", 65).epoch.tolist()[1] == 1
    assert minibatch_noise.loss_at(history, "steps", 9)[1] == pytest.approx(1.0)
    assert minibatch_noise.loss_at(history, "steps", 4.5)[0] == pytest.approx((2.0 * 0.1) ** 0.5)
