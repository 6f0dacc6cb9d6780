"""Scaling rows ahead of a batch norm changes the weights and not the function; without batch norm nothing is scaled."""

from __future__ import annotations

import pytest
import torch

from labsupport import networks, objective, symmetry
from labsupport.training import start

SHAPES = {"F0": (40,), "C0": (40,)}


def task(network, samples=64):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(
        samples, *SHAPES.get(network, (40,)), generator=generator, dtype=torch.float64
    )
    return objective.Objective(network, inputs, torch.arange(samples) % 10)


@pytest.mark.parametrize("network", ["F0", "C0"])
@pytest.mark.parametrize(
    "change",
    [lambda n, x: symmetry.normalize_rows(n, x), lambda n, x: symmetry.scale_rows(n, x, 7.0)],
)
def test_function_does_not_change(network, change):
    f, x = task(network), start(network, [0, 1]).double()
    moved = change(network, x)
    assert (moved - x).norm() > 1
    before, after = f.logits(x), f.logits(moved)
    # batch norm's eps: not exactly nothing
    assert (after - before).abs().max() < 2e-3 * before.abs().max()


def test_only_eps_stands_between_the_two():
    """With next to no eps in batch norm the two networks agree to rounding."""
    f, x = task("F0"), start("F0", [0]).double()
    for layer in f.network.modules():
        if isinstance(layer, torch.nn.BatchNorm1d):
            layer.eps = 1e-16
    moved = symmetry.normalize_rows("F0", x)
    assert torch.allclose(f.logits(x), f.logits(moved), rtol=0, atol=1e-9)


def test_rows_have_the_length_asked_for():
    x = start("F0", [0, 1])
    lengths = symmetry.row_lengths("F0", symmetry.normalize_rows("F0", x, 2.5))
    assert list(lengths) == ["1", "4", "7"]
    assert all(torch.allclose(found, torch.full((2, 128), 2.5)) for found in lengths.values())
    first = networks.build("F0")  # a slow twin: row by row, on the module itself
    first.load_state_dict(objective.unflatten(x[0], first))
    for layer in (first[1], first[4], first[7]):
        for unit in range(128):
            scale = 2.5 / layer.weight.data[unit].norm()
            layer.weight.data[unit] *= scale
            layer.bias.data[unit] *= scale
    assert torch.allclose(
        objective.flatten(first), symmetry.normalize_rows("F0", x[0], 2.5), atol=1e-6
    )


def test_what_has_no_batch_norm_behind_it_stays():
    x = start("F0-plain", [0])
    assert torch.equal(symmetry.normalize_rows("F0-plain", x), x)
    y = start("F0", [0])
    moved = symmetry.scale_rows("F0", y, 3.0)
    assert torch.equal(moved[:, -1290:], y[:, -1290:])  # the output layer, 128 x 10 + 10


def test_the_input_is_left_as_it_was():
    x = start("F0", [0])
    kept = x.clone()
    symmetry.scale_rows("F0", x, 3.0)
    assert torch.equal(x, kept)


def test_bad_input():
    x = start("F0", [0])
    with pytest.raises(ValueError, match="positive"):
        symmetry.scale_rows("F0", x, -1.0)
    with pytest.raises(ValueError, match="positive"):
        symmetry.normalize_rows("F0", x, 0.0)
    with pytest.raises(ValueError, match="shape"):
        symmetry.normalize_rows("F0", x[:, 1:])
