"""Any module against torch itself: loss, accuracy, gradient, Hessian-vector product, one point and stacks.

Networks are drawn at random, from features that people's networks have. The profile decides how
many: a few in every run, 300 with ``HYPOTHESIS_PROFILE=many``, which prints a table by feature.
"""

from __future__ import annotations

import collections
import copy
import functools
import os

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations, prune

from labsupport.objective import Objective, flatten, unflatten

#: The same networks in each run, however long one takes.
drawn_alike = functools.partial(
    settings,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
EXAMPLES = {"many": 300}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 40)
CLASSES, SAMPLES, LENGTH = 4, 12, 12
#: What happened to networks with each feature: how many were equal to torch, how many refused.
SEEN: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, h):
        return h + self.inner(h)


class Twice(nn.Module):
    """The same layer two times, by a forward of its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, h):
        return self.inner(torch.tanh(self.inner(h)))


class Autoencoder(nn.Module):
    """Weights tied across two layers, one of them transposed."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(5, width))

    def forward(self, h):
        return F.linear(F.gelu(F.linear(h, self.weight)), self.weight.T)


class Pair(nn.Module):
    """One parameter under two names."""

    def __init__(self, width):
        super().__init__()
        self.one, self.two = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.two.weight = self.one.weight

    def forward(self, h):
        return self.two(torch.sigmoid(self.one(h)))


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.look = nn.MultiheadAttention(width // 3, 2, batch_first=True)

    def forward(self, h):
        parts = h.unflatten(1, (3, -1))  # (B, F) -> (B, 3, F / 3)
        return (parts + self.look(parts, parts, parts, need_weights=False)[0]).flatten(1)


class Recurrent(nn.Module):
    def __init__(self, kind, width):
        super().__init__()
        self.rnn = kind(width // 3, width, batch_first=True)

    def forward(self, h):
        return self.rnn(h.unflatten(1, (3, -1)))[0][:, -1]


class Scaled(nn.Linear):
    """A subclass with a forward and a buffer of its own."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("factor", torch.tensor(1.5))

    def forward(self, h):
        return self.factor * super().forward(h)


class Dictionary(nn.Module):
    """Branches in nested containers."""

    def __init__(self, width):
        super().__init__()
        self.branches = nn.ModuleDict(
            {
                "a": nn.ModuleList([nn.Linear(width, width)]),
                "b": nn.Sequential(nn.Linear(width, width)),
            }
        )
        self.extra = nn.ParameterList([nn.Parameter(torch.ones(width))])

    def forward(self, h):
        return self.branches["a"][0](h).relu() + self.extra[0] * self.branches["b"](h)


class Images(nn.Module):
    """(B, F) -> convolution and pool over (B, 1, 3, F / 3) -> (B, F')."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, h):
        return self.layers(h.unflatten(1, (1, 3, -1))).flatten(1)


class Doubled(nn.Sequential):
    """A subclass of Sequential with its own forward."""

    def forward(self, h):
        return 2 * super().forward(h)


def hooked(layer):
    layer.register_forward_hook(lambda module, args, out: 0.5 * out + args[0].mean())
    return layer


def frozen(layer):
    return layer.requires_grad_(False)


def half_frozen(layer):
    layer.bias.requires_grad_(False)
    return layer


def pruned(layer):
    return prune.l1_unstructured(layer, "weight", 0.4)


def used_norm(layer):
    """A norm whose running statistics have seen something."""
    layer.running_mean.normal_()
    layer.running_var.uniform_(0.5, 2)
    return layer


def image(*layers):
    return lambda w: nn.Sequential(Images(*[make() for make in layers]), nn.LazyLinear(w))


FEATURES = {
    "linear": lambda w: nn.Linear(w, w),
    "no bias": lambda w: nn.Linear(w, w, bias=False),
    "relu": lambda w: nn.ReLU(),
    "tanh": lambda w: nn.Tanh(),
    "softplus": lambda w: nn.Softplus(),
    "dropout": lambda w: nn.Dropout(0.4),
    "batch norm": lambda w: nn.BatchNorm1d(w, track_running_stats=False),
    "batch norm, running": lambda w: used_norm(nn.BatchNorm1d(w)),
    "batch norm, affine=False": lambda w: nn.BatchNorm1d(w, affine=False),
    "layer norm": lambda w: nn.LayerNorm(w),
    "group norm": lambda w: nn.GroupNorm(3, w),
    "residual": lambda w: Residual(nn.Sequential(nn.Linear(w, w), nn.ReLU(), nn.Linear(w, w))),
    "residual, batch norm": lambda w: Residual(
        nn.Sequential(nn.Linear(w, w), nn.BatchNorm1d(w), nn.ReLU())
    ),
    "reused layer": lambda w: Twice(nn.Linear(w, w)),
    "reused batch norm": lambda w: Twice(used_norm(nn.BatchNorm1d(w))),
    "tied, transposed": Autoencoder,
    "tied, two names": Pair,
    "attention": Attention,
    "LSTM": lambda w: Recurrent(nn.LSTM, w),
    "GRU": lambda w: Recurrent(nn.GRU, w),
    "subclass, buffer": lambda w: Scaled(w, w),
    "nested containers": Dictionary,
    "own Sequential": lambda w: Doubled(nn.Linear(w, w), nn.ReLU()),
    "hook": lambda w: hooked(nn.Linear(w, w)),
    "frozen layer": lambda w: frozen(nn.Linear(w, w)),
    "frozen bias": lambda w: half_frozen(nn.Linear(w, w)),
    "frozen batch norm": lambda w: frozen(used_norm(nn.BatchNorm1d(w))),
    "weight norm": lambda w: parametrizations.weight_norm(nn.Linear(w, w)),
    "weight norm, old": lambda w: nn.utils.weight_norm(nn.Linear(w, w)),
    "spectral norm": lambda w: parametrizations.spectral_norm(nn.Linear(w, w)).eval(),
    "orthogonal": lambda w: parametrizations.orthogonal(nn.Linear(w, w)),
    "pruned": lambda w: pruned(nn.Linear(w, w)),
    "padding, circular": image(lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="circular")),
    "padding, reflect": image(
        lambda: nn.Conv2d(1, 2, 3, padding=1, padding_mode="reflect"), nn.SiLU
    ),
    "padding, same": image(lambda: nn.Conv2d(1, 2, 3, padding="same", bias=False), nn.Tanh),
    "pool, ceil": image(
        lambda: nn.Conv2d(1, 2, 2, padding=1), lambda: nn.MaxPool2d(2, ceil_mode=True)
    ),
    "pool, dilated": image(lambda: nn.Conv2d(1, 2, 1), lambda: nn.MaxPool2d(2, 1, dilation=(1, 2))),
    "pool, average": image(lambda: nn.Conv2d(1, 2, 2), lambda: nn.AvgPool2d((1, 2))),
    "pool, adaptive": image(lambda: nn.Conv2d(1, 3, 1), lambda: nn.AdaptiveAvgPool2d((2, 1))),
    "instance norm": image(lambda: nn.Conv2d(1, 2, 1), lambda: nn.InstanceNorm2d(2, affine=True)),
    "grouped": image(
        lambda: nn.Conv2d(1, 4, 1), lambda: nn.Conv2d(4, 4, 2, groups=2, dilation=(1, 2))
    ),
    "transposed": image(lambda: nn.ConvTranspose2d(1, 2, 2, stride=2)),
    "Unflatten": lambda w: nn.Sequential(
        nn.Unflatten(1, (1, 3, -1)), nn.Conv2d(1, 2, 2), nn.Flatten(), nn.LazyLinear(w)
    ),
}


@st.composite
def networks(draw):
    """A random network on vectors or tokens: (its features, the module, inputs, labels)."""
    chosen = draw(st.lists(st.sampled_from(sorted(FEATURES)), min_size=1, max_size=4))
    tokens, whole = draw(st.booleans()), draw(st.booleans())
    seed = draw(st.integers(0, 2**31 - 1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inputs = torch.randint(0, 9, (SAMPLES, 4)) if tokens else torch.randn(SAMPLES, LENGTH)
        layers = [nn.Embedding(9, 3), nn.Flatten()] if tokens else []
        layers += [FEATURES[name](LENGTH) for name in chosen] + [nn.Linear(LENGTH, CLASSES)]
        network = nn.Sequential(*layers)
        network.eval()(inputs)  # gives lazy layers their shapes
        labels = torch.randint(0, CLASSES, (SAMPLES,))
    return chosen + ["tokens"] * tokens, network, inputs, labels, "running" if whole else "batch"


def torchs(network, x, inputs, labels, statistics):
    """Loss, accuracy, gradient and H 1 by torch alone, in float64, on a copy that holds x."""
    network = copy_of(network, x)
    network.double().eval()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._NormBase) and statistics == "batch":
            layer.train()
    for name in ("RNN", "LSTM", "GRU"):
        for layer in network.modules():
            if isinstance(layer, getattr(nn, name)):
                layer.flatten_parameters()
    parameters = [p for p in network.parameters() if p.requires_grad]
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    kernels = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with kernels, torch.backends.mkldnn.flags(enabled=False):
        logits = network(inputs)
        loss = F.cross_entropy(logits, labels)
        parts = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
        gradient = torch.cat([part.flatten() for part in parts])
        product = torch.zeros_like(gradient)
        if gradient.requires_grad:
            twice = torch.autograd.grad(gradient.sum(), parameters, materialize_grads=True)
            product = torch.cat([part.flatten() for part in twice])
    accuracy = 100 * (logits.argmax(1) == labels).double().mean()
    return loss.detach(), accuracy, gradient.detach(), product


def copy_of(network, x):
    # what weight_norm left behind cannot be copied while it has a graph
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, torch.Tensor) and value.grad_fn is not None:
                setattr(module, name, value.detach())
    other = copy.deepcopy(network)
    other.load_state_dict(unflatten(x, other))
    return other


def near(found, wanted, tolerance):
    scale = float(wanted.abs().max().clamp_min(1e-6))
    return float((found.double() - wanted).abs().max()) <= tolerance * scale


def close(found, wanted, tolerance=1e-9):
    assert near(found, wanted, tolerance), f"{found} is not {wanted}"


@drawn_alike(max_examples=EXAMPLES)
@given(networks())
def test_a_random_network_is_torchs(drawn):
    features, network, inputs, labels, statistics = drawn
    x = flatten(network)
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    try:
        f = Objective(network, inputs, labels, statistics=statistics)
    except ValueError as error:
        assert "carries no running statistics" in str(error) and statistics == "running"
        for name in [*features, "ALL"]:
            SEEN[name]["refused"] += 1
        return
    exact = f.double()
    points = torch.stack(
        [x, x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))]
    )
    loss, gradient = exact.value_and_gradient(points.double())
    product = exact.hessian_vector(points.double(), torch.ones(f.n))
    for s in (0, 1):
        wanted = torchs(network, points[s], inputs, labels, statistics)
        close(exact.accuracy(points[s]), wanted[1])
        for found, right in (
            (loss[s], wanted[0]),
            (gradient[s], wanted[2]),
            (product[s], wanted[3]),
        ):
            close(found, right)
        close(exact(points[s]), wanted[0])
    single, slope = f.value_and_gradient(x)
    assert near(single, loss[0], 1e-4) and near(slope, gradient[0], 1e-2)
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())
    for name in [*features, "ALL"]:
        SEEN[name]["equal"] += 1


