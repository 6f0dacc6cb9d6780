"""`train` against the loop a reader would write, one seed and one module at a time; stopping, keeping, bad input."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import twins
from torch import nn

from labsupport import data, objective, sweep, training
from labsupport.cache import keys
from labsupport.data import Dataset
from labsupport.engine import batches
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
    return torch.cat(
        [torch.full((p.numel(),), name in free) for name, p in module.named_parameters()]
    )


def assert_same(network, found, slow, atol=2e-5):
    fixed = ~moved_by_noise(network)
    assert torch.allclose(found[fixed], slow[fixed], rtol=0, atol=atol), float(
        (found - slow)[fixed].abs().max()
    )


# 200 samples in batches of 64: the fourth batch of an epoch has 8
SAME = {
    "adam": Recipe(64, steps=10),
    "adam, weight decay": Recipe(64, steps=6, weight_decay=0.01),
    "sgd": Recipe(64, epochs=3, optimizer="sgd", learning_rate=0.05),
    "sgd, momentum": Recipe(
        64, steps=9, optimizer="sgd", learning_rate=0.05, momentum=0.9, weight_decay=1e-3
    ),
    "warm-up": Recipe(64, steps=10, optimizer="sgd", learning_rate=0.1, warmup_steps=6),
    "ghost batches": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, ghost_batch=24),
    "ghost batches of the batch's size": Recipe(
        64, steps=5, optimizer="sgd", learning_rate=0.05, ghost_batch=64
    ),
    "proximal": Recipe(
        64, steps=6, optimizer="sgd", learning_rate=0.05, proximal=2.0, inner_steps=3
    ),
    "proximal, adam": Recipe(64, steps=4, proximal=1e-3, inner_steps=3),
    "SAM": Recipe(64, steps=8, optimizer="sgd", learning_rate=0.05, sam_rho=0.1),
    "ASAM": Recipe(
        64, steps=8, optimizer="sgd", learning_rate=0.05, sam_rho=0.5, sam_adaptive=True
    ),
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
    slow = twins.train(network, signals, recipe, 3, runs.x0[0])
    assert (runs.x - runs.x0).norm() > 0.01
    assert_same(network, runs.x[0], slow)
    f = Objective(network, signals.x_train, signals.y_train)
    assert float(f(runs.x[0])) == pytest.approx(float(f(slow)), rel=2e-4)


def test_convolutions_follow_an_ordinary_loop_too(signals):
    recipe = Recipe(64, steps=5, optimizer="sgd", learning_rate=0.05, momentum=0.9)
    runs = quick("C0", signals, recipe, [1])
    assert_same("C0", runs.x[0], twins.train("C0", signals, recipe, 1, runs.x0[0]))


def test_a_last_batch_of_one_joins_the_one_before(signals):
    """65 samples in batches of 64: batch norm is undefined on the single one left over."""
    few = Dataset(
        signals.x_train[:65],
        signals.y_train[:65],
        signals.x_test,
        signals.y_test,
        10,
        "mnist1d",
        "MNIST-1D",
    )
    runs = quick("F0", few, Recipe(64, epochs=2))
    assert runs.final.steps.tolist() == [2]


# -- nothing depends on the seeds beside it ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sgd, momentum", "augmentation", "all at once"])
@pytest.mark.parametrize("rows", [0, 10_000])
def test_a_seed_does_not_depend_on_the_seeds_beside_it(signals, monkeypatch, name, rows):
    monkeypatch.setattr(batches, "STACK_ROWS", rows)  # looped, then stacked
    together = quick("F0", signals, SAME[name], [7, 2, 5])
    alone = quick("F0", signals, SAME[name], [2])
    assert_same("F0", together.x[1], alone.x[0], atol=1e-5)
    assert torch.equal(together.x0[1], alone.x0[0])


def test_stacked_equals_looped(signals, monkeypatch):
    found = []
    for rows in (0, 10_000):
        monkeypatch.setattr(batches, "STACK_ROWS", rows)
        found.append(quick("F0", signals, Recipe(64, steps=10), 3).x)
    for s in range(3):
        assert_same("F0", found[0][s], found[1][s], atol=1e-4)


def test_the_same_seed_gives_the_same_run_to_the_bit(signals):
    runs = [quick("F0", signals, Recipe(64, epochs=2), 2) for _ in range(2)]
    assert torch.equal(runs[0].x, runs[1].x)
    pd.testing.assert_frame_equal(runs[0].history, runs[1].history)


def test_small_and_large_batches_share_their_start(signals):
    assert torch.equal(
        quick("F0", signals, Recipe(20, steps=1), 2).x0,
        quick("F0", signals, Recipe(200, steps=1), 2).x0,
    )


def test_starts_are_pytorchs_uniform_defaults():
    x = training.start("F0", [0, 1])
    torch.manual_seed(1)
    assert torch.equal(x[1], twins.vector_of(objective.networks.build("F0")))
    first = x[0][: 40 * 128]
    assert first.abs().max() <= 1 / math.sqrt(40) and first.std() == pytest.approx(
        1 / math.sqrt(120), rel=0.03
    )


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
        dataset = Dataset(
            pictures, torch.arange(8), pictures, torch.arange(8), 10, "cifar10", "noise"
        )
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
    assert (
        runs.history.epoch.tolist() == [0, 1, 2, 3] * 2
        and runs.history.steps.tolist() == [0, 4, 8, 12] * 2
    )
    on_train = Objective("F0", signals.x_train, signals.y_train)
    on_test = Objective("F0", signals.x_test, signals.y_test)
    for epoch in range(4):
        rows = runs.history[runs.history.epoch == epoch]
        assert np.allclose(rows.train_loss, on_train(runs.checkpoints[epoch]), rtol=1e-5)
        assert np.allclose(rows.test_accuracy, on_test.accuracy(runs.checkpoints[epoch]), atol=0.02)
    assert torch.equal(runs.checkpoints[0], runs.x0) and torch.equal(runs.checkpoints[3], runs.x)
    assert (
        runs.final.index.tolist() == [0, 1] and (runs.final.epoch == 3).all() and runs.seconds > 0
    )


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
    # 10 steps in the first epoch, then 2 an epoch
    recipe = Recipe(20, steps=15, growth=((1, 100),))
    runs = quick("F0", signals, recipe)
    assert runs.final.steps.tolist() == [15] and runs.final.epoch.tolist() == [4]


def test_a_stopped_seed_keeps_its_point_and_the_others_go_on_as_if_alone(signals):
    recipe = Recipe(64, epochs=60, optimizer="sgd", learning_rate=0.05, momentum=0.8, stop_loss=0.4)
    runs = quick("F0", signals, recipe, 3, checkpoints=[60])
    ends = runs.final.epoch
    # not all at once, or the test says nothing
    assert ends.nunique() > 1 and (runs.final.train_loss <= 0.4).all()
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


STOPS = [
    {},
    {"ghost_batch": 8},
    {"augment": "signals", "stop_loss": 0.8},
    {"batch_size": 8, "epochs": 30},
]


@pytest.mark.parametrize("changes", STOPS, ids=str)
def test_the_stop_is_found_at_the_first_epoch_that_earns_it(signals, changes):
    """Also where the loss of the batches, small, ghost or augmented, is far above the training set's."""
    recipe = Recipe(64, epochs=60, stop_loss=0.2).but(**changes)
    runs = quick("F0", signals, recipe, 2, records=4)
    whole = quick(
        "F0", signals, recipe.but(stop_loss=None), 2, checkpoints=range(recipe.epochs + 1)
    )
    f = Objective("F0", signals.x_train, signals.y_train)
    for s, end in enumerate(runs.final.epoch):
        below = [
            epoch
            for epoch, x in sorted(whole.checkpoints.items())
            if float(f(x[s])) <= recipe.stop_loss
        ]
        assert end == below[0] < recipe.epochs


