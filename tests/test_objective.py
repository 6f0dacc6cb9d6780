"""f(x) against an ordinary module in float64, chunk after chunk; its gradient, Hessian, variants and bad input."""

import concurrent.futures
import threading

import pytest
import torch
import twins
from torch import nn

from labsupport import data, networks, objective
from labsupport.engine import batches, stacked
from labsupport.errors import UnknownName
from labsupport.objective import Objective, flatten
from labsupport.training import start


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d", device="cpu", train_size=300)


@pytest.fixture(scope="module")
def f(signals):
    return Objective("F0", signals.x_train, signals.y_train, chunk=100)


def images(shape, classes=10, samples=12):
    return torch.rand(samples, *shape, generator=torch.Generator().manual_seed(0)), torch.arange(
        samples
    ) % classes


# -- flat vectors --------------------------------------------------------------------------------------------------


def test_flatten_and_unflatten_are_inverse():
    module = networks.build("C0")
    x = objective.flatten(module)
    other = networks.build("C0")
    other.load_state_dict(objective.unflatten(x, other))
    assert torch.equal(objective.flatten(other), x)
    assert torch.equal(x, twins.vector_of(module))


def test_unflatten_gives_views_and_flatten_a_copy():
    module = networks.build("F0")
    x = objective.flatten(module)
    objective.unflatten(x, module)["1.weight"].zero_()
    assert (x[: 40 * 128] == 0).all() and module[1].weight.abs().max() > 0


def test_unflatten_wants_a_vector_of_the_right_length():
    with pytest.raises(
        ValueError, match=r"x has shape \(7,\); points of this function have shape \(40330,\)"
    ):
        objective.unflatten(torch.zeros(7), networks.build("F0"))


@pytest.mark.parametrize(
    "total, size, lengths",
    [(10, 5, [5, 5]), (12, 5, [5, 5, 2]), (11, 5, [5, 6]), (1, 5, [1]), (3, 5, [3])],
)
def test_chunks_cover_everything_once(total, size, lengths):
    parts = objective.chunks(total, size)
    assert [part.stop - part.start for part in parts] == lengths
    assert [i for part in parts for i in range(total)[part]] == list(range(total))


# -- the function --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["F0", "F0-plain", "C0"])
@pytest.mark.parametrize("chunk", [300, 100, 70])
def test_f_is_the_module_by_module_loss(signals, name, chunk):
    f = Objective(name, signals.x_train, signals.y_train, chunk=chunk)
    x = start(name, [3])[0]
    slow = twins.loss(name, x, signals.x_train, signals.y_train, chunk)
    assert float(f.double()(x)) == pytest.approx(float(slow), rel=1e-12)
    assert float(f(x)) == pytest.approx(float(slow), rel=1e-5)
    assert f(x).dtype == torch.float64


@pytest.mark.parametrize("name, classes", [("F1s", 10), ("C1", 10), ("C2", 10), ("C3", 100)])
def test_f_of_networks_for_images(name, classes):
    inputs, labels = images(networks.REGISTRY[name].shape, classes, samples=6)
    f = Objective(networks.build(name), inputs, labels)
    x = start(name, [0])[0]
    assert float(f.double()(x)) == pytest.approx(
        float(twins.loss(name, x, inputs, labels)), rel=1e-9
    )


def test_gradient_is_autograds_through_the_module(f, signals):
    x = start("F0", [1])[0].double().requires_grad_()
    with torch.enable_grad():
        module = networks.build("F0").double()
        total = sum(
            nn.functional.cross_entropy(
                torch.func.functional_call(
                    module, objective.unflatten(x, module), signals.x_train[part].double()
                ),
                signals.y_train[part],
                reduction="sum",
            )
            for part in objective.chunks(300, 100)
        )
        slow = torch.autograd.grad(total / 300, x)[0]
    value, gradient = f.double().value_and_gradient(x.detach())
    assert float(value) == pytest.approx(float(total.detach()) / 300, rel=1e-12)
    assert torch.allclose(gradient, slow, rtol=1e-9, atol=1e-13)
    assert torch.allclose(f.gradient(x.detach().float()).double(), slow, rtol=1e-3, atol=1e-6)


