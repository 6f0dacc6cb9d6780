"""What an objective says at its boundary: one sentence for what cannot be, the right value for what
has a plain meaning, and the same value whatever its surroundings have switched on.
"""

from __future__ import annotations

import contextlib
import copy
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from labsupport import data, networks
from labsupport.cache import fingerprint
from labsupport.errors import NotFiniteWarning, UnknownName
from labsupport.objective import Objective, flatten, unflatten
from labsupport.training import start


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d", device="cpu", train_size=200)


@pytest.fixture(scope="module")
def f(signals):
    return Objective("F0", signals.x_train, signals.y_train)


@pytest.fixture(scope="module")
def x():
    return start("F0", [0])[0]


def small(*layers):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(40, 8), *layers, nn.Linear(8, 10))


class Net(nn.Module):
    """A module whose forward is a function of it and its inputs."""

    def __init__(self, forward):
        super().__init__()
        self.fc, self.function = nn.Linear(40, 10), forward

    def forward(self, h):
        return self.function(self, h)


# -- refused, in one sentence --------------------------------------------------------------------------------------

X, Y = torch.randn(6, 40, generator=torch.Generator().manual_seed(0)), torch.arange(6)
LINEAR = nn.Linear(40, 10)
REFUSED = {
    "no module": (lambda: Objective(None, X, Y), "network is None; a torch.nn.Module, or a name"),
    "a class": (
        lambda: Objective(nn.Flatten, X, Y),
        r"network is the class Flatten; a module, such as Flatten\(\)",
    ),
    "a function": (
        lambda: Objective(torch.relu, X, Y),
        "a torch.nn.Module, or a name such as 'F0', is needed",
    ),
    "a wrong name": (lambda: Objective("F00", X, Y), "Did you mean 'F0'"),
    "wrong statistics": (
        lambda: Objective("F0", X, Y, statistics="runing"),
        "Did you mean 'running'",
    ),
    "no labels": (lambda: Objective("F0", X), "there are no labels; give two tensors"),
    "no inputs": (lambda: Objective("F0", None, Y), "inputs is None; give two tensors"),
    "a name of data": (
        lambda: Objective("F0", "mnist1d"),
        r"Problem\('F0', 'mnist1d'\).objective\(\)",
    ),
    "a name and labels": (
        lambda: Objective("F0", "mnist1d", Y),
        "inputs is 'mnist1d'; give two tensors",
    ),
    "five labels": (lambda: Objective("F0", X, Y[:5]), "There are 6 samples and 5 labels"),
    "nothing": (lambda: Objective("F0", X[:0], Y[:0]), "There are 0 samples and 0 labels"),
    "one number": (
        lambda: Objective("F0", torch.tensor(1.0), Y),
        "There are 0 samples and 6 labels",
    ),
    "complex": (
        lambda: Objective(LINEAR, X.cfloat(), Y),
        "a dense tensor of real numbers is needed",
    ),
    "sparse": (
        lambda: Objective(LINEAR, X.to_sparse(), Y),
        "a dense tensor of real numbers is needed",
    ),
    "label -100": (
        lambda: Objective(LINEAR, X, Y - 100),
        "Label -100 of sample 0 is none of the network's 10 classes, 0 to 9",
    ),
    "label 10": (
        lambda: Objective(LINEAR, X, Y + 5),
        "Label 10 of sample 5 is none of the network's 10 classes",
    ),
    "labels in float": (
        lambda: Objective(LINEAR, X, Y.float()),
        "labels hold torch.float32. Class numbers",
    ),
    "soft labels": (
        lambda: Objective(LINEAR, X, torch.full((6, 10), 0.1)),
        r"shape \(6, 10\) and are not one-hot",
    ),
    "labels in three dimensions": (
        lambda: Objective(LINEAR, X, Y.view(6, 1, 1)),
        r"labels have shape \(6, 1, 1\)",
    ),
    "chunk 1": (lambda: Objective("F0", X, Y, chunk=1), "chunk is 1; batch norm needs at least 2"),
    "chunk 2.5": (lambda: Objective("F0", X, Y, chunk=2.5), "chunk is 2.5; a whole number"),
    "chunk as text": (lambda: Objective("F0", X, Y, chunk="5"), "chunk is '5'; a whole number"),
    "wrong width": (
        lambda: Objective(nn.Sequential(nn.Linear(41, 10)), X, Y),
        r"shape \(B, 40\) .* layer 0 \(Linear\) says",
    ),
    "wrong width inside": (
        lambda: Objective(Net(lambda m, h: m.fc(h[:, 1:])), X, Y),
        r"layer fc \(Linear\) says",
    ),
    "images": (lambda: Objective(LINEAR, torch.rand(6, 1, 8, 5), Y), r"layer|network"),
    "one logit": (
        lambda: Objective(nn.Linear(40, 1), X, Y),
        r"returns torch.float32 of shape \(\d, 1\); logits \(B, K\)",
    ),
    "three dimensions": (
        lambda: Objective(Net(lambda m, h: m.fc(h)[:, None]), X, Y),
        r"logits \(B, K\)",
    ),
    "a tuple": (
        lambda: Objective(Net(lambda m, h: (m.fc(h), h)), X, Y),
        "a tensor of logits .* Wrap it in a module",
    ),
    "a sum over samples": (
        lambda: Objective(Net(lambda m, h: m.fc(h).sum(0, keepdim=True)), X, Y),
        "one row a sample",
    ),
    "dropout for ever": (
        lambda: Objective(Net(lambda m, h: F.dropout(m.fc(h))), X, Y),
        r"the network \(Net\) draws random numbers in evaluation mode too",
    ),
    "noise in a layer": (
        lambda: Objective(nn.Sequential(LINEAR, Net(lambda m, h: h + torch.randn(10))), X, Y),
        r"layer 1 \(Net\) draws random numbers",
    ),
    "numpy's noise": (
        lambda: Objective(Net(lambda m, h: m.fc(h) * np.random.rand()), X, Y),
        "two outputs for one input",
    ),
    "a lazy layer": (
        lambda: Objective(nn.LazyLinear(10), X, Y),
        r"Parameter weight has no shape yet. Call the network once",
    ),
    "no parameters": (
        lambda: Objective(nn.Flatten(), X, Y),
        "no parameter that requires a gradient",
    ),
    "all frozen": (
        lambda: Objective(nn.Linear(40, 10).requires_grad_(False), X, Y),
        "no parameter that requires a gradient",
    ),
    "nothing carried": (
        lambda: Objective("F0", X, Y, statistics="running"),
        r"ayer 2 \(BatchNorm1d\) carries no running statistics. Use statistics='batch'",
    ),
    "one sample": (lambda: Objective("F0", X[:1], Y[:1]), "at least 2 samples"),
    "loss no function": (
        lambda: Objective(LINEAR, X, Y, loss="mse"),
        "loss is 'mse'; a function loss",
    ),
    "loss a sum": (
        lambda: Objective(LINEAR, X, Y, loss=nn.CrossEntropyLoss(reduction="sum")),
        "loss is no mean over samples",
    ),
    "loss a vector": (
        lambda: Objective(LINEAR, X, Y, loss=nn.CrossEntropyLoss(reduction="none")),
        "one number, a scalar tensor",
    ),
    "loss detached": (
        lambda: Objective(LINEAR, X, Y, loss=lambda out, y: out.detach().mean()),
        "does not depend on the logits",
    ),
    "loss that fails": (
        lambda: Objective(LINEAR, X, Y, loss=lambda out, y: out @ y),
        r"loss\(logits, labels\) does not take",
    ),
    "an odd loader": (
        lambda: Objective(LINEAR, DataLoader(TensorDataset(X))),
        r"pairs of \(samples, labels\) are needed",
    ),
    "an empty loader": (
        lambda: Objective(LINEAR, DataLoader(TensorDataset(X, Y), batch_size=9, drop_last=True)),
        "The loader gives no batch",
    ),
    "a state that lacks a layer": (
        lambda: flatten(LINEAR, {"weight": LINEAR.weight}),
        "In the state, bias is missing",
    ),
    "a state of another shape": (
        lambda: flatten(nn.Linear(3, 1), LINEAR.state_dict()),
        r"shape \(1, 3\) is needed",
    ),
    "a stack unflattened": (
        lambda: unflatten(torch.zeros(2, 410), LINEAR),
        r"one point \(410,\) is needed",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_said_when_f_is_made(case):
    call, says = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=says) as caught:
        call()
    assert len(str(caught.value)) < 600


def test_a_script_cannot_be_called_at_another_point():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(nn.Linear(40, 10))
    with pytest.raises(TypeError, match="Give the module it was made from"):
        Objective(script, X, Y)


def test_a_hook_that_uses_the_network_from_outside_is_refused():
    network = small(nn.ReLU())
    network[0].register_forward_hook(lambda module, args, out: out * network[2].bias.sum())
    with pytest.raises(TypeError, match=r"layer 0 \(Linear\) uses the network from outside"):
        Objective(network, X, Y)


def test_a_reference_beside_the_registered_parameters_is_never_silently_stale():
    network = Net(lambda m, h: F.linear(h, m.kept[0]) + m.fc(h))
    network.kept = [network.fc.weight]  # functional_call replaces registered parameters alone
    with pytest.raises(ValueError, match="The network does not take"):
        Objective(network, X, Y)


# -- plain meanings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.int(),
        lambda y: y.to(torch.uint8),
        lambda y: y.numpy(),
        lambda y: y.tolist(),
        lambda y: y[:, None],
        lambda y: F.one_hot(y, 10),
        lambda y: F.one_hot(y, 10).float(),
        lambda y: y.numpy().astype(np.int16),
    ],
)
def test_labels_of_any_whole_type_are_class_numbers(signals, f, x, change):
    other = Objective("F0", signals.x_train, change(signals.y_train))
    assert float(other(x)) == float(f(x)) and torch.equal(other.gradient(x), f.gradient(x))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.numpy(),
        lambda t: nn.Parameter(t),
        lambda t: t.clone().requires_grad_(),
        lambda t: t.T.contiguous().T,
    ],
)
def test_inputs_may_be_arrays_and_parameters(signals, f, x, change):
    other = Objective("F0", change(signals.x_train), signals.y_train)
    assert float(other(x)) == pytest.approx(float(f(x)), rel=1e-6)


