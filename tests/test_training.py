"""`train` against the loop a reader would write, one seed and one module at a time; stopping, keeping, bad input."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import twins
from torch import nn

from labsupport import data, objective, training
from labsupport.data import Dataset
from labsupport.errors import TrainingDiverged, UnknownName
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.symmetry import ahead_of_norm
from labsupport.training import step, train


@pytest.fixture(scope="module")
def signals():
    whole = data.load("mnist1d", device="cpu", train_size=200)
    return replace(whole, x_test=whole.x_test[:300], y_test=whole.y_test[:300])


def quick(network, dataset, recipe, seeds=1, **rest):
    return train(Problem(network, dataset), recipe, seeds, progress=False, **rest)


def moved_by_noise(network):
    """Biases ahead of a batch norm: their gradient is rounding alone, which Adam turns into steps."""
    module = objective.networks.build(network)
    free = {f"{name}.bias" for name in ahead_of_norm(module)}
    return torch.cat([torch.full((p.numel(),), name in free) for name, p in module.named_parameters()])


def assert_same(network, found, slow, atol=2e-5):
    fixed = ~moved_by_noise(network)
    assert torch.allclose(found[fixed], slow[fixed], rtol=0, atol=atol), float((found - slow)[fixed].abs().max())


# 200 samples in batches of 64: the fourth batch of an epoch has 8
SAME = {
    "adam": Recipe(64, steps=10),
    "adam, weight decay": Recipe(64, steps=6, weight_decay=0.01),
    "sgd": Recipe(64, epochs=3, optimizer="sgd", learning_rate=0.05),
    "sgd, momentum": Recipe(64, steps=9, optimizer="sgd", learning_rate=0.05, momentum=0.9, weight_decay=1e-3),
    "warm-up": Recipe(64, steps=10, optimizer="sgd", learning_rate=0.1, warmup_steps=6),
    "ghost batches": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, ghost_batch=24),
    "ghost batches of the batch's size": Recipe(64, steps=5, optimizer="sgd", learning_rate=0.05, ghost_batch=64),
    "proximal": Recipe(64, steps=6, optimizer="sgd", learning_rate=0.05, proximal=2.0, inner_steps=3),
    "proximal, adam": Recipe(64, steps=4, proximal=1e-3, inner_steps=3),
    "SAM": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, sam_rho=0.1),
    "ASAM": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, sam_rho=0.5, sam_adaptive=True),
    "growth": Recipe(32, epochs=4, optimizer="sgd", learning_rate=0.05, growth=((1, 64), (3, 200))),
    "augmentation": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, augment="signals"),
    "all at once": Recipe(
        64,
        steps=6,
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.5,
        warmup_steps=3,
        ghost_batch=20,
        sam_rho=0.05,
        proximal=0.1,
        inner_steps=2,
        augment="signals",
    ),
}


@pytest.mark.parametrize("network", ["F0", "F0-plain"])
@pytest.mark.parametrize("name", list(SAME))
def test_same_trajectory_as_an_ordinary_loop(signals, network, name):
    recipe = SAME[name]
    runs = quick(network, signals, recipe, [3])
    slow = twins.train(Problem(network, signals), recipe, 3, runs.x0[0])
    assert (runs.x - runs.x0).norm() > 0.01
    assert_same(network, runs.x[0], slow)
    f = Objective(network, signals.x_train, signals.y_train)
    assert float(f(runs.x[0])) == pytest.approx(float(f(slow)), rel=2e-4)


def test_convolutions_follow_an_ordinary_loop_too(signals):
    recipe = Recipe(64, steps=5, optimizer="sgd", learning_rate=0.05, momentum=0.9)
    runs = quick("C0", signals, recipe, [1])
    assert_same("C0", runs.x[0], twins.train(Problem("C0", signals), recipe, 1, runs.x0[0]))


def test_a_last_batch_of_one_joins_the_one_before(signals):
    """65 samples in batches of 64: batch norm is undefined on the single one left over."""
    few = Dataset(signals.x_train[:65], signals.y_train[:65], signals.x_test, signals.y_test, 10, "mnist1d", "MNIST-1D")
    runs = quick("F0", few, Recipe(64, epochs=2))
    assert runs.final.steps.tolist() == [2]


# -- nothing depends on the seeds beside it ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd, momentum", "augmentation", "all at once"])
@pytest.mark.parametrize("rows", [0, 10_000])
def test_a_seed_does_not_depend_on_the_seeds_beside_it(signals, monkeypatch, name, rows):
    monkeypatch.setattr(objective, "STACK_ROWS", rows)  # looped, then stacked
    together = quick("F0", signals, SAME[name], [7, 2, 5])
    alone = quick("F0", signals, SAME[name], [2])
    assert_same("F0", together.x[1], alone.x[0], atol=1e-5)
    assert torch.equal(together.x0[1], alone.x0[0])


def test_stacked_equals_looped(signals, monkeypatch):
    found = []
    for rows in (0, 10_000):
        monkeypatch.setattr(objective, "STACK_ROWS", rows)
        found.append(quick("F0", signals, Recipe(64, steps=10), 3).x)
    for s in range(3):
        assert_same("F0", found[0][s], found[1][s], atol=1e-4)


def test_the_same_seed_gives_the_same_run_to_the_bit(signals):
    runs = [quick("F0", signals, Recipe(64, epochs=2), 2) for _ in range(2)]
    assert torch.equal(runs[0].x, runs[1].x)
    pd.testing.assert_frame_equal(runs[0].history, runs[1].history)


def test_small_and_large_batches_share_their_start(signals):
    assert torch.equal(
        quick("F0", signals, Recipe(20, steps=1), 2).x0, quick("F0", signals, Recipe(200, steps=1), 2).x0
    )


def test_starts_are_pytorchs_uniform_defaults():
    x = training.start("F0", [0, 1])
    torch.manual_seed(1)
    assert torch.equal(x[1], twins.vector_of(objective.networks.build("F0")))
    first = x[0][: 40 * 128]
    assert first.abs().max() <= 1 / math.sqrt(40) and first.std() == pytest.approx(1 / math.sqrt(120), rel=0.03)


def test_a_module_of_ones_own_starts_afresh_for_each_seed(signals):
    small = nn.Sequential(nn.Linear(40, 8), nn.ReLU(), nn.Linear(8, 10))
    kept = twins.vector_of(small)
    runs = quick(small, signals, Recipe(50, epochs=2), 2)
    assert not torch.equal(runs.x0[0], runs.x0[1]) and torch.equal(twins.vector_of(small), kept)


@pytest.mark.parametrize("network", ["F0", "C1"])
def test_torchs_own_generator_is_left_alone(signals, network):
    dataset = signals
    if network == "C1":  # dropout draws from it while it trains
        pictures = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        dataset = Dataset(pictures, torch.arange(8), pictures, torch.arange(8), 10, "cifar10", "noise")
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = quick(network, dataset, Recipe(4, steps=1)).x
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(12)
    assert torch.equal(quick(network, dataset, Recipe(4, steps=1)).x, first)


def test_the_data_and_the_start_are_left_as_they_were(signals):
    x0 = training.start("F0", [0])
    kept, rows = x0.clone(), signals.x_train.clone()
    quick("F0", signals, SAME["all at once"], x0=x0)
    assert torch.equal(x0, kept) and torch.equal(signals.x_train, rows)


# -- history, checkpoints, stopping --------------------------------------------------------------------------------


def test_history_is_measured_with_f(signals):
    runs = quick("F0", signals, Recipe(64, epochs=3), 2, checkpoints=[0, 1, 2, 3])
    assert list(runs.history) == [
        "seed",
        "epoch",
        "steps",
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
    ]
    assert runs.history.epoch.tolist() == [0, 1, 2, 3] * 2 and runs.history.steps.tolist() == [0, 4, 8, 12] * 2
    on_train = Objective("F0", signals.x_train, signals.y_train)
    on_test = Objective("F0", signals.x_test, signals.y_test)
    for epoch in range(4):
        rows = runs.history[runs.history.epoch == epoch]
        assert np.allclose(rows.train_loss, on_train(runs.checkpoints[epoch]), rtol=1e-5)
        assert np.allclose(rows.test_accuracy, on_test.accuracy(runs.checkpoints[epoch]), atol=0.02)
    assert torch.equal(runs.checkpoints[0], runs.x0) and torch.equal(runs.checkpoints[3], runs.x)
    assert runs.final.index.tolist() == [0, 1] and (runs.final.epoch == 3).all() and runs.seconds > 0


def test_a_checkpoint_is_a_shorter_training(signals):
    long = quick("F0", signals, Recipe(64, epochs=4), checkpoints=[2])
    short = quick("F0", signals, Recipe(64, epochs=2))
    assert torch.equal(long.checkpoints[2], short.x)


def test_long_histories_are_thinned_but_keep_both_ends(signals):
    runs = quick("F0", signals, Recipe(200, epochs=90), checkpoints=[7])
    epochs = runs.history.epoch.tolist()
    assert len(epochs) <= 43 and {0, 7, 90} <= set(epochs)


@pytest.mark.parametrize("count", [1, 4, 5, 9])
def test_so_many_steps_and_no_more(signals, count):
    assert quick("F0", signals, Recipe(64, steps=count)).final.steps.tolist() == [count]


def test_steps_with_a_growing_batch(signals):
    recipe = Recipe(20, steps=15, growth=((1, 100),))  # 10 steps in the first epoch, then 2 an epoch
    runs = quick("F0", signals, recipe)
    assert runs.final.steps.tolist() == [15] and runs.final.epoch.tolist() == [4]


def test_a_stopped_seed_keeps_its_point_and_the_others_go_on_as_if_alone(signals):
    recipe = Recipe(64, epochs=60, optimizer="sgd", learning_rate=0.05, momentum=0.8, stop_loss=0.4)
    runs = quick("F0", signals, recipe, 3, checkpoints=[60])
    ends = runs.final.epoch
    assert ends.nunique() > 1 and (runs.final.train_loss <= 0.4).all()  # not all at once, or the test says nothing
    f = Objective("F0", signals.x_train, signals.y_train)
    assert np.allclose(f(runs.x), runs.final.train_loss, rtol=1e-5)
    last = int(ends.argmax())
    assert_same("F0", runs.x[last], quick("F0", signals, recipe, [last]).x[0], atol=1e-3)
    assert torch.equal(runs.checkpoints[60], runs.x)


def test_adams_state_goes_on_with_its_seed(signals):
    recipe = Recipe(64, epochs=40, stop_loss=0.3)
    runs = quick("F0", signals, recipe, 3)
    last = int(runs.final.epoch.argmax())
    alone = quick("F0", signals, recipe, [last])
    assert runs.final.epoch.nunique() > 1
    assert runs.final.epoch[last] == alone.final.epoch[last]
    assert runs.final.train_loss[last] == pytest.approx(alone.final.train_loss[last], rel=0.02)


STOPS = [{}, {"ghost_batch": 8}, {"augment": "signals", "stop_loss": 0.8}, {"batch_size": 8, "epochs": 30}]


@pytest.mark.parametrize("changes", STOPS, ids=str)
def test_the_stop_is_found_at_the_first_epoch_that_earns_it(signals, changes):
    """Also where the loss of the batches, small, ghost or augmented, is far above the training set's."""
    recipe = Recipe(64, epochs=60, stop_loss=0.2).but(**changes)
    runs = quick("F0", signals, recipe, 2, records=4)
    whole = quick("F0", signals, recipe.but(stop_loss=None), 2, checkpoints=range(recipe.epochs + 1))
    f = Objective("F0", signals.x_train, signals.y_train)
    for s, end in enumerate(runs.final.epoch):
        below = [epoch for epoch, x in sorted(whole.checkpoints.items()) if float(f(x[s])) <= recipe.stop_loss]
        assert end == below[0] < recipe.epochs