@pytest.mark.parametrize(
    "records, epochs", [(0, []), (3, [0, 3, 6, 7]), (40, [*range(8)]), ((2, 5), [0, 2, 5, 7])]
)
def test_so_many_records_and_no_other_training(signals, records, epochs):
    recipe = Recipe(64, epochs=7)
    runs = quick("F0", signals, recipe, 2, records=records)
    assert runs.history[runs.history.seed == 1].epoch.tolist() == epochs
    assert torch.equal(runs.x, quick("F0", signals, recipe, 2).x)


def test_a_seed_stops_at_the_same_epoch_without_records(signals):
    recipe = Recipe(64, epochs=60, stop_loss=0.5)
    assert torch.equal(*(quick("F0", signals, recipe, 2, records=records).x for records in (0, 40)))


def test_records_cannot_be_negative(signals):
    with pytest.raises(
        ValueError,
        match="records is -1; a whole number of at least 0 is needed. 0 keeps no history",
    ):
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
        ValueError,
        match=r"The batch of (201|500) is larger than the data: mnist1d has 200 training samples",
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
        (dict(learning_rate=0), "learning_rate is 0; a finite number above 0"),
        (dict(learning_rate=math.nan), "learning_rate is nan"),
        (dict(momentum=-0.1), "momentum is -0.1; a finite number of at least 0"),
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
    assert Recipe(10, steps=5) == Recipe(10, steps=5) and hash(Recipe(10, steps=5)) == hash(
        Recipe(10, steps=5)
    )
    assert Recipe(10, steps=5).but(batch_size=20).batch_size == 20
    with pytest.raises(AttributeError):
        Recipe(10, steps=5).batch_size = 3