def test_data_may_come_as_a_set_a_loader_or_ours(signals, f, x):
    pairs = TensorDataset(signals.x_train, signals.y_train)
    for given in (pairs, DataLoader(pairs, batch_size=7), signals):
        assert float(Objective("F0", given)(x)) == float(f(x))


def test_uint8_images_are_divided_by_255_unless_the_network_takes_them():
    images = torch.randint(
        0, 256, (6, 1, 5, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    plain = nn.Sequential(nn.Flatten(), nn.Linear(40, 10))
    own = Net(lambda m, h: m.fc(h.flatten(1).float() / 100))
    assert float(Objective(plain, images, Y)(flatten(plain))) == pytest.approx(
        float(F.cross_entropy(plain(images / 255), Y)), rel=1e-6
    )
    assert float(Objective(own, images, Y)(flatten(own))) == pytest.approx(
        float(F.cross_entropy(own(images), Y)), rel=1e-6
    )


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.uint8, torch.int16])
def test_token_numbers_of_any_whole_type(kind):
    network = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 10))
    tokens = torch.randint(0, 9, (6, 5), generator=torch.Generator().manual_seed(0))
    f = Objective(network, tokens.to(kind), Y)
    assert float(f(flatten(network))) == pytest.approx(
        float(F.cross_entropy(network(tokens), Y)), rel=1e-6
    )
    assert f.double().dtype == torch.float64


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(kind):
    torch.manual_seed(0)
    network, inputs = nn.Linear(40, 10), 30 * torch.randn(5000, 40)
    labels = torch.randint(0, 10, (5000,))
    f = Objective(network, inputs.to(kind), labels)
    wanted = F.cross_entropy(network.double()(inputs.to(kind).double()), labels)
    assert 10 < wanted < 30 and f.dtype == torch.float32
    assert float(f(flatten(network).to(torch.float32))) == pytest.approx(float(wanted), rel=1e-5)


