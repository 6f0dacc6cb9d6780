"""Several models of any module in one call, by `torch.func.vmap`: the loop's numbers, by rule, and the loop else."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from test_any_network import (
    CLASSES,
    FEATURES,
    LENGTH,
    SAMPLES,
    Residual,
    drawn_alike,
    networks,
)
from torch import nn

from labsupport.engine import functional
from labsupport.engine.functional import SHARED_OPERATIONS, SHARING_MODELS, Functional
from labsupport.objective import Objective, flatten
from labsupport.recipe import Recipe
from labsupport.training.step import Stepper

#: How often a random network's models shared a call, and how often they did not.
CHOSEN = {True: 0, False: 0}


def five(network):
    """Five points (5, n) around a network's own."""
    x = flatten(network)
    noise = torch.randn(5, len(x), generator=torch.Generator().manual_seed(1))
    return x + 0.02 * noise


def looped(f):
    """The same objective, one model after another."""
    other = f._variant(engine=f.engine.to(f.device, f.dtype))
    other.engine.work = math.inf
    return other


def close(found, wanted, tolerance):
    scale = float(wanted.abs().max().clamp_min(1e-6))
    assert float((found - wanted).abs().max()) <= tolerance * scale


def one_step(f, points):
    """Where one step of SGD leads five seeds."""
    stepper = Stepper(f, Recipe(6, steps=1, optimizer="sgd", learning_rate=0.1), points, range(5))
    stepper.step(torch.stack([torch.randperm(SAMPLES)[:6] for _ in range(5)]))
    return stepper.points - points


def held_against_the_loop(network, inputs, labels, statistics="batch"):
    """Loss, gradient and a training step of five models; returns the objective."""
    f, points = Objective(network, inputs, labels, statistics=statistics), five(network)
    if not isinstance(f.engine, Functional):
        return f
    exact = f.double()
    for found, wanted in zip(
        exact.value_and_gradient(points.double()), looped(exact).value_and_gradient(points.double())
    ):
        close(found, wanted, 1e-12)
    close(f(points), looped(f)(points), 1e-5)
    if not any(isinstance(layer, nn.Dropout) for layer in network.modules()):
        torch.manual_seed(0)
        found = one_step(f, points)
        torch.manual_seed(0)
        close(found, one_step(looped(f), points), 1e-5)
    return f


@drawn_alike(max_examples=25)
@given(networks())
def test_five_models_of_a_random_network_have_the_loops_numbers(drawn):
    _, network, inputs, labels, statistics = drawn
    try:
        f = held_against_the_loop(network, inputs, labels, statistics)
    except ValueError as error:
        assert "carries no running statistics" in str(error) and statistics == "running"
        return
    if isinstance(f.engine, Functional):
        CHOSEN[f.engine.work < math.inf] += 1


def test_most_random_networks_share_a_call():
    if not any(CHOSEN.values()):
        pytest.skip("the random networks were not drawn in this run")
    assert CHOSEN[True] > CHOSEN[False]


@pytest.mark.parametrize(
    "name",
    ["instance norm", "residual, batch norm", "reused batch norm", "tied, transposed", "grouped"],
)
@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_features_that_share_a_call_have_the_loops_numbers(name, statistics):
    torch.manual_seed(0)
    network = nn.Sequential(FEATURES[name](LENGTH), nn.GELU(), nn.Linear(LENGTH, CLASSES))
    inputs, labels = torch.randn(SAMPLES, LENGTH), torch.randint(0, CLASSES, (SAMPLES,))
    network.eval()(inputs)
    f = held_against_the_loop(network, inputs, labels, statistics)
    assert isinstance(f.engine, Functional) and f.engine.work < math.inf


# -- the loop, where vmap cannot -----------------------------------------------------------------------------------


class Branching(nn.Linear):
    """Its forward looks at the numbers."""

    def forward(self, h):
        out = super().forward(h)
        return out if out.sum() > 0 else -out


class BranchingLater(nn.Linear):
    """It looks at the numbers of larger batches only, than those that it is tried on."""

    def forward(self, h):
        out = super().forward(h)
        return -out if len(h) > 8 and out.sum() > 0 else out


class Writing(nn.Linear):
    """It writes into a buffer of its own, and reads it back."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("last", torch.zeros(()))

    def forward(self, h):
        self.last.fill_(0.0)
        self.last.add_(h.detach().mean())
        return super().forward(h) + self.last


class Leaving(nn.Linear):
    """It leaves its output on the module."""

    def forward(self, h):
        self.seen = super().forward(h)
        return self.seen


class OwnRule(torch.autograd.Function):
    """A function of one's own, without a rule for vmap."""

    @staticmethod
    def forward(ctx, h):
        return 2 * h

    @staticmethod
    def backward(ctx, slope):
        return 2 * slope


class Doubling(nn.Linear):
    def forward(self, h):
        return OwnRule.apply(super().forward(h))


class Wrong(torch.autograd.Function):
    """A rule for vmap that gives other numbers than the function: nothing raises."""

    @staticmethod
    def forward(h):
        return 2 * h

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, slope):
        return 2 * slope

    @staticmethod
    def vmap(info, in_dims, h):
        return 3 * h, in_dims[0]


class Misruled(nn.Linear):
    def forward(self, h):
        return Wrong.apply(super().forward(h))