def test_no_progress_bar_where_it_is_switched_off(signals, monkeypatch, capsys):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    train(Problem("F0", signals), Recipe(100, epochs=2), 1)
    assert capsys.readouterr().err == ""


def test_a_step_on_a_cpu_is_never_replayed(signals):
    stepper = step.Stepper(
        Objective("F0", signals.x_train, signals.y_train),
        Recipe(10, steps=1),
        training.start("F0", [0]),
        [0],
    )
    assert not stepper.is_replayed(torch.zeros(1, 10, dtype=torch.long))


# -- going on after a kill -----------------------------------------------------------------------------------------


class Killed(BaseException):
    """As a kill: nothing in the package catches it."""


RESUMED = {
    "adam, and seeds that stop": Recipe(64, epochs=40, stop_loss=0.5),
    "momentum, augmentation, growth": Recipe(
        32,
        epochs=12,
        optimizer="sgd",
        learning_rate=0.05,
        momentum=0.9,
        augment="signals",
        growth=((5, 64),),
    ),
    "steps and a plateau": Recipe(64, steps=80, stop_plateau=(2, 0.01)),
}


@pytest.mark.parametrize("name", list(RESUMED))
@pytest.mark.parametrize("after", [1, 9])
def test_a_killed_training_goes_on_to_the_same_bits(signals, monkeypatch, tmp_path, name, after):
    monkeypatch.setattr(training.loop.resume, "EVERY", 0.0)
    recipe, rest = RESUMED[name], dict(checkpoints=[0, 2, 11], records=6)
    whole = quick("F0", signals, recipe, 3, **rest)
    left, write = [after], training.resume.Saved.write

    def write_and_die(saved, *state):
        write(saved, *state)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    monkeypatch.setattr(training.resume.Saved, "write", write_and_die)
    with pytest.raises(Killed):
        quick("F0", signals, recipe, 3, resume=tmp_path, **rest)
    assert (tmp_path / "training.state").exists()
    runs = quick("F0", signals, recipe, 3, resume=tmp_path, **rest)
    assert torch.equal(runs.x, whole.x) and torch.equal(runs.x0, whole.x0)
    pd.testing.assert_frame_equal(runs.history, whole.history)
    assert all(torch.equal(runs.checkpoints[epoch], x) for epoch, x in whole.checkpoints.items())
    assert list(tmp_path.iterdir()) == []


def test_a_saved_state_of_another_training_is_refused(signals, monkeypatch, tmp_path):
    monkeypatch.setattr(training.loop.resume, "EVERY", 0.0)
    monkeypatch.setattr(training.resume.Saved, "remove", lambda saved: None)
    quick("F0", signals, Recipe(64, epochs=2), 1, resume=tmp_path)
    with pytest.raises(ValueError, match="holds another training: its recipe, seeds, start differ"):
        quick("F0", signals, Recipe(64, epochs=2, learning_rate=0.1), [4], resume=tmp_path)