def test_a_compiled_network_is_the_one_it_wraps(f):
    network = small(nn.Tanh())
    wrapped = torch.compile(network)
    assert float(Objective(wrapped, X, Y)(flatten(network))) == float(
        Objective(network, X, Y)(flatten(network))
    )


def test_x_may_be_a_parameter_float64_or_half(f, x):
    assert float(f(nn.Parameter(x))) == float(f(x.double())) == float(f(x))
    assert (
        f.gradient(x.double()).dtype == torch.float64
        and f.double().gradient(x).dtype == torch.float32
    )


# -- what is and what is not x -------------------------------------------------------------------------------------


def test_frozen_parameters_stay_and_are_not_in_x():
    network = small(nn.ReLU())
    network[0].requires_grad_(False)
    f, x = Objective(network, X, Y), flatten(network)
    assert f.n == len(x) == 90
    wanted = float(f(x))
    with torch.no_grad():
        network[0].weight.zero_()  # f holds what was there when it was made
    assert float(f(x)) == wanted


def test_a_state_dict_goes_to_x_and_back():
    network = small(nn.BatchNorm1d(8), nn.ReLU())
    network[0].bias.requires_grad_(False)
    saved = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    x = flatten(network, saved)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.zero_()
    network.load_state_dict(unflatten(x, network))
    assert all(torch.equal(network.state_dict()[name], saved[name]) for name in saved)
    assert torch.equal(flatten(network), x)


