"""The registry against the paper: counts, layers, and what batch norm may remember (nothing)."""

import pytest
import torch
from torch import nn

from labsupport import networks, paper
from labsupport.errors import UnknownName


@pytest.mark.parametrize("row", list(paper.table1().itertuples()), ids=lambda row: row.network)
def test_published_counts(row):
    module = networks.build(row.network)
    assert (
        sum(p.numel() for p in module.parameters())
        == row.parameters
        == networks.REGISTRY[row.network].parameters
    )
    assert networks.REGISTRY[row.network].classes == row.classes


@pytest.mark.parametrize("name", list(networks.REGISTRY))
def test_the_registry_says_what_is_built(name):
    entry = networks.REGISTRY[name]
    module = networks.build(name)
    assert sum(p.numel() for p in module.parameters()) == entry.parameters
    with torch.no_grad():
        assert module(torch.rand(2, *entry.shape)).shape == (2, entry.classes)
    assert not list(module.buffers())  # a network is its parameters alone


def test_f0_is_what_its_docstring_says():
    kinds = [type(layer).__name__ for layer in networks.build("F0")]
    assert kinds == ["Flatten"] + ["Linear", "BatchNorm1d", "ReLU"] * 3 + ["Linear"]
    assert [
        layer.out_features for layer in networks.build("F0") if isinstance(layer, nn.Linear)
    ] == [128, 128, 128, 10]


def test_shapes_of_the_shallow_network():
    """Two 5x5 convolutions of stride 1, pools of stride 2: 32 -> 16 -> 8, as in the authors' code."""
    shapes, h = [], torch.rand(2, 3, 32, 32)
    for layer in networks.build("C1").eval():
        h = layer(h)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            shapes.append(tuple(h.shape[1:]))
    assert shapes == [(64, 32, 32), (64, 16, 16), (64, 16, 16), (64, 8, 8)]


def test_dropout_of_the_deep_network():
    """.3 in the first stack, .4 in the others after every convolution but a stack's last; .5 around the dense layer."""
    rates = [layer.p for layer in networks.build("C2") if isinstance(layer, nn.Dropout)]
    assert rates == [0.3, 0.4] + [0.4, 0.4] * 3 + [0.5, 0.5]


def test_other_numbers_of_classes():
    assert networks.build("F2", num_classes=50)[-1].out_features == 50
    with pytest.raises(ValueError, match="num_classes is 1; a classifier needs at least 2"):
        networks.build("F0", num_classes=1)
    with pytest.raises(ValueError, match="num_classes is 0"):
        networks.build("F0", num_classes=0)


def test_an_unknown_network():
    with pytest.raises(UnknownName, match="No network is called 'f0'. Did you mean 'F0'"):
        networks.build("f0")
