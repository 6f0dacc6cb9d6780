"""Chapter 5: sharpness while training goes on (Figure 6), at matched loss, and what Adam's late spikes do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from labsupport import sweep
from labsupport.cache import remember
from labsupport.experiments.minima import iterates, minima
from labsupport.experiments.tables import sharpness_of
from labsupport.problem import Problem
from labsupport.settings import Settings
from labsupport.training import Runs

#: A spike begins where the training loss exceeds its smallest value so far this many times.
SPIKE = 10
#: Epochs before and after the top of a spike at which sharpness is measured, in steps of
#: `settings.Settings.long_every`.
AROUND = (-6, -3, -1, 0, 1, 2, 3, 6, 12)


def long_run(s: Settings) -> Runs:
    """LB trained on beyond its stopping loss, to `settings.Settings.long_epochs`.

    Checkpoints: SB's epochs of `minima.iterates`, for comparison, and every
    `settings.Settings.long_every` epochs from there on.
    """
    keep = (
        *s.warm_epochs,
        *range(max(s.warm_epochs) + s.long_every, s.long_epochs + 1, s.long_every),
    )
    recipe = s.LB.but(epochs=s.long_epochs, stop_loss=None)
    return sweep.run(s.main, {"long": recipe}, s.seeds, checkpoints=keep)["long"]


def points(s: Settings) -> list[tuple[str, str, Tensor, list[int]]]:
    """(batch, stage, points (S, n), epoch of each seed) along both trainings; the stages are epochs, and ``end``."""
    both = minima(s)
    ends = {"SB": both["SB"].x, "LB": both["LB"].x}
    paths = {"SB": iterates(s), "LB": long_run(s).checkpoints}
    found = []
    for batch in ("SB", "LB"):
        found += [(batch, str(k), paths[batch][k], [k] * s.seeds) for k in s.warm_epochs]
        found.append((batch, "end", ends[batch], both[batch].final.epoch.tolist()))
    return found


@remember
def _local(problem: Problem, x: Tensor, x0: Tensor) -> dict:
    f = problem.objective()
    x = x.to(f.device)
    loss, gradient = f.value_and_gradient(x)
    climb = ((x.abs() + 1) * gradient.abs()).double().sum(1)
    accuracy = problem.objective("test").accuracy(x)
    return {
        "slope": (100 * climb / (1 + loss)).tolist(),
        "test_accuracy": accuracy.tolist(),
        "distance": (x - x0.to(f.device)).norm(dim=1).tolist(),
    }


def along_training(s: Settings) -> pd.DataFrame:
    """Figure 6: sharpness against loss while SB and LB train, from the same starts.

    Returns
    -------
    DataFrame
        batch (SB, LB), stage (an epoch, or ``end``), seed, epoch, loss (nats), epsilon, sharpness
        (percent, Metric 2.1, full space); slope, what sharpness would be if f were a plane,
        percent; test_accuracy (percent); distance, ||x - x0||.
    """
    tables = []
    for batch, stage, x, epoch in points(s):
        local = _local(s.main, x, iterates(s)[0])
        for epsilon, found in sharpness_of(s.main, x, starts=1).groupby("epsilon", sort=False):
            tables.append(
                pd.DataFrame(
                    {
                        "batch": batch,
                        "stage": stage,
                        "seed": found.seed.to_numpy(),
                        "epoch": epoch,
                        "loss": found.loss.to_numpy(),
                        "epsilon": epsilon,
                        "sharpness": found.sharpness.to_numpy(),
                        **local,
                        "slope": epsilon * np.array(local["slope"]),
                    }
                )
            )
    return pd.concat(tables, ignore_index=True)


def at_loss(table: pd.DataFrame, losses, column: str = "sharpness") -> pd.DataFrame:
    """``column`` of one batch and epsilon where training passes given losses: seeds in rows, losses in columns.

    Between two stages log ``column`` is a straight line in log loss. Beyond the first and last
    stage the nearest one counts.

    >>> t = pd.DataFrame({"seed": 0, "loss": [1.0, 0.01], "sharpness": [10.0, 1000.0]})
    >>> at_loss(t, [0.1]).round(6).loc[0, 0.1]
    np.float64(100.0)
    """
    rows = {}
    for seed, path in table.sort_values("loss").groupby("seed"):
        rows[seed] = np.exp(np.interp(np.log(losses), np.log(path.loss), np.log(path[column])))
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(losses))


# -- beyond the stop -------------------------------------------------------------------------------------------------


def find_spike(history: pd.DataFrame, stop_loss: float) -> pd.Series:
    """The first spike in one seed's history (epoch, train_loss) after its loss has reached ``stop_loss``.

    Returns
    -------
    Series
        stop, the epoch at which the loss is first there; top, that of the highest loss of the
        spike; after, the first epoch from then on at which the loss is back; the latter two NaN
        where there is no spike, or no end of it.
    """
    path = history.set_index("epoch").train_loss
    down = path.index[path <= stop_loss]
    if not len(down):
        return pd.Series({"stop": np.nan, "top": np.nan, "after": np.nan})
    late = path.loc[down[0] :]
    up = late.index[late > np.maximum(SPIKE * late.cummin(), stop_loss)]
    if not len(up):
        return pd.Series({"stop": down[0], "top": np.nan, "after": np.nan})
    back = late.loc[up[0] :].index[late.loc[up[0] :] <= stop_loss]
    top = late.loc[up[0] : back[0] if len(back) else None].idxmax()
    return pd.Series({"stop": down[0], "top": top, "after": back[0] if len(back) else np.nan})


def spikes(s: Settings) -> pd.DataFrame:
    """Each LB seed's first late spike: seed, stop, top and after (`find_spike`, epochs), and the highest loss."""
    history = long_run(s).history
    found = pd.DataFrame(
        {seed: find_spike(rows, s.LB.stop_loss) for seed, rows in history.groupby("seed")}
    ).T
    highest = {
        seed: rows.train_loss[rows.epoch == found.top[seed]].max()
        for seed, rows in history.groupby("seed")
    }
    return found.assign(highest=pd.Series(highest)).rename_axis("seed").reset_index()