def test_a_flipped_byte_in_a_saved_state_is_noticed(signals, monkeypatch, tmp_path):
    monkeypatch.setattr(training.loop.resume, "EVERY", 0.0)
    monkeypatch.setattr(training.resume.Saved, "remove", lambda saved: None)
    quick("F0", signals, Recipe(64, epochs=2), 1, resume=tmp_path)
    path = tmp_path / "training.state"
    whole = path.read_bytes()
    for place in (5, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(
            ValueError, match="is damaged, so this training cannot go on from it. Remove it"
        ):
            quick("F0", signals, Recipe(64, epochs=2), 1, resume=tmp_path)


# -- a run is its own ----------------------------------------------------------------------------------------------


def test_a_seeds_stop_depends_neither_on_its_neighbors_nor_on_records(signals):
    recipe = Recipe(64, epochs=60, stop_loss=0.3)
    together = quick("F0", signals, recipe, 4, records=2)
    ends = together.final.epoch.tolist()
    assert len(set(ends)) > 1  # or the test says nothing
    for seed, end in enumerate(ends):
        alone = quick("F0", signals, recipe, [seed], records=[0])
        assert alone.final.epoch.tolist() == [end]
        assert torch.equal(alone.x[0], together.x[seed])


def test_a_seeds_dropout_is_its_own(signals):
    network = nn.Sequential(nn.Linear(40, 30), nn.ReLU(), nn.Dropout(0.5), nn.Linear(30, 10))
    both = quick(network, signals, Recipe(50, epochs=3), [0, 1])
    alone = [quick(network, signals, Recipe(50, epochs=3), [seed]).x[0] for seed in (0, 1)]
    assert torch.equal(both.x, torch.stack(alone))


def test_a_plateau_ends_a_seeds_training(signals):
    recipe = Recipe(64, epochs=300, stop_plateau=(2, 0.15))
    runs = quick("F0", signals, recipe, 3)
    assert (runs.final.epoch < 60).all() and runs.final.epoch.nunique() > 1
    assert [
        int(quick("F0", signals, recipe, [s]).final.epoch.iloc[0]) for s in range(3)
    ] == runs.final.epoch.tolist()


# -- the boundary --------------------------------------------------------------------------------------------------


def test_whole_numbers_of_any_kind_are_accepted(signals):
    wanted = quick("F0", signals, Recipe(20, epochs=1), 2)
    found = quick(
        "F0",
        signals,
        Recipe(len(signals.y_train) / 10, epochs=np.int64(1)),
        np.int64(2),
        records=np.int32(40),
    )
    assert torch.equal(found.x, wanted.x) and found.recipe == wanted.recipe


@pytest.mark.parametrize(
    "seeds, says",
    [
        ([3, 3], "Seed 3 is given twice"),
        (0.5, "seeds is 0.5; a whole number"),
        (-1, "seeds is -1; a whole number"),
        (2**70, "seeds is 1180591620717411303424; a whole number"),
        ([2**70], "A seed is 1180591620717411303424; a whole number from 0"),
        ([-1], "A seed is -1"),
        ("five", "seeds is 'five'; a whole number"),
        ([0.5], "A seed is 0.5"),
    ],
)
def test_bad_seeds(signals, seeds, says):
    with pytest.raises((ValueError, TypeError), match=says):
        quick("F0", signals, Recipe(64, steps=1), seeds)


@pytest.mark.parametrize(
    "given, says",
    [
        (dict(records="all"), "records is 'all'; a whole number of at least 0"),
        (
            dict(records=[0, 9]),
            "An epoch of records is 9; a whole number from 0 to 2 is needed. This recipe has 2 epochs",
        ),
        (dict(checkpoints=[99]), "An epoch of checkpoints is 99; a whole number from 0 to 2"),
        (dict(checkpoints=[-1]), "An epoch of checkpoints is -1; a whole number from 0 to 2"),
        (dict(checkpoints=2), "checkpoints is 2; a list of epochs is needed"),
        (
            dict(x0="network"),
            "x0 is 'network'; a tensor is possible, or 'network' where the problem's network is a module",
        ),
        (dict(resume="/dev/null/here"), "resume is '/dev/null/here', which cannot be a folder"),
    ],
)
def test_what_train_cannot_use(signals, given, says):
    with pytest.raises((ValueError, TypeError), match=says):
        quick("F0", signals, Recipe(64, epochs=2), 1, **given)


def test_what_is_no_problem_or_recipe(signals):
    with pytest.raises(TypeError, match="problem is 'F0'; a Problem is needed, such as Problem"):
        train("F0", Recipe(64, steps=1))
    with pytest.raises(TypeError, match="recipe is 64; a Recipe is needed, such as Recipe"):
        train(Problem("F0", signals), 64)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(momentum=0.9), "momentum is 0.9 and the optimizer is 'adam', which has its own"),
        (dict(stop_plateau=5), r"stop_plateau is 5; a pair \(epochs, share\) is needed"),
        (dict(stop_plateau=(0, 0.1)), "stop_plateau"),
        (dict(precision="half"), "No precision is called 'half'"),
        (dict(growth=7), "growth is 7"),
    ],
)
def test_more_bad_recipes(wrong, says):
    with pytest.raises(ValueError, match=says):
        Recipe(**{"batch_size": 10, "steps": 5, **wrong})


def test_data_in_float64_are_trained_on_in_float32(signals):
    doubled = replace(signals, x_train=signals.x_train.double(), x_test=signals.x_test.double())
    found = quick("F0", doubled, Recipe(64, epochs=2))
    assert found.x.dtype == torch.float32 and torch.equal(
        found.x, quick("F0", signals, Recipe(64, epochs=2)).x
    )


def test_a_module_starts_afresh_or_from_its_weights_as_is_said(signals):
    module = nn.Sequential(nn.Linear(40, 8), nn.ReLU(), nn.Linear(8, 10))
    own = twins.vector_of(module)
    runs = quick(module, signals, Recipe(50, epochs=1), 2, x0="network")
    assert torch.equal(runs.x0, torch.stack([own, own]))
    assert not torch.equal(quick(module, signals, Recipe(50, epochs=1), 2).x0[0], own)