def test_gradient_by_finite_differences(f):
    exact, x = f.double(), start("F0", [1])[0].double()
    gradient = exact.gradient(x)
    for i in (0, 5000, 30_000, 40_329):
        step = torch.zeros_like(x)
        step[i] = 1e-6
        assert float(exact(x + step) - exact(x - step)) / 2e-6 == pytest.approx(
            float(gradient[i]), abs=1e-8
        )


def test_accuracy_is_the_share_of_right_answers(f, signals):
    x = start("F0", [2])[0]
    module = twins.module_at("F0", x)
    right = sum(
        int((module(signals.x_train[part]).argmax(1) == signals.y_train[part]).sum())
        for part in objective.chunks(300, 100)
    )
    assert float(f.accuracy(x)) == pytest.approx(100 * right / 300)
    assert [float(v) for v in f.loss_and_accuracy(x)] == [float(f(x)), float(f.accuracy(x))]


def test_logits_are_the_modules(f, signals):
    x = start("F0", [0, 1])
    found = f.logits(x)
    assert found.shape == (2, 300, 10)
    slow = torch.cat(
        [twins.module_at("F0", x[1])(signals.x_train[part]) for part in objective.chunks(300, 100)]
    )
    assert torch.allclose(found[1], slow, atol=1e-5) and torch.allclose(
        f.logits(x[1]), found[1], atol=1e-6
    )


def test_hessian_times_vector_is_the_dense_hessians(signals):
    """On a network small enough to write the Hessian down."""
    small = nn.Sequential(
        nn.Linear(40, 3), nn.BatchNorm1d(3, track_running_stats=False), nn.ReLU(), nn.Linear(3, 10)
    )
    f = Objective(small, signals.x_train, signals.y_train, chunk=100).double()
    x = start(small, [0])[0].double()

    def slow(point):
        total = sum(
            nn.functional.cross_entropy(
                torch.func.functional_call(
                    small.double(),
                    objective.unflatten(point, small),
                    signals.x_train[part].double(),
                ),
                signals.y_train[part],
                reduction="sum",
            )
            for part in objective.chunks(300, 100)
        )
        return total / 300

    dense = twins.dense_hessian(slow, x)
    v = torch.randn(f.n, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.allclose(f.hessian_vector(x, v), dense @ v, rtol=1e-8, atol=1e-10)


def test_f_is_deterministic_and_leaves_torchs_generator_alone():
    """C1 has dropout, which is off in every measure."""
    inputs, labels = images((3, 32, 32))
    f, x = Objective("C1", inputs, labels), start("C1", [0])[0]
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert float(f(x)) == float(f(x)) and torch.equal(f.gradient(x), f.gradient(x))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_chunk_is_part_of_the_definition(signals):
    x = start("F0", [0])[0]
    values = {
        chunk: float(Objective("F0", signals.x_train, signals.y_train, chunk=chunk)(x))
        for chunk in (30, 300)
    }
    assert abs(values[30] - values[300]) > 1e-4
    plain = [
        float(
            Objective("F0-plain", signals.x_train, signals.y_train, chunk=c)(
                start("F0-plain", [0])[0]
            )
        )
        for c in (30, 300)
    ]
    assert plain[0] == pytest.approx(plain[1], rel=1e-6)  # without batch norm it is not


# -- stacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["F0", "F0-plain", "C0"])
@pytest.mark.parametrize("rows", [1, 10_000])
def test_stacked_equals_looped(signals, monkeypatch, name, rows):
    """Whether the models share a pass or not is a matter of speed alone."""
    monkeypatch.setattr(batches, "STACK_ROWS", rows)
    f = Objective(name, signals.x_train, signals.y_train, chunk=100)
    x = start(name, range(4))
    loss, gradient = f.value_and_gradient(x)
    for s in range(4):
        alone, slope = f.value_and_gradient(x[s])
        assert float(loss[s]) == pytest.approx(float(alone), rel=1e-6)
        assert torch.allclose(gradient[s], slope, rtol=1e-4, atol=1e-7)
    assert f(x).shape == f.accuracy(x).shape == (4,) and f(x[0]).shape == ()


@pytest.mark.parametrize(
    "name, frozen", [("F0", False), ("F0", True), ("F0-plain", False), ("C0", False), ("C0", True)]
)
def test_no_digit_depends_on_how_many_threads_share_the_models(
    signals, monkeypatch, set_threads, name, frozen
):
    monkeypatch.setattr(batches, "STACK_ROWS", 1)
    x = start(name, range(5))
    f = Objective(name, signals.x_train, signals.y_train, chunk=100)
    f = f.frozen_at(x) if frozen else f
    found = []
    for threads in (1, 2, 3):
        set_threads(threads)
        found.append((*f.value_and_gradient(x), *f.loss_and_accuracy(x)))
        assert torch.get_num_threads() == threads
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other))