@pytest.mark.parametrize("kind", [Branching, BranchingLater, Writing, Leaving, Doubling, Misruled])
def test_what_vmap_cannot_is_computed_one_model_after_another(kind):
    torch.manual_seed(0)
    network = nn.Sequential(kind(LENGTH, LENGTH), nn.GELU(), nn.Linear(LENGTH, CLASSES))
    inputs, labels = torch.randn(SAMPLES, LENGTH), torch.randint(0, CLASSES, (SAMPLES,))
    f = Objective(network, inputs, labels)
    points = five(network)
    loss, gradient = f.value_and_gradient(points)
    for s, x in enumerate(points):
        single, slope = f.value_and_gradient(x)
        assert torch.equal(loss[s], single) and torch.equal(gradient[s], slope)
    assert f.engine.work == math.inf


def test_dropout_and_frozen_statistics_are_computed_one_model_after_another():
    torch.manual_seed(0)
    network = nn.Sequential(
        Residual(nn.Sequential(nn.Linear(LENGTH, LENGTH), nn.BatchNorm1d(LENGTH), nn.Dropout(0.5))),
        nn.Linear(LENGTH, CLASSES),
    )
    inputs, labels = torch.randn(SAMPLES, LENGTH), torch.randint(0, CLASSES, (SAMPLES,))
    f, points = Objective(network, inputs, labels), five(network)
    assert f.engine.work < math.inf
    frozen = f.frozen_at(points)
    for s in range(5):
        close(frozen(points)[s], f.frozen_at(points[s])(points[s]), 1e-12)

    def seeds():
        return [torch.Generator().manual_seed(s) for s in range(5)]

    dropped = f.engine.logits(points, inputs, dropout=seeds())
    alone = f.engine.logits(points[4:], inputs, dropout=seeds()[4:])
    assert torch.equal(dropped[4], alone[0])


def test_a_batch_of_one_says_what_it_said_and_changes_nothing():
    network = nn.Sequential(Residual(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))))
    f = Objective(network, torch.randn(8, 4), torch.randint(4, (8,)))
    with pytest.raises(ValueError, match="at least 2 samples"):
        f.engine.logits(five(network), torch.randn(1, 4))
    assert f.engine.work < math.inf


# -- the rule ------------------------------------------------------------------------------------------------------


def test_the_rule_counts_models_and_the_operations_of_each():
    network = nn.Sequential(Residual(nn.Linear(100, 100, bias=False)), nn.Linear(100, 10))
    engine = Objective(network, torch.randn(8, 100), torch.randint(10, (8,))).engine
    assert engine.work == 2 * (100 * 100 + 100 * 10) + 20  # the last 20: at least 2 a parameter
    most = int(SHARED_OPERATIONS / engine.work)
    assert [engine.sharing(models, most) for models in (1, 2, 3, 5, 20)] == [1, 1, 3, 5, 20]
    assert SHARING_MODELS == 3
    assert engine.sharing(5, most + 1) == engine.sharing(20, most + 1) == 1


def test_convolutions_count_at_every_place():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, bias=False), nn.GELU(), nn.Flatten(), nn.Linear(16, 2)
    )
    engine = Objective(network, torch.randn(8, 1, 4, 4), torch.randint(2, (8,))).engine
    assert engine.work == 2 * (4 * 2 * 2 * 9) + 2 * 16 * 2


def test_one_call_computes_the_models_that_the_rule_puts_together(monkeypatch):
    torch.manual_seed(0)
    network = nn.Sequential(Residual(nn.Linear(100, 100)), nn.Linear(100, 10))
    f, points = Objective(network, torch.randn(64, 100), torch.randint(10, (64,))), five(network)
    calls = []
    in_one_call = Functional.in_one_call
    monkeypatch.setattr(
        Functional,
        "in_one_call",
        lambda self, at, inputs: calls.append(len(at)) or in_one_call(self, at, inputs),
    )
    f(points)
    f(points[0])
    assert calls == [5]
    calls.clear()
    assert f.value_and_gradient(points)[1].shape == points.shape and calls == [5]
    calls.clear()
    monkeypatch.setattr(functional, "SHARED_OPERATIONS", 63 * f.engine.work)
    together = f(points)
    assert calls == [] and all(torch.equal(together[s], f(points[s])) for s in range(5))


def test_large_networks_and_those_of_the_paper_are_not_asked(monkeypatch):
    asked = []
    monkeypatch.setattr("labsupport.engine.vmapped._agree", lambda *given: asked.append(1) or True)
    wide = nn.Sequential(Residual(nn.Linear(4_000, 4_000)), nn.Linear(4_000, 2))
    assert Objective(wide, torch.randn(4, 4_000), torch.randint(2, (4,))).engine.work == math.inf
    f = Objective("F0", torch.randn(4, 1, 40), torch.randint(10, (4,)))
    assert not isinstance(f.engine, Functional) and asked == []


def test_gradients_are_torchs_own():
    torch.manual_seed(0)
    network = nn.Sequential(Residual(nn.Linear(LENGTH, LENGTH)), nn.Linear(LENGTH, CLASSES))
    inputs, labels = torch.randn(SAMPLES, LENGTH), torch.randint(0, CLASSES, (SAMPLES,))
    gradient = Objective(network, inputs, labels).gradient(flatten(network).expand(3, -1))
    F.cross_entropy(network(inputs), labels).backward()
    wanted = torch.cat([p.grad.flatten() for p in network.parameters()])
    assert torch.allclose(gradient, wanted.expand(3, -1), atol=1e-6)
