"""Chapter 6: large batches that start where small ones have been (Figure 5), and what may stand behind it."""

from __future__ import annotations

import pandas as pd
import torch

from labsupport import sweep
from labsupport.experiments.minima import iterates, minima
from labsupport.experiments.tables import sharpness_of
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs


def warm_runs(s: Settings) -> dict[int, Runs]:
    """{k: LB trained from the SB iterates of epoch k to the large batch's stopping loss}; k = 0 is LB as in `minima`."""
    starts = iterates(s)
    later = {k: x for k, x in starts.items() if k}
    runs = sweep.run(s.main, {k: s.LB for k in later}, s.seeds, x0=later)
    return {0: minima(s)["LB"]} | runs


def warm_start(s: Settings) -> pd.DataFrame:
    """Figure 5: SB for k epochs, then LB to one loss.

    Returns
    -------
    DataFrame
        seed; k (SB epochs); run: ``SB`` for the iterate itself, ``LB`` for where LB ended from it; epochs and updates of
        both together; train_loss (nats); test_accuracy, sharpness_1e-3 and, for LB only, sharpness_5e-4 (percent, Metric 2.1).
    """
    on_test, per_epoch = s.main.objective("test"), -(-len(s.main.objective().labels) // s.SB.batch_size)
    tables = []
    for k, x in iterates(s).items():
        tables.append(_row(s, x, (1e-3,), k=k, run="SB", epochs=k, updates=k * per_epoch,
                           test_accuracy=on_test.accuracy(x).tolist()))
        runs = warm_runs(s)[k]
        last = runs.final
        tables.append(_row(s, runs.x, k=k, run="LB", epochs=k + last.epoch.to_numpy(), updates=k * per_epoch + last.steps.to_numpy(),
                           test_accuracy=last.test_accuracy.to_numpy()))
    return pd.concat(tables, ignore_index=True)


def _row(s: Settings, x: torch.Tensor, epsilons: tuple[float, ...] = (1e-3, 5e-4), **columns) -> pd.DataFrame:
    """What `warm_start` and `remedies` say of points x (S, n)."""
    found = sharpness_of(s.main, x, starts=1, epsilons=epsilons)
    names = {1e-3: "sharpness_1e-3", 5e-4: "sharpness_5e-4"}
    wide = {names[epsilon]: part.sharpness.to_numpy() for epsilon, part in found.groupby("epsilon")}
    return pd.DataFrame({"seed": range(len(x)), **columns, "train_loss": found.loss.iloc[:len(x)].to_numpy(), **wide})


def paths(s: Settings) -> pd.DataFrame:
    """Test accuracy and training loss by the epoch, along SB and along LB from each iterate.

    Columns: seed; k, NaN for SB itself; epoch, SB's and LB's together; train_loss (nats); test_accuracy (percent).
    """
    keep = ["seed", "k", "epoch", "train_loss", "test_accuracy"]
    tables = [minima(s)["SB"].history.assign(k=float("nan"))[keep]]
    for k, runs in warm_runs(s).items():
        tables.append(runs.history.assign(k=k, epoch=runs.history.epoch + k)[keep])
    return pd.concat(tables, ignore_index=True)


def annealed(s: Settings, k: int) -> Runs:
    """SB from its own iterate of epoch k to SB's last epoch, with the learning rate divided by the ratio of the two batch
    sizes: as little noise as LB from there, with small batches."""
    recipe = s.SB.but(epochs=max(1, s.SB.epochs - k), learning_rate=s.SB.learning_rate * s.SB.batch_size / s.LB.batch_size)
    return sweep.run(s.main, {k: recipe}, s.seeds, x0={k: iterates(s)[k]}, records=1)[k]


def growing(s: Settings) -> Recipe:
    """SB whose batch grows to LB's in four stages, at the epochs of `settings.Settings.growth`; stops at LB's loss."""
    return s.SB.but(epochs=s.LB.epochs, growth=s.growth, stop_loss=s.LB.stop_loss)


def remedies(s: Settings) -> pd.DataFrame:
    """Ways to end with large batches and still test well, beside SB and LB; one row a seed and method.

    Columns: method, seed, updates, train_loss (nats), test_accuracy, sharpness_1e-3 and sharpness_5e-4 (percent).
    """
    k = max(s.warm_epochs)
    grown = sweep.run(s.main, {"grown": growing(s)}, s.seeds, records=8)["grown"]
    per_epoch = -(-len(s.main.objective().labels) // s.SB.batch_size)
    found = {"SB": (minima(s)["SB"], 0), "LB": (minima(s)["LB"], 0), f"SB {k} epochs, then LB": (warm_runs(s)[k], k * per_epoch),
             f"SB {k} epochs, then lower rate": (annealed(s, k), k * per_epoch), "growing batch": (grown, 0)}
    return pd.concat([_row(s, runs.x, method=method, updates=before + runs.final.steps.to_numpy(),
                           test_accuracy=runs.final.test_accuracy.to_numpy()) for method, (runs, before) in found.items()],
                     ignore_index=True)


def reverse(s: Settings) -> Runs:
    """The other way round, which the paper did not do: SB from where LB ended, for the epochs of `settings.Settings.reverse_epochs`."""
    return sweep.run(s.main, {"reverse": s.SB.but(epochs=s.reverse_epochs)}, s.seeds,
                     x0={"reverse": minima(s)["LB"].x})["reverse"]
