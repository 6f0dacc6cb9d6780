"""What can be known of a GPU without one: on fake CUDA tensors, which have a shape, a type and a place and no numbers,
every tensor of an evaluation and of a training step must lie on the device, in the precision that was asked for.

Left out is what reads numbers (the checks of labels and points), and what needs the device itself: generators, and
autograd, in whose place zeros of the right shape stand.
"""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from labsupport import networks, objective
from labsupport.engine import finite, layout, samples
from labsupport.objective import Objective
from labsupport.recipe import Recipe
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