@pytest.mark.parametrize("records, epochs", [(0, []), (3, [0, 3, 6, 7]), (40, [*range(8)]), ((2, 5, 99), [0, 2, 5, 7])])
def test_so_many_records_and_no_other_training(signals, records, epochs):
    recipe = Recipe(64, epochs=7)
    runs = quick("F0", signals, recipe, 2, records=records)
    assert runs.history[runs.history.seed == 1].epoch.tolist() == epochs
    assert torch.equal(runs.x, quick("F0", signals, recipe, 2).x)


def test_a_seed_stops_at_the_same_epoch_without_records(signals):
    recipe = Recipe(64, epochs=60, stop_loss=0.5)
    assert torch.equal(*(quick("F0", signals, recipe, 2, records=records).x for records in (0, 40)))


def test_records_cannot_be_negative(signals):
    with pytest.raises(ValueError, match="records is -1; 0 or more"):
        quick("F0", signals, Recipe(64, epochs=1), records=-1)


def test_a_loss_that_is_no_number_names_recipe_epoch_and_seed(signals):
    recipe = Recipe(50, epochs=5, optimizer="sgd", learning_rate=1e12)
    with pytest.raises(
        TrainingDiverged,
        match=r"loss of seed 4 is no longer a number in epoch \d of 5, with Recipe\(batch_size=50"
        r".*learning_rate=1000000000000.0.*smaller learning_rate",
    ):
        quick("F0-plain", signals, recipe, [4, 6])