# -- whose statistics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(8), nn.Sequential(nn.BatchNorm1d(8))], ids=["plain", "nested"]
)
def test_statistics_by_name(layer):
    layer.train()
    with torch.no_grad():
        layer(torch.randn(50, 8) * 3 + 1)
    network = small(layer, nn.ReLU())
    x, kept = (
        flatten(network),
        {name: tensor.clone() for name, tensor in network.state_dict().items()},
    )
    with torch.no_grad():
        own = float(F.cross_entropy(copy_in(network, "train")(X), Y))
        carried = float(F.cross_entropy(copy_in(network, "eval")(X), Y))
    batch, running = Objective(network, X, Y), Objective(network, X, Y, statistics="running")
    measured = running.frozen_at(x)
    assert float(batch(x)) == pytest.approx(own, rel=1e-5) and float(running(x)) == pytest.approx(
        carried, rel=1e-5
    )
    assert abs(own - carried) > 1e-3
    assert float(measured(x)) == pytest.approx(own, rel=1e-5)
    assert abs(float(measured(x + 0.1)) - float(batch(x + 0.1))) > 1e-6
    assert [one.statistics for one in (batch, running, measured)] == ["batch", "running", "frozen"]
    assert "running statistics" in repr(running) and fingerprint(batch.key) != fingerprint(
        running.key
    )
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    layer.apply(
        lambda one: one.reset_running_stats() if hasattr(one, "reset_running_stats") else None
    )
    assert float(running(x)) == pytest.approx(carried, rel=1e-5)  # held fixed


def copy_in(network, mode):
    return getattr(copy.deepcopy(network), mode)()


def test_a_stack_of_any_network_is_frozen_row_by_row():
    network = small(nn.Sequential(nn.BatchNorm1d(8)), nn.ReLU())
    f = Objective(network, X, Y).double()
    x = torch.stack([flatten(network), 1.5 * flatten(network)]).double()
    both = f.frozen_at(x)
    for s in (0, 1):
        assert float(both(x + 0.01)[s]) == pytest.approx(
            float(f.frozen_at(x[s])(x[s] + 0.01)), rel=1e-9
        )
        assert float(both.row(s)(x[s] + 0.01)) == pytest.approx(float(both(x + 0.01)[s]), rel=1e-9)


def test_without_batch_norm_frozen_statistics_change_nothing():
    f = Objective("F0-plain", X, Y)
    assert f.frozen_at(start("F0-plain", [0])[0]) is f


# -- a loss of one's own -------------------------------------------------------------------------------------------


def test_a_loss_of_ones_own_is_a_mean_over_all_samples(signals):
    smooth = nn.CrossEntropyLoss(label_smoothing=0.1)
    f = Objective("F0-plain", signals.x_train, signals.y_train, loss=smooth, chunk=70)
    network = networks.build("F0-plain")
    x = flatten(network)
    wanted = smooth(network(signals.x_train), signals.y_train)
    gradient = torch.autograd.grad(wanted, list(network.parameters()))
    assert float(f(x)) == pytest.approx(float(wanted.detach()), rel=1e-5)
    assert torch.allclose(
        f.gradient(x), torch.cat([part.flatten() for part in gradient]), atol=1e-6
    )
    assert 0 <= float(f.accuracy(x)) <= 100


def test_regression_has_no_accuracy():
    network, wanted = nn.Linear(40, 1), torch.randn(6, 1)
    f = Objective(network, X, wanted, loss=F.mse_loss)
    assert float(f(flatten(network))) == pytest.approx(
        float(F.mse_loss(network(X), wanted)), rel=1e-5
    )
    assert float(f.double()(flatten(network))) == pytest.approx(
        float(f(flatten(network))), rel=1e-5
    )
    with pytest.raises(TypeError, match="it has no accuracy"):
        f.accuracy(flatten(network))


def test_a_sequence_may_have_a_loss_for_every_place():
    network, tokens = (
        nn.Sequential(nn.Embedding(9, 5), nn.Linear(5, 9)),
        torch.randint(0, 9, (6, 4)),
    )
    f = Objective(
        network, tokens, tokens, loss=lambda out, y: F.cross_entropy(out.flatten(0, 1), y.flatten())
    )
    wanted = F.cross_entropy(network(tokens).flatten(0, 1), tokens.flatten())
    assert float(f(flatten(network))) == pytest.approx(float(wanted), rel=1e-5)
    assert f.logits(flatten(network)).shape == (6, 4, 9)


# -- numbers that are none -----------------------------------------------------------------------------------------


