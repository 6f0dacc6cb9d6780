"""Chapter 7's experiments: the split keeps its hands off the test set, and hindsight is never worse
than anything else.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import Problem, data, experiments, networks, settings
from labsupport.errors import UnknownName
from labsupport.experiments import overfitting
from labsupport.objective import Objective

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_the_split_loses_no_sample_and_leaves_the_test_set_alone():
    whole = data.load("mnist1d", train_size=100)
    rest, x, y = overfitting.split(whole, 30)
    assert torch.equal(torch.cat([rest.x_train, x]), whole.x_train) and torch.equal(
        torch.cat([rest.y_train, y]), whole.y_train
    )
    assert torch.equal(rest.x_test, whole.x_test) and torch.equal(rest.y_test, whole.y_test)
    noisy, _, _ = overfitting.split(whole, 30, label_noise=0.5)
    assert torch.equal(noisy.y_test, whole.y_test) and not torch.equal(noisy.y_train, rest.y_train)


@pytest.mark.parametrize("held_out", [0, 100, -1])
def test_a_split_that_empties_one_side_is_refused(held_out):
    with pytest.raises(ValueError, match="held_out is .*; a whole number from 1 to"):
        overfitting.split(data.load("mnist1d", train_size=100), held_out)


def test_tempering_divides_the_logits_and_keeps_every_answer():
    samples = data.load("mnist1d", train_size=200)
    f = Objective("F0", samples.x_train, samples.y_train)
    x = torch.stack(
        [
            torch.cat([p.flatten() for p in networks.build("F0").parameters()]).detach()
            for _ in range(2)
        ]
    )
    network = networks.build("F0").to(samples.device)
    torch.nn.utils.vector_to_parameters(x[1].to(samples.device), network.parameters())
    with torch.no_grad():
        by_hand = torch.nn.functional.cross_entropy(network(samples.x_train) / 4, samples.y_train)
    cooled = overfitting.tempered(x, "F0", torch.tensor([2.0, 4.0]))
    assert float(f(cooled)[1]) == pytest.approx(float(by_hand), rel=1e-5)
    assert torch.equal(f.accuracy(cooled), f.accuracy(x))


def test_the_best_temperature_is_the_best_of_those_tried():
    samples = data.load("mnist1d", train_size=200)
    f = Objective("F0", samples.x_train, samples.y_train)
    x = 3 * torch.cat([p.flatten() for p in networks.build("F0").parameters()]).detach()[None]
    best = overfitting.best_temperature(f, x, "F0")
    losses = {t: float(f(overfitting.tempered(x, "F0", t))) for t in overfitting.TEMPERATURES}
    assert float(best) == pytest.approx(min(losses, key=losses.get))


def test_early_stopping_looks_from_the_start_to_the_last_step_of_each_seed():
    table = experiments.early_stopping(s)
    assert table.groupby("batch").epoch.max().to_dict() == {"SB": s.SB.epochs, "LB": s.LB.epochs}
    assert (table.groupby(["batch", "seed"]).epoch.min() == 0).all()
    assert not table.duplicated(["batch", "seed", "epoch"]).any()
    assert (table.tempered_test_loss > 0).all() and table.held_out_accuracy.between(0, 100).all()
    hindsight = experiments.chosen(table, "test_accuracy").test_accuracy
    properly = experiments.chosen(table, "held_out_accuracy").test_accuracy
    assert (hindsight >= properly).all()


def test_the_last_point_of_a_seed_that_stops_between_two_looks_is_there(monkeypatch):
    found = overfitting._watched.fresh(
        Problem("F0", "mnist1d", 300),
        100,
        s.LB.but(batch_size=50, epochs=40, stop_loss=0.5),
        (0, 1),
        0.0,
    )
    ends = found.groupby("seed").tail(1)
    assert (ends.train_loss <= 0.5).all() and (ends.epoch < 40).all()


def test_wrong_names_and_fractions_are_refused():
    with pytest.raises(UnknownName, match="SB"):
        experiments.early_stopping(s, batches=("sb",))
    with pytest.raises(ValueError, match="fraction"):
        experiments.early_stopping(s, label_noise=1.0)


def test_chosen_takes_the_first_of_equals():
    table = pd.DataFrame(
        {"batch": "LB", "seed": 0, "epoch": [4, 2, 0], "test_loss": [1.0, 0.5, 0.5]},
        index=[7, 8, 9],
    )
    assert experiments.chosen(table, "test_loss", least=True).epoch.tolist() == [0]
    assert np.isfinite(experiments.chosen(table, "test_loss").test_loss).all()
