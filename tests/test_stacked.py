"""S networks in one forward pass against S modules, for every layer that can be stacked."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from labsupport import networks
from labsupport.engine import stacked
from labsupport.engine.stacked import Layout, forward


def norm(width, dims=1):
    return (nn.BatchNorm1d if dims == 1 else nn.BatchNorm2d)(width, track_running_stats=False)


CASES = {
    "linear": (nn.Sequential(nn.Linear(6, 4)), (6,)),
    "dense": (
        nn.Sequential(nn.Flatten(), nn.Linear(6, 5), norm(5), nn.ReLU(), nn.Linear(5, 3)),
        (2, 3),
    ),
    "conv2d": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, stride=2),
            norm(4, 2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        ),
        (2, 8, 8),
    ),
    "grouped": (
        nn.Sequential(nn.Conv2d(4, 4, 3, groups=2, dilation=2), nn.Flatten(), nn.Linear(64, 3)),
        (4, 8, 8),
    ),
    "conv1d": (
        nn.Sequential(
            nn.Unflatten(1, (1, 10)),
            nn.Conv1d(1, 3, 3, stride=2),
            norm(3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(12, 2),
        ),
        (10,),
    ),
    "dropout off": (nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 2)), (6,)),
}


def modules(name, models):
    network, shape = CASES[name]
    layout = Layout.of(network)
    x = torch.randn(models, layout.n, generator=torch.Generator().manual_seed(0))
    return network, layout, x, shape


def alone(network, point, inputs):
    nn.utils.vector_to_parameters(point.clone(), network.parameters())
    with torch.no_grad():
        return network.eval()(inputs)


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("models", [1, 3])
def test_shared_inputs(name, models):
    network, layout, x, shape = modules(name, models)
    inputs = torch.randn(7, *shape, generator=torch.Generator().manual_seed(1))
    found = forward(network, layout, x, inputs, shared=True)
    for s in range(models):
        assert torch.allclose(found[s].T, alone(network, x[s], inputs), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", list(CASES))
def test_each_model_its_own_inputs(name):
    network, layout, x, shape = modules(name, 3)
    inputs = torch.randn(3, 7, *shape, generator=torch.Generator().manual_seed(1))
    found = forward(network, layout, x, inputs, shared=False)
    for s in range(3):
        assert torch.allclose(found[s].T, alone(network, x[s], inputs[s]), rtol=1e-4, atol=1e-5)


def test_batch_norm_is_pytorchs_in_training_mode():
    """Also for a module that would keep running statistics: those of the batch are used."""
    network, layout, x, _ = modules("dense", 2)
    inputs = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(2))
    keeping = nn.Sequential(
        nn.Flatten(), nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)
    ).train()
    nn.utils.vector_to_parameters(x[1].clone(), keeping.parameters())
    found = forward(network, layout, x, inputs, shared=True)
    assert torch.allclose(found[1].T, keeping(inputs), atol=1e-5)


def test_observed_statistics_are_mean_and_biased_variance():
    network, layout, x, _ = modules("dense", 2)
    inputs = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(2))
    seen = {}
    forward(network, layout, x, inputs, shared=True, observe=seen)
    nn.utils.vector_to_parameters(x[1].clone(), network.parameters())
    hidden = network[1](inputs.flatten(1))
    mean, variance = seen["2"]
    assert torch.allclose(mean[1], hidden.mean(0), atol=1e-5)
    assert torch.allclose(variance[1], hidden.var(0, correction=0), atol=1e-5)


def test_dropout_drops_the_share_it_says_and_scales_the_rest():
    network = nn.Sequential(nn.Dropout(0.25))
    inputs = torch.ones(50, 400)
    found = forward(
        network,
        Layout.of(nn.Sequential(nn.Linear(1, 1))),
        torch.zeros(1, 2),
        inputs,
        shared=True,
        dropout=True,
    )
    assert found.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((found == 0).float().mean()) == pytest.approx(0.25, abs=0.02)


def test_layout_is_pytorchs_own_order():
    network = networks.build("C0")
    layout = Layout.of(network)
    x = nn.utils.parameters_to_vector(network.parameters()).detach()
    for name, tensor in layout.split(x[None]).items():
        assert torch.equal(tensor[0], dict(network.named_parameters())[name])
    assert layout.n == len(x) == sum(layout.sizes)


def test_a_layer_that_cannot_be_stacked():
    network = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    with pytest.raises(
        TypeError, match="Layer 1 is a Tanh, which cannot be stacked. Possible: Linear, Conv1d"
    ):
        forward(network, Layout.of(network), torch.zeros(1, 20), torch.zeros(2, 4), shared=True)


def test_a_batch_norm_that_keeps_statistics_is_left_as_it_was():
    network = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    forward(network, Layout.of(network), torch.zeros(1, 28), torch.zeros(2, 4), shared=True)
    assert network[1].num_batches_tracked == 0 and not network[1].running_mean.any()


def test_a_batch_of_one():
    network, layout, x, _ = modules("dense", 1)
    with pytest.raises(ValueError, match="this batch has 1"):
        forward(network, layout, x, torch.zeros(1, 2, 3), shared=True)


@pytest.mark.parametrize(
    "name", [name for name, case in CASES.items() if "conv" in name or name == "grouped"]
)
def test_exact_convolutions_in_pieces_are_the_same_to_the_last_bit(name, monkeypatch):
    network, shape = CASES[name]
    layout = Layout.of(network)
    x = torch.randn(3, layout.n, dtype=torch.float64)
    inputs = torch.randn(10, *shape, dtype=torch.float64)
    with torch.no_grad():
        whole = forward(network, layout, x, inputs, shared=True)
        monkeypatch.setattr(stacked, "DOUBLES", 1)  # one sample at a time
        assert torch.equal(forward(network, layout, x, inputs, shared=True), whole)


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="no /proc to read the memory from"
)
def test_an_exact_convolution_of_many_images_fits_into_a_small_machine():
    """Written out for all samples at once, the patches of this layer would take 2.1 GB."""
    code = """
import torch
from pathlib import Path
from torch import nn
from labsupport.engine.stacked import Layout, forward
network = nn.Sequential(nn.Conv2d(64, 2, 5, padding=2), nn.Flatten(), nn.Linear(512, 2))
layout = Layout.of(network)
most = lambda: int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
with torch.no_grad():
    x, inputs = torch.zeros(1, layout.n).double(), torch.zeros(650, 64, 16, 16).double()
    before = most()
    forward(network, layout, x, inputs, shared=True)
print((most() - before) // 1024)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert 50 < int(ran.stdout) < 900, f"{ran.stdout} MiB"