class Meeting(nn.Module):
    """Waits in its forward pass until another thread is in there, too."""

    meets = threading.Barrier(2, timeout=60)

    def __init__(self):
        super().__init__()
        self.inner, self.norm = nn.Linear(40, 10), nn.BatchNorm1d(10)

    def forward(self, x):
        if threading.current_thread() is not threading.main_thread():
            self.meets.wait()
        return self.norm(self.inner(x))


def test_two_threads_that_meet_inside_a_network_find_what_one_finds(signals):
    network = Meeting()
    f = Objective(network, signals.x_train, signals.y_train)
    points = torch.stack([flatten(network), flatten(network) + 0.1])
    alone = f.engine.logits(points, f.inputs)
    for engine in (f.engine, f.engine.to(torch.device("cpu"), torch.float32)):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            met = list(pool.map(lambda x, e=engine: e.logits(x[None], f.inputs), points))
        torch.testing.assert_close(torch.cat(met), alone)


def test_stacked_convolutions_equal_looped():
    inputs, labels = images((3, 32, 32), samples=4)
    module = networks.build("C1")
    x = start("C1", [0, 1])
    layout = stacked.Layout.of(module)
    both = stacked.forward(module, layout, x, inputs, shared=True)
    for s in (0, 1):
        assert torch.allclose(both[s].T, twins.module_at("C1", x[s]).eval()(inputs), atol=1e-4)


def test_the_rule_for_stacking():
    cpu = torch.device("cpu")
    assert (
        objective.together(networks.build("F0"), networks.REGISTRY["F0"].parameters, cpu, 5, 32)
        == 5
    )
    assert (
        objective.together(networks.build("F0"), networks.REGISTRY["F0"].parameters, cpu, 5, 4000)
        == 1
    )
    # large: one at a time
    assert (
        objective.together(networks.build("F1"), networks.REGISTRY["F1"].parameters, cpu, 5, 32)
        == 1
    )
    assert (
        objective.together(networks.build("C1"), networks.REGISTRY["C1"].parameters, cpu, 5, 8) == 1
    )
    assert (
        objective.together(
            networks.build("C1"), networks.REGISTRY["C1"].parameters, torch.device("cuda"), 5, 8
        )
        == 1
    )
    assert (
        objective.together(
            networks.build("F1"), networks.REGISTRY["F1"].parameters, torch.device("cuda"), 5, 256
        )
        == 5
    )


# -- variants ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["F0", "C0"])
def test_frozen_statistics_are_an_eval_mode_batch_norm(signals, name):
    """Against modules whose running statistics are those of one pass over all samples."""
    f = Objective(name, signals.x_train, signals.y_train, chunk=300)
    x = start(name, [0])[0].double()
    module = twins.module_at(name, x)

    def keep_statistics(layer, inputs):
        dims = [d for d in range(inputs[0].dim()) if d != 1]
        variance, mean = torch.var_mean(inputs[0], dims, correction=0)
        found[layer] = (mean, variance)

    found = {}
    for layer in module:
        if isinstance(layer, nn.BatchNorm1d):
            layer.register_forward_pre_hook(keep_statistics)
    with torch.no_grad():
        module(signals.x_train.double())
        for layer, (mean, variance) in found.items():
            layer.track_running_stats, layer.running_mean, layer.running_var = True, mean, variance
        moved = x + 0.01
        nn.utils.vector_to_parameters(moved, module.parameters())
        layers = list(found)
        for layer in layers:
            layer._forward_pre_hooks.clear()
        slow = nn.functional.cross_entropy(module.eval()(signals.x_train.double()), signals.y_train)
    frozen = f.double().frozen_at(x)
    assert float(frozen(moved)) == pytest.approx(float(slow), rel=1e-9)
    # at x, in one chunk, nothing changes
    assert float(frozen(x)) == pytest.approx(float(f.double()(x)), rel=1e-9)
    assert abs(float(frozen(moved)) - float(f.double()(moved))) > 1e-6


