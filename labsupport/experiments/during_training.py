"""Large batches beyond their stop, for chapters 5 and 6: the run, and two longer measurements for the commit.

The first measurement is the run's history up to 10,000 updates. The second changes Adam from the epoch of the stop on,
and looks whether the late spikes of the loss still come.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator

import pandas as pd

from labsupport import provenance, sweep, training
from labsupport.engine import threads
from labsupport.experiments.tables import sharpness_of
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs
from labsupport.training.loop import Loop
from labsupport.training.optimizers import Adam
from labsupport.training.runs import History

#: Epochs between two rows of the committed history, and between two sharpnesses in it.
HISTORY_EVERY, SHARPNESS_EVERY = 5, 100
#: What is changed from SB's last epoch on: {arm: (learning rate times, Adam's constant)}.
CHANGES = {"rate / 10": (0.1, 1e-8), "constant 1e-4": (1.0, 1e-4)}


def long_run(s: Settings) -> Runs:
    """LB trained on beyond its stopping loss, to `settings.Settings.long_epochs`.

    Checkpoints: SB's epochs of `minima.iterates`, for comparison, and every
    `settings.Settings.long_every` epochs from there on.
    """
    keep = (
        *s.warm_epochs,
        *range(max(s.warm_epochs) + s.long_every, s.long_epochs + 1, s.long_every),
    )
    return sweep.run(s.main, {"long": long_recipe(s)}, s.seeds, checkpoints=keep)["long"]


def long_recipe(s: Settings) -> Recipe:
    """LB's recipe without its stop."""
    return s.LB.but(epochs=s.long_epochs, stop_loss=None)


# -- the history up to 10,000 updates: minutes --------------------------------------------------


def record_long_history(s: Settings, **where) -> str:
    """Train LB for as many updates as SB makes, and write its history with its provenance, for the commit.

        python -c "from labsupport import experiments, settings as t; experiments.record_long_history(t.current())"

    ``where`` may name another ``folder``. Returns the path.
    """
    began, samples = time.process_time(), len(s.main.load().y_train)
    epochs = s.SB.epochs * -(-samples // s.SB.batch_size) // -(-samples // s.LB.batch_size)
    looks, keep = (range(0, epochs + 1, every) for every in (HISTORY_EVERY, SHARPNESS_EVERY))
    recipe = s.LB.but(epochs=epochs, stop_loss=None)
    run = training.train(s.main, recipe, s.seeds, checkpoints=keep, records=sorted({*looks, *keep}))
    found = pd.concat(
        [
            sharpness_of(s.main, x, epsilons=(1e-3,), starts=1).assign(epoch=epoch)
            for epoch, x in run.checkpoints.items()
        ]
    )
    rows = run.history.merge(found[["epoch", "seed", "sharpness"]], "left", ["epoch", "seed"])
    rows = rows[["seed", "steps", "train_loss", "test_loss", "test_accuracy", "sharpness"]]
    about = about_run(s, began, recipe=repr(recipe))
    return str(provenance.write("long-history", rows, about, **where))


# -- Adam changed at the stop: minutes ----------------------------------------------------------


def changed_adam() -> pd.DataFrame:
    """The committed result of `record_changed_adam`.

    Returns
    -------
    DataFrame
        arm (`CHANGES`), seed, epoch, train_loss (nats), test_accuracy (percent).
    """
    return provenance.read("changed-adam")[0]


def record_changed_adam(s: Settings, **where) -> str:
    """Measure `change_adam` here and write the result with its provenance, for the commit.

        python -c "from labsupport import experiments, settings as t; experiments.record_changed_adam(t.current())"

    ``where`` may name another ``folder``. Returns the path.
    """
    began = time.process_time()
    rows = change_adam(s)
    about = about_run(s, began, recipe=repr(long_recipe(s)), changed_at=f"epoch {s.SB.epochs}")
    return str(provenance.write("changed-adam", rows, about, **where))


def change_adam(s: Settings, changes: dict[str, tuple[float, float]] = CHANGES) -> pd.DataFrame:
    """LB past its stop, trained on with each of the changes from SB's last epoch on; Adam's memory is kept.

    Returns
    -------
    DataFrame
        arm, seed, epoch, train_loss (nats), test_accuracy (percent).
    """
    looks = range(s.SB.epochs, s.long_epochs + 1, s.long_every)
    tables = [
        loop.history.table().assign(arm=arm)
        for arm, loop in epochs_with(s, changes, looks)
        if loop.epoch == s.long_epochs
    ]
    columns = ["arm", "seed", "epoch", "train_loss", "test_accuracy"]
    return pd.concat(tables, ignore_index=True)[columns]


def epochs_with(
    s: Settings,
    changes: dict[str, tuple[float, float]],
    looks: Iterable[int] = (),
    *,
    recipe: Recipe | None = None,
    at: int | None = None,
) -> Iterator[tuple[str, Loop]]:
    """A training after every epoch: unchanged to epoch ``at`` (its arm is ""), then on from there with each change.

    The recipe, Adam's, is LB's without its stop, and ``at`` SB's last epoch, unless they are given. The history gets
    rows at the epochs ``looks``.
    """
    recipe, f = recipe or long_recipe(s), s.main.objective()
    at = s.SB.epochs if at is None else at
    seeds = training.seed_numbers(s.seeds)
    x0 = training.start(s.main.network, seeds, num_classes=s.main.load().num_classes)
    history = History(f, s.main.objective("test"))
    loop = Loop(history, recipe, seeds, x0.to(f.device), set(), list(looks))
    with threads.threads_for(f.n):
        while loop.epoch < at:
            loop.one_epoch()
            yield "", loop
        tensors, rest = copy.deepcopy(loop.state())
        for arm, (factor, constant) in changes.items():
            loop.recipe = recipe.but(learning_rate=factor * recipe.learning_rate)
            loop.restore(copy.deepcopy(tensors), copy.deepcopy(rest))
            _adam(loop).eps = constant
            while loop.epoch < (recipe.epochs or 0):
                loop.one_epoch()
                yield arm, loop


def _adam(loop: Loop) -> Adam:
    """A training's optimizer, which its recipe says is Adam."""
    assert isinstance(loop.stepper.optimizer, Adam)
    return loop.stepper.optimizer


def about_run(s: Settings, began: float, **more) -> dict:
    """The provenance of a measurement that began at this `time.process_time`, with what ``more`` is to be known."""
    return provenance.here(
        network=s.main.network,
        data=s.main.dataset,
        seeds=s.seeds,
        core_seconds=round(time.process_time() - began),
        **more,
    )
