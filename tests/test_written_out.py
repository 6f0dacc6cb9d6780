"""The written-out gradient against autograd, and the networks for which there is none."""

import pytest
import torch
from torch import nn

from labsupport import data, networks, training
from labsupport.engine import stacked, written_out
from labsupport.objective import Objective, summed_loss
from labsupport.problem import Problem
from labsupport.recipe import Recipe


@pytest.fixture(scope="module")
def signals():
    return data.load("mnist1d", train_size=200)


def norm(width):
    return nn.BatchNorm1d(width, track_running_stats=False)


CHAINS = {
    "F0": (networks.build("F0"), (40,)),
    "F0 without norm": (networks.build("F0-plain"), (40,)),
    "linear": (nn.Sequential(nn.Linear(6, 4)), (6,)),
    "norm at the end": (
        nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), norm(3)),
        (2, 3),
    ),
    "images": (
        nn.Sequential(nn.Flatten(), nn.Linear(48, 30), norm(30), nn.ReLU(), nn.Linear(30, 10)),
        (3, 4, 4),
    ),
}


def by_autograd(network, layout, x, inputs, labels):
    leaf = x.clone().requires_grad_()
    shared = labels.dim() == 1
    losses = summed_loss(stacked.forward(network, layout, leaf, inputs, shared=shared), labels)
    if not shared:
        losses = losses / labels.shape[1]
    return losses.detach(), torch.autograd.grad(losses.sum(), leaf)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", CHAINS)
def test_what_autograd_finds(name, shared, dtype):
    network, shape = CHAINS[name]
    layout, random = stacked.Layout.of(network), torch.Generator().manual_seed(0)
    x = 0.1 * torch.randn(3, layout.n, generator=random, dtype=dtype)
    many = (50,) if shared else (3, 50)
    inputs = torch.randn(*many, *shape, generator=random, dtype=dtype)
    labels = torch.randint(0, 3, many, generator=random)
    kept = inputs.clone(), x.clone()
    wanted = by_autograd(network, layout, x, inputs, labels)
    found = written_out.value_and_gradient(written_out.chain(network), layout, x, inputs, labels)
    assert torch.equal(inputs, kept[0]) and torch.equal(x, kept[1])
    rounding = 10 * torch.finfo(dtype).eps
    for block in written_out.chain(network):
        # the mean takes this bias off again: zero, of which autograd finds the rounding error
        if block.norm:
            assert not layout.split(found[1])[block.bias].any()
            layout.split(wanted[1])[block.bias].zero_()
    assert torch.allclose(found[0], wanted[0], rtol=rounding)
    assert (found[1] - wanted[1]).norm() <= rounding * wanted[1].norm()


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(4, 3), nn.Dropout(0.5)],
        [nn.ReLU(), nn.Linear(4, 3)],
        [nn.Linear(4, 3), nn.ReLU(), norm(3)],
        [nn.Linear(4, 3), norm(3), norm(3)],
        [nn.Linear(4, 3), nn.BatchNorm1d(3, affine=False)],
        [nn.Linear(4, 3, bias=False)],
        [nn.Flatten()],
    ],
)
def test_what_is_no_such_chain_is_left_to_autograd(layers):
    assert written_out.chain(nn.Sequential(*layers)) is None


@pytest.mark.parametrize("name", ["C0", "C1", "C2"])
def test_convolutions_are_left_to_autograd(name):
    assert written_out.chain(networks.build(name)) is None


def test_a_batch_of_one_has_no_variance(signals):
    with pytest.raises(ValueError, match="at least 2 samples"):
        training.train(Problem("F0", signals), Recipe(1, steps=2), 1, progress=False, records=0)


def test_training_and_evaluation_take_the_same_way_with_and_without(signals, monkeypatch):
    recipe = Recipe(32, steps=20)
    ours = training.train(Problem("F0", signals), recipe, 2, progress=False)
    slope = Objective("F0", signals.x_train, signals.y_train).gradient(ours.x0)
    monkeypatch.setattr(written_out, "chain", lambda network: None)
    theirs = training.train(Problem("F0", signals), recipe, 2, progress=False)
    assert ours.final.train_loss.tolist() == pytest.approx(
        theirs.final.train_loss.tolist(), rel=1e-3
    )
    other = Objective("F0", signals.x_train, signals.y_train).gradient(ours.x0)
    assert torch.allclose(slope, other, atol=1e-6)