def test_statistics_over_chunks_are_those_of_all_samples(signals):
    """For the first batch norm, whose inputs do not depend on the chunks."""
    x = start("F0", [0])[0]
    one, many = (
        Objective("F0", signals.x_train, signals.y_train, chunk=c).frozen_at(x).frozen["2"]
        for c in (300, 70)
    )
    assert torch.allclose(one[0], many[0], atol=1e-5) and torch.allclose(one[1], many[1], atol=1e-5)


def test_frozen_statistics_make_f_a_mean_over_samples(signals):
    x = start("F0", [0])[0]
    y = x + 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    values = [
        float(
            Objective("F0", signals.x_train, signals.y_train, chunk=300)
            .frozen_at(x)
            ._variant(chunk=c)(y)
        )
        for c in (300, 50)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_a_stack_is_frozen_row_by_row(signals):
    f = Objective("F0", signals.x_train, signals.y_train, chunk=100)
    x = start("F0", range(3))
    together = f.frozen_at(x)(x + 0.001)
    for s in range(3):
        assert float(together[s]) == pytest.approx(float(f.frozen_at(x[s])(x[s] + 0.001)), rel=1e-5)
    with pytest.raises(ValueError, match="frozen for 3 models; x has 2 rows"):
        f.frozen_at(x)(x[:2])


def test_one_point_frozen_serves_a_stack(signals):
    f = Objective("F0", signals.x_train, signals.y_train, chunk=100)
    x = start("F0", range(3))
    frozen = f.frozen_at(x[0])
    assert float(frozen(x)[2]) == pytest.approx(float(frozen(x[2])), rel=1e-5)


def test_variants_do_not_change_the_original(f):
    x = start("F0", [0])[0]
    before = float(f(x))
    f.double(), f.frozen_at(x)
    assert float(f(x)) == before and f.dtype == torch.float32 and f.frozen is None


def test_double_keeps_frozen_statistics(f):
    x = start("F0", [0])[0]
    frozen = f.frozen_at(x)
    assert float(frozen.double()(x + 0.001)) == pytest.approx(float(frozen(x + 0.001)), rel=1e-5)


# -- bad input -----------------------------------------------------------------------------------------------------


def test_bad_points(f):
    with pytest.raises(
        ValueError,
        match=r"x has shape \(3, 7\); points of this function have shape \(40330,\) or \(S, 40330\)",
    ):
        f(torch.zeros(3, 7))
    with pytest.raises(ValueError, match="shape"):
        f(torch.zeros(1, 1, f.n))
    with pytest.raises(ValueError, match="holds no point"):
        f(torch.zeros(0, f.n))
    with pytest.raises(TypeError, match="x is a list; a torch Tensor of shape"):
        f([0.0] * f.n)
    x = torch.zeros(f.n)
    x[[3, 4]] = torch.tensor([torch.nan, torch.inf])
    for ask in (f, f.gradient, f.accuracy):
        with pytest.raises(
            ValueError,
            match="x has 2 entries that are not finite numbers. Did its training diverge",
        ):
            ask(x)


def test_bad_makings(signals):
    with pytest.raises(UnknownName, match="Did you mean 'F0'"):
        Objective("F00", signals.x_train, signals.y_train)
    with pytest.raises(ValueError, match="chunk is 1; batch norm needs at least 2"):
        Objective("F0", signals.x_train, signals.y_train, chunk=1)
    with pytest.raises(ValueError, match="300 samples and 299 labels"):
        Objective("F0", signals.x_train, signals.y_train[1:])
    with pytest.raises(ValueError, match="0 samples"):
        Objective("F0", signals.x_train[:0], signals.y_train[:0])


def test_a_single_sample_has_no_variance(signals):
    with pytest.raises(ValueError, match="at least 2 samples"):
        Objective("F0", signals.x_train[:1], signals.y_train[:1])
