"""Dinh's rescaling leaves the function alone; the paper's box notices it, the box without "+ 1" does not."""

from __future__ import annotations

import pytest
import torch

from labsupport import networks, objective, symmetry
from labsupport.sharpness import sharpness
from labsupport.training import start


def task(network, samples=64, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(samples, 40, generator=generator, dtype=dtype)
    return objective.Objective(network, inputs, torch.arange(samples) % 10)


@pytest.mark.parametrize("network", ["F0", "F0-plain", "C0"])
@pytest.mark.parametrize("relu", [0, 1, 2])
def test_function_stays(network, relu):
    f, x = task(network), start(network, [0, 1]).double()
    before, after = f.logits(x), f.logits(symmetry.rescale(network, x, 7.0, relu))
    assert torch.allclose(before, after, rtol=0, atol=1e-12 * before.abs().max())
    # a power of two: to the last digit
    assert torch.equal(before, f.logits(symmetry.rescale(network, x, 8.0, relu)))


def test_slow_twin_scales_the_module_itself():
    x = start("F0-plain", [3])
    module = networks.build("F0-plain")
    module.load_state_dict(objective.unflatten(x[0], module))
    with torch.no_grad():
        module[3].weight *= 5
        module[3].bias *= 5
        module[5].weight /= 5
    assert torch.equal(objective.flatten(module), symmetry.rescale("F0-plain", x[0], 5.0, 1))


def test_pooling_and_dropout_between_let_the_factor_through():
    small = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Dropout(0.5),
        torch.nn.Flatten(),
        torch.nn.Linear(27, 10),
    )
    inputs = torch.randn(
        8, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    f = objective.Objective(small, inputs, torch.arange(8))
    x = start(small, [0]).double()
    assert torch.equal(f.logits(x), f.logits(symmetry.rescale(small, x, 4.0)))


@pytest.mark.parametrize("network", ["F0", "F0-plain"])
@pytest.mark.parametrize("factor", [0.125, 16.0])
def test_the_box_without_its_one_is_blind_to_it_and_the_papers_is_not(network, factor):
    f, x = task(network), start(network, [0, 1]).double()
    moved = symmetry.rescale(network, x, factor)

    def measured(point, **settings):
        return sharpness(f, point, starts=1, iterations=4, **settings).value

    assert torch.equal(
        measured(x, epsilon=0.05, offset=0.0), measured(moved, epsilon=0.05, offset=0.0)
    )
    assert not torch.allclose(measured(x), measured(moved), rtol=0.1)


def test_the_box_without_its_one_is_blind_to_rows_ahead_of_batch_norm():
    f, x = task("F0"), start("F0", [0, 1]).double()
    for layer in f.network.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.eps = 1e-16  # else the function itself changes a little
    before = sharpness(f, x, starts=1, iterations=4, epsilon=0.05, offset=0.0).value
    after = sharpness(
        f, symmetry.scale_rows("F0", x, 4.0), starts=1, iterations=4, epsilon=0.05, offset=0.0
    ).value
    assert torch.allclose(before, after, rtol=1e-9)


def test_rows_of_one_length_make_the_measure_blind_to_their_lengths():
    f, x = task("F0"), start("F0", [0, 1]).double()
    before, after = (
        sharpness(f, symmetry.normalize_rows("F0", point), starts=1, iterations=4).value
        for point in (x, symmetry.scale_rows("F0", x, 4.0))
    )
    assert torch.allclose(before, after, rtol=1e-9)


def test_bad_input():
    x = start("F0-plain", [0])
    for factor in (0.0, -2.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="positive"):
            symmetry.rescale("F0-plain", x, factor)
    with pytest.raises(ValueError, match="counted from 0"):
        symmetry.rescale("F0-plain", x, 2.0, 3)
    with pytest.raises(ValueError, match="shape"):
        symmetry.rescale("F0-plain", x[:, 1:], 2.0)