# -- x0 ------------------------------------------------------------------------------------------------------------


def test_a_given_start(signals):
    x0 = training.start("F0", [8, 9])
    runs = quick("F0", signals, Recipe(64, steps=2), 2, x0=x0)
    assert torch.equal(runs.x0, x0)
    one = quick("F0", signals, Recipe(64, steps=2), 2, x0=x0[0])
    assert torch.equal(one.x0, x0[[0, 0]]) and torch.equal(one.x[0], runs.x[0])


@pytest.mark.parametrize(
    "x0, says",
    [
        (torch.zeros(3, 40_330), "x0 has 3 rows and there are 2 seeds"),
        (torch.zeros(2, 5), r"x0 has shape \(2, 5\)"),
        (torch.full((40_330,), torch.nan), "x0 has 40330 entries that are not finite"),
        ([0.0], "x0 is a list"),
    ],
)
def test_a_start_that_does_not_fit(signals, x0, says):
    with pytest.raises((ValueError, TypeError), match=says):
        quick("F0", signals, Recipe(64, steps=1), 2, x0=x0)


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [[], 0, ()])
def test_no_seeds(signals, seeds):
    with pytest.raises(ValueError, match="There are no seeds. Give a number of seeds, such as 5"):
        quick("F0", signals, Recipe(64, steps=1), seeds)


