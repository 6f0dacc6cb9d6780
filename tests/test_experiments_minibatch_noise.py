"""Chapter 1's gradients of many batches against one batch at a time, and the law of their noise against all batches."""

import itertools

import pytest
import torch

from labsupport import data, objective
from labsupport.experiments.minibatch_noise import batch_gradients
from labsupport.training import start


@pytest.fixture(scope="module")
def hill():
    """f of F0 on 40 samples, the same with statistics frozen at its point, and the point."""
    small = data.load("mnist1d", train_size=40, device="cpu")
    f = objective.Objective("F0", small.x_train, small.y_train)
    x = start("F0", [3])[0]
    return f, f.frozen_at(x), x


@pytest.fixture
def batches():
    """Five batches of eight that cover all samples."""
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    return order.view(5, 8)


def test_batch_gradients_equal_one_objective_a_batch(hill, batches):
    f, _, x = hill
    slow = [objective.Objective("F0", f.inputs[one], f.labels[one]).gradient(x) for one in batches]
    found = batch_gradients(f, x, batches)
    torch.testing.assert_close(found, torch.stack(slow), atol=1e-5, rtol=1e-4)


def test_with_frozen_statistics_the_batches_of_an_epoch_average_to_the_full_gradient(hill, batches):
    f, fixed, x = hill
    mean = batch_gradients(fixed, x, batches).mean(0)
    torch.testing.assert_close(mean, fixed.gradient(x), atol=1e-5, rtol=1e-3)
    off = batch_gradients(f, x, batches).mean(0) - f.gradient(x)
    assert (
        off.norm() > 0.1 * f.gradient(x).norm()
    )  # each batch normalized by itself: another function


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_the_law_without_replacement_holds_exactly_over_all_batches(size):
    """Of 6 samples all batches of each size: mean squared distance = sigma^2 / B (N - B) / (N - 1)."""
    few = data.load("mnist1d", train_size=6, device="cpu")
    f = objective.Objective("F0", few.x_train, few.y_train)
    x = start("F0", [3])[0]
    fixed = f.frozen_at(x)
    full = fixed.gradient(x)
    variance = (batch_gradients(fixed, x, torch.arange(6)[:, None]) - full).square().sum(1).mean()
    every = torch.tensor(list(itertools.combinations(range(6), size)))
    noise = (batch_gradients(fixed, x, every) - full).square().sum(1).mean()
    law = variance / size * (6 - size) / 5
    torch.testing.assert_close(noise, law, rtol=1e-3, atol=1e-6 * variance.item())
