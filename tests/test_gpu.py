"""What only a GPU can show: recorded steps, reduced precision in training, full precision in measures, memory.

Without one these tests are skipped; nothing is pretended. Their twins on a CPU are in test_training and test_sharpness.
"""

import pytest
import torch
from torch import nn

from labsupport import data, landscape, networks, training
from labsupport.engine.stacked import Stacked
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness
from labsupport.training import step

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d", device="cuda")


def test_a_recorded_step_is_the_same_step(signals, monkeypatch):
    recipe = Recipe(32, steps=60, warmup_steps=10)
    recorded = training.train(Problem("F0", signals), recipe, 3, progress=False)
    monkeypatch.setattr(step, "CAPTURE_ROWS", 0)
    eager = training.train(Problem("F0", signals), recipe, 3, progress=False)
    assert torch.allclose(recorded.x, eager.x, atol=1e-5)


def test_the_written_out_gradient_is_autograds(signals):
    x = training.start("F0", range(3)).cuda()
    f = Objective("F0", signals.x_train, signals.y_train)
    ours = f.gradient(x)
    f.engine = Stacked(f.network, carried=False, device=f.device, dtype=f.dtype)
    assert torch.allclose(ours, f.gradient(x), atol=1e-6)


def test_recorded_steps_compose_with_sam_and_ghost_batches(signals, monkeypatch):
    recipe = Recipe(64, steps=20, sam_rho=0.05, ghost_batch=16)
    recorded = training.train(Problem("F0", signals), recipe, 2, progress=False)
    monkeypatch.setattr(step, "CAPTURE_ROWS", 0)
    assert torch.allclose(
        recorded.x, training.train(Problem("F0", signals), recipe, 2, progress=False).x, atol=1e-5
    )


def test_seeds_that_stop_leave_the_recording(signals):
    runs = training.train(
        Problem("F0", signals), Recipe(400, epochs=200, stop_loss=2e-3), 5, progress=False
    )
    assert (runs.final.train_loss <= 2e-3).all()


def test_a_gpu_and_a_cpu_agree(signals):
    here = data.load("mnist1d", device="cpu")
    x = training.start("F0", range(3))
    on_gpu = Objective("F0", signals.x_train, signals.y_train)(x.cuda())
    on_cpu = Objective("F0", here.x_train, here.y_train)(x)
    assert torch.allclose(on_gpu.cpu(), on_cpu, rtol=1e-5)


def test_measures_never_use_tf32():
    torch.backends.cudnn.allow_tf32 = True
    pictures = torch.rand(64, 3, 32, 32, device="cuda")
    f = Objective(networks.build("C1"), pictures, torch.arange(64, device="cuda") % 10)
    x = training.start("C1", [0])[0].cuda()
    assert float(f(x)) == pytest.approx(float(f.double()(x)), rel=1e-6)
    assert torch.backends.cudnn.allow_tf32  # restored


def test_reduced_precision_reaches_the_same_accuracy():
    if not data.available("cifar10"):
        pytest.skip("CIFAR-10 is not in LABSUPPORT_DATA")
    pictures = data.load("cifar10", device="cuda", train_size=20_000)
    recipe = Recipe(256, epochs=12)
    reduced = training.train(Problem("C1", pictures), recipe, 5, progress=False).final.test_accuracy
    full = training.train(
        Problem("C1", pictures), recipe.but(precision="float32"), 5, progress=False
    ).final.test_accuracy
    error = ((reduced.var() + full.var()) / 5) ** 0.5
    assert abs(reduced.mean() - full.mean()) < 3 * error + 0.3


@pytest.mark.parametrize("name", ["C1", "odd"])
def test_every_row_of_a_stack_is_read_as_if_it_were_alone(name):
    """A row of C1 begins 8 bytes beside a multiple of 16, and so do parameters behind one of an odd size."""
    odd = nn.Sequential(
        nn.Conv2d(3, 5, 3),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4500, 10),
        nn.Softmax(1),
    )
    network = networks.build("C1") if name == "C1" else odd
    pictures = torch.rand(64, 3, 32, 32, device="cuda")
    labels = torch.arange(64, device="cuda") % 10
    f = Objective(network, pictures, labels)
    x = training.start(network, range(3)).cuda()
    alone = torch.stack([f(one.clone()) for one in x])
    assert torch.allclose(f(x), alone, rtol=1e-5)
    assert torch.allclose(
        f.gradient(x), torch.stack([f.gradient(one.clone()) for one in x]), atol=1e-5
    )
    assert len(landscape.line(f, x[0], x[1], [-1, -0.5, 0, 0.5, 1, 2])) == 6
    signals = data.Dataset(pictures, labels, pictures, labels, 10)
    runs = training.train(Problem(network, signals), Recipe(32, epochs=1), 3, progress=False)
    assert torch.isfinite(runs.x).all()


def test_strong_holds_few_vectors():
    pictures = torch.rand(32, 3, 32, 32, device="cuda")
    f = Objective(networks.build("C2"), pictures, torch.arange(32, device="cuda") % 10)
    x = training.start("C2", [0])[0].cuda()
    f.value_and_gradient(x)
    torch.cuda.reset_peak_memory_stats()
    f.value_and_gradient(x)
    evaluation = torch.cuda.max_memory_allocated()
    sharpness(f, x, iterations=3)
    # 4: the last check, in float64
    assert torch.cuda.max_memory_allocated() - evaluation < (8 + 4) * x.nbytes