def around_spikes(s: Settings) -> pd.DataFrame:
    """What happens around the spikes: seed, offset (epochs from the top), loss, test_accuracy,
    sharpness (1e-3, percent).

    Empty if no seed spiked.
    """
    run = long_run(s)
    tables = []
    for row in spikes(s).dropna().itertuples():
        epochs = [int(row.top) + k * s.long_every for k in AROUND]
        epochs = [k for k in epochs if k in run.checkpoints]
        x = torch.stack([run.checkpoints[k][int(row.seed)] for k in epochs])
        found = sharpness_of(s.main, x, epsilons=(1e-3,), starts=1)
        local = _local(s.main, x, run.x0[int(row.seed)][None])
        tables.append(
            pd.DataFrame(
                {
                    "seed": int(row.seed),
                    "offset": [k - int(row.top) for k in epochs],
                    "loss": found.loss,
                    "test_accuracy": local["test_accuracy"],
                    "sharpness": found.sharpness,
                }
            )
        )
    columns = ["seed", "offset", "loss", "test_accuracy", "sharpness"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def before_and_after(s: Settings) -> pd.DataFrame:
    """LB at one training loss, twice: where it would have stopped, and once it is back from its spike.

    Returns
    -------
    DataFrame
        seed, when (before, after), epoch, loss (nats), test_accuracy, sharpness (1e-3) and its value at 5e-4 (percent).
        Seeds without a spike are left out.
    """
    run, stop = long_run(s), minima(s)["LB"]
    spiked = spikes(s).dropna()
    tables = []
    for when in ("before", "after"):
        if not len(spiked):
            break
        seeds = spiked.seed.astype(int).tolist()
        if when == "before":
            x, epochs = stop.x[seeds], stop.final.epoch.to_numpy()[seeds]
        else:
            epochs = spiked.after.astype(int).to_numpy()
            x = torch.stack([run.checkpoints[k][seed] for k, seed in zip(epochs, seeds)])
        wide = sharpness_of(s.main, x, starts=1).pivot(
            index="seed", columns="epsilon", values=["sharpness", "loss"]
        )
        local = _local(s.main, x, run.x0[seeds])
        tables.append(
            pd.DataFrame(
                {
                    "seed": seeds,
                    "when": when,
                    "epoch": epochs,
                    "loss": wide["loss", 1e-3].to_numpy(),
                    "test_accuracy": local["test_accuracy"],
                    "sharpness": wide["sharpness", 1e-3].to_numpy(),
                    "sharpness_5e-4": wide["sharpness", 5e-4].to_numpy(),
                }
            )
        )
    columns = ["seed", "when", "epoch", "loss", "test_accuracy", "sharpness", "sharpness_5e-4"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