@pytest.mark.parametrize("recipe", [Recipe(201, steps=1), Recipe(10, epochs=2, growth=((1, 500),))])
def test_a_batch_larger_than_the_data(signals, recipe):
    with pytest.raises(
        ValueError, match=r"The batch of (201|500) is larger than the data: mnist1d has 200 training samples"
    ):
        quick("F0", signals, recipe)


def test_an_unknown_network(signals):
    with pytest.raises(UnknownName, match="No network is called 'F9'"):
        quick("F9", signals, Recipe(10, steps=1))


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(optimizer="adm"), "No optimizer is called 'adm'. Did you mean 'adam'"),
        (dict(augment="signal"), "No augmentation is called 'signal'. Did you mean 'signals'"),
        (dict(epochs=3), "Give epochs or steps, one of the two; given: epochs=3, steps=5"),
        (dict(steps=None), "Give epochs or steps"),
        (dict(batch_size=0), "batch_size is 0; a whole number of at least 1"),
        (dict(batch_size=2.5), "batch_size is 2.5"),
        (dict(steps=-1), "steps is -1"),
        (dict(inner_steps=0), "inner_steps is 0"),
        (dict(ghost_batch=1), "ghost_batch is 1; batch norm needs at least 2"),
        (dict(learning_rate=0), "learning_rate is 0; a positive number"),
        (dict(learning_rate=math.nan), "learning_rate is nan"),
        (dict(momentum=-0.1), "momentum is -0.1; it cannot be negative"),
        (dict(warmup_steps=-2), "warmup_steps is -2"),
        (dict(sam_rho=-1), "sam_rho is -1"),
        (dict(proximal=math.nan), "proximal is nan"),
        (dict(stop_loss=math.nan), "stop_loss is nan"),
        (dict(growth=((1, 0),)), "growth"),
        (dict(growth=((3, 64), (1, 128))), "growth"),
    ],
)
def test_bad_recipes(wrong, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**{"batch_size": 10, "steps": 5, **wrong})


def test_augmentation_that_does_not_fit_the_data(signals):
    with pytest.raises(ValueError, match="images"):
        quick("F0", signals, Recipe(10, steps=1, augment="images"))


def test_recipes_are_values():
    assert Recipe(10, steps=5) == Recipe(10, steps=5) and hash(Recipe(10, steps=5)) == hash(Recipe(10, steps=5))
    assert Recipe(10, steps=5).but(batch_size=20).batch_size == 20
    with pytest.raises(AttributeError):
        Recipe(10, steps=5).batch_size = 3


def test_no_progress_bar_where_it_is_switched_off(signals, monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    train(Problem("F0", signals), Recipe(100, epochs=2), 1)
    assert capsys.readouterr().err == ""


def test_a_step_on_a_cpu_is_never_replayed(signals):
    stepper = step.Stepper(
        Objective("F0", signals.x_train, signals.y_train), Recipe(10, steps=1), training.start("F0", [0]), [0]
    )
    assert not stepper._replays(torch.zeros(1, 10, dtype=torch.long))
