"""Chapter 7's own functions: the split keeps its hands off the test set, and hindsight is never worse than
anything else.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import Problem, data, networks, settings, sweep
from labsupport.objective import Objective
from tests import chapters

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


@pytest.fixture(scope="module")
def chapter():
    wanted = ("set_aside", "corrupt", "watch", "chosen", "at_every_look", "fitted", "reliability")
    return chapters.names("07", *wanted, "calibration_error", s=s)


def test_the_split_loses_no_sample_and_leaves_the_test_set_alone(chapter):
    whole = s.main.load()
    problem, held = chapter["set_aside"]()
    rest = problem.load()
    assert torch.equal(torch.cat([rest.x_train, held.inputs]), whole.x_train)
    assert torch.equal(torch.cat([rest.y_train, held.labels]), whole.y_train)
    assert torch.equal(rest.x_test, whole.x_test) and torch.equal(rest.y_test, whole.y_test)
    noisy = chapter["set_aside"](0.5)[0].load()
    assert torch.equal(noisy.y_test, whole.y_test) and not torch.equal(noisy.y_train, rest.y_train)


def test_wrong_labels_are_as_many_as_asked_for_and_all_wrong(chapter):
    y = torch.arange(1000) % 10
    wrong = chapter["corrupt"](y, 0.3, 10)
    assert int((wrong != y).sum()) == 300 and set(wrong.tolist()) == set(range(10))


def test_looks_go_from_the_start_to_the_last_step_of_each_seed(chapter):
    problem, held = chapter["set_aside"]()
    table = chapter["watch"](problem, held, {"SB": s.SB, "LB": s.LB})
    assert table.groupby("batch").epoch.max().to_dict() == {"SB": s.SB.epochs, "LB": s.LB.epochs}
    assert (table.groupby(["batch", "seed"]).epoch.min() == 0).all()
    assert not table.duplicated(["batch", "seed", "epoch"]).any()
    assert table.held_out_accuracy.between(0, 100).all()
    hindsight = chapter["chosen"](table, "test_accuracy").test_accuracy
    properly = chapter["chosen"](table, "held_out_accuracy").test_accuracy
    assert (hindsight >= properly).all()


def test_the_last_point_of_a_seed_that_stops_between_two_looks_is_there(chapter):
    recipe = s.LB.but(batch_size=50, epochs=40, stop_loss=0.5)
    problem = Problem("F0", "mnist1d", 300)
    run = sweep.trained(*sweep.job(problem, recipe, (0, 1), range(0, 41, 4), records=1))
    found = chapter["at_every_look"](run, problem.objective("test"))
    ends = found.groupby("seed").tail(1)
    assert (ends.train_loss <= 0.5).all() and (ends.epoch < 40).all()
    assert np.allclose(found.held_out_loss, found.test_loss)


def test_chosen_takes_the_first_of_equals(chapter):
    table = pd.DataFrame(
        {"batch": "LB", "seed": 0, "epoch": [4, 2, 0], "test_loss": [1.0, 0.5, 0.5]},
        index=[7, 8, 9],
    )
    assert chapter["chosen"](table, "test_loss", least=True).epoch.tolist() == [0]


def test_the_fitted_temperature_is_the_best_of_those_tried(chapter):
    samples = data.load("mnist1d", train_size=200)
    f = Objective("F0", samples.x_train, samples.y_train)
    x = 3 * torch.cat([p.flatten() for p in networks.build("F0").parameters()]).detach()
    logits = f.logits(x)
    losses = {
        T: float(torch.nn.functional.cross_entropy(logits / T, f.labels))
        for T in (0.707, 1, 2, 4, 8, 16)
    }
    best = chapter["fitted"](logits, f.labels)
    assert float(torch.nn.functional.cross_entropy(logits / best, f.labels)) <= min(losses.values())


def test_a_calibrated_forecast_has_no_calibration_error_and_a_sure_one_has_its_errors(chapter):
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(200_000, generator=generator) / 2 + 0.5
    logits = torch.stack([p.log(), (1 - p).log()], -1)
    labels = (torch.rand(200_000, generator=generator) > p).long()
    table = chapter["reliability"](logits, labels)
    assert table.samples.sum() == 200_000 and chapter["calibration_error"](table) < 0.5
    sure = chapter["reliability"](100 * logits, labels)
    wrong = 100 * float((labels == 1).float().mean())
    assert chapter["calibration_error"](sure) == pytest.approx(wrong, abs=0.5)
