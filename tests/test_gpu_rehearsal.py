"""What can be known of a GPU without one: on fake CUDA tensors, which have a shape, a type and a place and no numbers,
every tensor of an evaluation and of a training step must lie on the device, in the precision that was asked for.

And on a CPU, with a default device that holds no numbers: what is made without saying where is found out.

Left out is what reads numbers (the checks of labels and points), and what needs the device itself: generators, and
autograd, in whose place zeros of the right shape stand.
"""

from __future__ import annotations

import math
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from labsupport import curvature, data, landscape, networks, objective, training
from labsupport.engine import finite, layout, samples, threads
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness
from labsupport.training import optimizers, step

SHAPES = {"F0": (40,), "F1": (1, 28, 28), "F2": (360,), "C1": (3, 32, 32)}
#: Of these networks the whole gradient is written out; autograd on fake tensors needs a real device.
WRITTEN_OUT = ("F0", "F1", "F2")


@pytest.fixture
def on_a_gpu(monkeypatch):
    """A function: (objective, points (S, n)) of a network on a pretended GPU."""
    monkeypatch.setattr(samples, "class_numbers", lambda labels, classes: labels)
    monkeypatch.setattr(finite, "checked", lambda points: points)
    monkeypatch.setattr(finite, "warn", lambda *_: None)
    for module in (objective, layout):
        monkeypatch.setattr(module, "check_points", lambda x, n=None, **_: torch.atleast_2d(x))

    def make(name, batch=64, models=2):
        network = networks.build(name)
        few = torch.randn(8, *SHAPES[name])
        Objective(network, few, torch.arange(8) % 10)  # its engine is chosen with numbers
        with mode:
            f = Objective(
                network,
                torch.empty(batch, *SHAPES[name], device="cuda"),
                torch.zeros(batch, dtype=torch.int64, device="cuda"),
            )
            return f, torch.empty(models, f.n, device="cuda")

    mode = FakeTensorMode(allow_non_fake_inputs=False)
    make.mode = mode
    return make


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_f_and_the_logits_stay_on_the_device_and_in_their_precision(on_a_gpu, name, dtype):
    f, x = on_a_gpu(name)
    with on_a_gpu.mode, torch.no_grad():
        f = f.double() if dtype == torch.float64 else f
        loss, logits = f(x.to(dtype)), f.logits(x.to(dtype))
    assert loss.device.type == logits.device.type == "cuda"
    assert logits.dtype == dtype and loss.dtype == torch.float64  # summed over pieces


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_the_written_out_gradient_stays_on_the_device(on_a_gpu, name):
    f, x = on_a_gpu(name)
    with on_a_gpu.mode:
        value, gradient = f.value_and_gradient(x)
    assert value.device.type == gradient.device.type == "cuda"
    assert gradient.shape == x.shape and gradient.dtype == torch.float32


@pytest.mark.parametrize("name", WRITTEN_OUT)
@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(32, epochs=1, precision="float32"),
        Recipe(32, epochs=1, precision="float32", optimizer="sgd", momentum=0.9),
        Recipe(
            32,
            epochs=1,
            precision="float32",
            ghost_batch=16,
            warmup_steps=5,
            proximal=1e-3,
            inner_steps=2,
        ),
        Recipe(32, epochs=1, precision="float32", sam_rho=0.05),
    ],
    ids=["adam", "momentum", "ghost and proximal", "sam"],
)
def test_a_whole_training_step_stays_on_the_device(on_a_gpu, monkeypatch, name, recipe):
    monkeypatch.setattr(step, "_generators", lambda seeds, objective: [None for _ in seeds])
    monkeypatch.setattr(step, "CAPTURE_ROWS", 0)  # a recording needs the device itself
    monkeypatch.setattr(
        optimizers, "kernel", lambda name, kind: torch._fused_adam_ if "adam" in name else None
    )
    monkeypatch.setattr(torch.autograd, "grad", lambda loss, leaf: (torch.zeros_like(leaf),))
    f, x = on_a_gpu(name)
    with on_a_gpu.mode:
        stepper = step.Stepper(f, recipe, x, [0, 1])
        losses = stepper.step(torch.zeros(2, 32, dtype=torch.int64, device="cuda"))
        moved, state = stepper.points, stepper.state
    assert losses.device.type == moved.device.type == "cuda" and losses.shape == (2,)
    assert all(value.device.type == "cuda" for value in state.values() if value.dim())


def test_every_layer_of_every_model_gets_parameters_at_a_multiple_of_16_bytes(
    on_a_gpu, monkeypatch
):
    """C1 has 1,757,834 parameters: the second row of a stack of points begins 8 bytes beside such a multiple."""
    begins = []

    def noted(function):
        def wrapper(*args, **named):
            given = [one for one in (*args, *named.values()) if isinstance(one, torch.Tensor)]
            begins.extend(one.storage_offset() * one.element_size() % 16 for one in given)
            return function(*args, **named)

        return wrapper

    for name in ("conv2d", "batch_norm"):
        monkeypatch.setattr(F, name, noted(getattr(F, name)))
    f, x = on_a_gpu("C1", models=3)
    assert f.n * 4 % 16 == 8
    with on_a_gpu.mode, torch.no_grad():
        f(x)
    assert len(begins) >= 3 * 2 * 5 and not any(begins)


def test_a_module_whose_parameters_have_odd_sizes_is_read_as_well(on_a_gpu):
    x = torch.arange(24.0)
    with on_a_gpu.mode:
        moved = torch.empty(24, device="cuda")
        parts = [layout.aligned(part) for part in moved.split([3, 8, 13])]
    assert [part.storage_offset() for part in parts] == [0, 0, 0]
    assert all(layout.aligned(part).data_ptr() == part.data_ptr() for part in x.split([3, 8, 13]))


@pytest.fixture
def nowhere(monkeypatch):
    """Inside a measuring block the default device is the objective's. Here it is one that holds no numbers, so that
    what is made without saying where is found out, as it would be on a GPU.
    """
    real = threads.alone

    @contextmanager
    def alone(device=None, dtype=None):
        with real(device, dtype), torch.device("meta"):
            yield

    monkeypatch.setattr(threads, "alone", alone)


@pytest.mark.parametrize("network", ["F0", "C0", "a module"])
def test_what_a_measure_makes_says_where(nowhere, network):
    signals = data.load("mnist1d", device="cpu", train_size=60)
    module = nn.Sequential(nn.Linear(40, 8), nn.GELU(), nn.BatchNorm1d(8), nn.Linear(8, 10))
    problem = Problem(module if network == "a module" else network, signals)
    runs = training.train(problem, Recipe(20, epochs=2), 2, progress=False)
    f = problem.objective()
    for options in ({}, {"subspace_dim": 5}, {"starts": 2}, {"method": "paper"}):
        assert (sharpness(f, runs.x, iterations=2, **options).value >= 0).all()
    assert torch.isfinite(curvature.top_eigenvalues(f, runs.x[0])).all()
    assert math.isfinite(curvature.trace(f, runs.x[0], samples=2)[0])
    assert len(landscape.line(f, *runs.x, [0, 0.5, 1])) == 3
    assert len(landscape.plane(f, runs.x[0], steps=3)) == 9
    assert len(landscape.curve(f.frozen_at(runs.x[0]), *runs.x, [0, 1])) == 2