def test_the_call_of_one_version_ago_still_works(signals):
    wanted = quick("F0", signals, Recipe(64, steps=3), 2).x
    with pytest.warns(DeprecationWarning, match="is now train"):
        assert torch.equal(
            train("F0", signals, Recipe(64, steps=3), seeds=2, progress=False).x, wanted
        )


# -- optimizers and precision --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(64, steps=12, weight_decay=0.01),
        Recipe(64, steps=12, optimizer="sgd", momentum=0.9, weight_decay=0.01),
    ],
)
def test_the_formula_does_what_torchs_kernel_does(signals, monkeypatch, recipe):
    name = {"adam": "_fused_adam_", "sgd": "_fused_sgd_"}[recipe.optimizer]
    assert training.optimizers.kernel(name, "cpu") is not None
    by_kernel = quick("F0-plain", signals, recipe)
    monkeypatch.setattr(training.optimizers, "kernel", lambda name, where: None)
    by_formula = quick("F0-plain", signals, recipe)
    assert torch.allclose(by_kernel.x, by_formula.x, atol=2e-5) and not torch.equal(
        by_formula.x, by_formula.x0
    )


def test_a_kernel_that_does_something_else_is_not_used(monkeypatch):
    monkeypatch.setattr(
        torch, "_fused_sgd_", lambda points, *rest, **more: points[0].add_(1), raising=False
    )
    training.optimizers.kernel.cache_clear()
    try:
        assert training.optimizers.kernel("_fused_sgd_", "cpu") is None
        monkeypatch.delattr(torch, "_fused_sgd_")
        training.optimizers.kernel.cache_clear()
        assert training.optimizers.kernel("_fused_sgd_", "cpu") is None
    finally:
        training.optimizers.kernel.cache_clear()


@pytest.mark.parametrize(
    "flags, has",
    [("flags : fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx2", False)],
)
def test_a_processor_that_multiplies_in_bf16_is_known_by_its_flags(tmp_path, flags, has):
    path = tmp_path / f"cpuinfo{flags[:6]}{has}"
    path.write_text(flags)
    assert training.precision.multiplies_in_bf16(str(path)) is has
    assert training.precision.multiplies_in_bf16(str(tmp_path / "missing")) is False


@pytest.mark.parametrize("network, moves", [("C1", True), ("F0", False)])
def test_a_run_and_the_name_of_its_stored_result_say_what_auto_came_to(monkeypatch, network, moves):
    """A processor that multiplies in bf16 must not read what another has trained in float32."""
    shape = (16, 3, 32, 32) if network == "C1" else (16, 40)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    problem = Problem(network, Dataset(x, torch.arange(16) % 10, x, torch.arange(16) % 10, 10))
    names, formats = [], []
    for has in (True, False):
        monkeypatch.setattr(training.precision, "multiplies_in_bf16", lambda has=has: has)
        job = sweep.job(problem, Recipe(8, steps=1), [0], records=0)
        formats.append(job[-1])
        names.append(keys.fingerprint(job))
    assert formats == ["bfloat16" if moves else "float32", "float32"]
    assert (names[0] != names[1]) is moves
    runs = train(problem, Recipe(8, steps=1), 1, records=0, progress=False)
    assert (runs.recipe.precision, runs.precision) == ("auto", "float32")


def test_convolutions_train_in_bf16_where_the_processor_can_and_the_recipe_allows_it(monkeypatch):
    pictures = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    images = Dataset(
        pictures, torch.arange(16) % 10, pictures, torch.arange(16) % 10, 10, "cifar10", "noise"
    )
    found = {}
    for has in (True, False):
        monkeypatch.setattr(training.precision, "multiplies_in_bf16", lambda has=has: has)
        for wish in ("auto", "float32", "bfloat16"):
            found[has, wish] = quick("C1", images, Recipe(8, steps=2, precision=wish))
    used = {key: runs.precision for key, runs in found.items()}
    assert used[True, "auto"] == used[True, "bfloat16"] == used[False, "bfloat16"] == "bfloat16"
    assert used[False, "auto"] == used[True, "float32"] == "float32"
    exact, rounded = found[False, "auto"].x, found[True, "auto"].x
    assert not torch.equal(exact, rounded) and (exact - rounded).norm() < 0.05 * exact.norm()
    assert (
        quick("F0", data.load("mnist1d", train_size=64), Recipe(8, steps=1)).precision == "float32"
    )