def test_the_table_by_feature_is_whole(capsys):
    """Every network drawn was equal to torch or refused for the one reason there is; the table for 300."""
    if not SEEN:
        pytest.skip("the random networks were not drawn in this run")
    with capsys.disabled():
        if EXAMPLES >= 300:
            print()
            for name, counts in sorted(SEEN.items()):
                print(f"{name:26s} equal {counts['equal']:4d}  refused {counts['refused']:3d}")
    assert SEEN["ALL"]["equal"] > 3 * SEEN["ALL"]["refused"]


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_each_feature_alone(name):
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(LENGTH, LENGTH), FEATURES[name](LENGTH), nn.Linear(LENGTH, CLASSES)
    )
    inputs, labels = torch.randn(SAMPLES, LENGTH), torch.randint(0, CLASSES, (SAMPLES,))
    network.eval()(inputs)
    x = flatten(network)
    loss, _, gradient, product = torchs(network, x, inputs, labels, "batch")
    f = Objective(network, inputs, labels).double()
    close(f(x), loss)
    close(f.gradient(x.double()), gradient)
    close(f.hessian_vector(x.double(), torch.ones(f.n)), product)


class Dropped(nn.Module):
    """Not a Sequential, with dropout inside."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Linear(LENGTH, 30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, CLASSES)
        )

    def forward(self, h):
        return self.inner(h)


def test_each_model_drops_by_its_own_generator():
    torch.manual_seed(0)
    network, inputs = Dropped(), torch.randn(2, SAMPLES, LENGTH)
    f = Objective(network, inputs[0], torch.zeros(SAMPLES, dtype=torch.int64))
    points = torch.stack([flatten(network), 2 * flatten(network)])
    before = torch.get_rng_state()

    def seeds(*numbers):
        return [torch.Generator().manual_seed(number) for number in numbers]

    both = f.engine.logits(points, inputs, shared=False, dropout=seeds(3, 4))
    alone = f.engine.logits(points[1:], inputs[1:], shared=False, dropout=seeds(4))
    other = f.engine.logits(points[1:], inputs[1:], shared=False, dropout=seeds(5))
    assert torch.equal(both[1], alone[0]) and not torch.equal(alone, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(f(points[0]), f(points[0]))  # off again in a measure