def test_a_result_that_is_not_finite_comes_with_a_warning(f, x):
    for ask in (f, f.value_and_gradient):
        with pytest.warns(NotFiniteWarning, match=r"not a finite number for model\(s\) \[0\]"):
            ask(1e30 * x)


def test_inputs_that_are_not_finite_are_named():
    inputs = X.clone()
    inputs[0, 0] = torch.nan
    with pytest.warns(NotFiniteWarning, match="the inputs hold values that are not finite"):
        Objective(LINEAR, inputs, Y)(flatten(LINEAR))


def test_a_point_too_large_for_float32_is_refused(f, x):
    with pytest.raises(ValueError, match=r"x overflows torch.float32"):
        f(1e300 * (x.double() + 1))


# -- the Hessian ---------------------------------------------------------------------------------------------------


def test_a_stack_gets_one_product_a_row(f):
    exact, x = f.double(), start("F0", [0, 1]).double()
    v = torch.randn(2, f.n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = exact.hessian_vector(x, v)
    for s in (0, 1):
        assert torch.allclose(found[s], exact.hessian_vector(x[s], v[s]), rtol=1e-9, atol=1e-12)
    same = exact.hessian_vector(x, v[0])
    assert torch.allclose(same[1], exact.hessian_vector(x[1], v[0]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "v, says",
    [
        (lambda n: torch.full((n,), torch.nan), "v has 40330 entries that are not finite"),
        (lambda n: torch.zeros(3), r"v has shape \(3,\)"),
        (
            lambda n: torch.zeros(3, n),
            r"v has shape \(3, 40330\) and x \(40330,\); one v for all, or one a row",
        ),
        (lambda n: [0.0] * n, "v is a list; a torch Tensor"),
    ],
)
def test_bad_vectors(f, x, v, says):
    with pytest.raises((TypeError, ValueError), match=says):
        f.hessian_vector(x, v(f.n))


class Once(torch.autograd.Function):
    @staticmethod
    def forward(context, h):
        context.save_for_backward(h)
        return h**2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context, slope):
        return 2 * context.saved_tensors[0] * slope


def test_a_kernel_without_a_second_derivative_is_said():
    network = nn.Sequential(nn.Linear(40, 10), Net(lambda m, h: Once.apply(h)))
    f, x = Objective(network, X, Y), flatten(network)
    assert torch.isfinite(f.gradient(x)).all()
    with pytest.raises(ValueError, match="no second derivative in torch, so f has no Hessian"):
        f.hessian_vector(x, torch.ones(f.n))


# -- surroundings --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def switched(get, turn, value):
    before = get()
    turn(value)
    try:
        yield
        assert get() == value  # as it was found
    finally:
        turn(before)


def fp32():
    return torch.backends.fp32_precision


SURROUNDINGS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "default dtype": lambda: switched(
        torch.get_default_dtype, torch.set_default_dtype, torch.float64
    ),
    "default device": lambda: torch.device("meta"),
    "matmul precision": lambda: switched(
        torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "medium"
    ),
    "deterministic": lambda: switched(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
}
if hasattr(torch.backends, "fp32_precision"):
    SURROUNDINGS["fp32_precision"] = lambda: switched(
        fp32, lambda v: setattr(torch.backends, "fp32_precision", v), "ieee"
    )


class Positions(nn.Module):
    """Makes tensors where and as the surroundings say."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(40, 10)

    def forward(self, h):
        return self.fc(h + torch.linspace(0, 1, 40)) @ torch.eye(10)


@pytest.mark.parametrize("name", SURROUNDINGS)
@pytest.mark.parametrize("network", ["F0", "C0", "own"])
def test_a_measure_is_the_same_in_any_surroundings(signals, name, network):
    torch.manual_seed(0)
    network = Positions() if network == "own" else networks.build(network)
    x = flatten(network)
    v = torch.ones_like(x)

    def measures(f):
        return [f(x), f.accuracy(x), *f.value_and_gradient(x), f.hessian_vector(x, v), f.logits(x)]

    f = Objective(network, signals.x_train, signals.y_train)
    wanted = measures(f)
    with SURROUNDINGS[name]():
        found = measures(f) + measures(Objective(network, signals.x_train, signals.y_train))
    for value, right in zip(found, wanted + wanted):
        assert torch.equal(value, right)


def test_a_point_made_under_inference_mode_is_a_point(f, x):
    with torch.inference_mode():
        moved = x * 2
        assert torch.isfinite(f.gradient(moved)).all()
    assert torch.equal(f.gradient(moved), f.gradient(2 * x))


def test_names_that_do_not_exist_are_unknown_names():
    with pytest.raises(UnknownName):
        Objective("F0", X, Y, statistics="moving")
