"""Small and large batches under several arms: two optimizers, a shared or a tuned rate, and several ways to end.

One recipe says little about batch sizes in general: a rate that suits SB need not suit LB. Here each batch size gets
the rate that is best for it, found on samples held out of the training set, and the test set is looked at once, after
the choice. Measured once and committed: for large batches at their own stop and after as many epochs (twenty minutes
of an idle core), and, as chapter 8 shows, after as many updates. Two claims on SGD with momentum were fixed before
it was measured, both for LB at its own stop and each batch at its own rate: LB tests better (8.23), and LB ends in the
sharper minimizers (8.24). Neither held.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from torch import Tensor, stack

from labsupport import provenance, sweep
from labsupport.experiments.rates import (
    EPOCHS,
    OPTIMIZERS,
    OWN,
    UPDATES,
    arm,
    chosen_rates,
    swept,
)
from labsupport.experiments.tables import EPSILONS, batch_of, sharpness_of
from labsupport.intervals import interval
from labsupport.settings import Settings
from labsupport.training import Runs

#: Where SB and LB have the same training loss, on their way to their own stops.
EQUAL = "equal loss"


# -- the committed result --------------------------------------------------------------------------------------------


def tuned() -> pd.DataFrame:
    """Where every arm ends, tested once: the committed result of `record_tuned`.

    Returns
    -------
    DataFrame
        optimizer (adam, sgd), protocol ("shared rate", "tuned"), batch (SB, LB), ends ("own stop", "as many epochs",
        "as many updates", "equal loss"), recipe (these four in words), learning_rate, seed; epoch, updates;
        train_loss, test_loss (nats); train_accuracy, test_accuracy (percent); sharpness at epsilon 1e-3 and
        sharpness_5e-4 (percent, Metric 2.1 of Keskar et al. 2017, full space, ``strong``, one start).
        One row an arm and seed.

    Raises
    ------
    UnknownName
        As long as no result is committed.
    """
    return provenance.read("tuned")[0]


def tuned_rates() -> pd.DataFrame:
    """What the held-out samples said of each rate: the committed sweep of `record_tuned`.

    Returns
    -------
    DataFrame
        optimizer, batch, ends, learning_rate, seed; validation_accuracy (percent; missing where the training
        diverged), train_loss (nats), updates. One row a rate, an end and a seed.
    """
    return provenance.read("tuned-rates")[0]


def tuned_provenance() -> dict:
    """Where the rows of `tuned` come from: date, commit, machine, versions, the chosen rates and the recipes."""
    return provenance.read("tuned")[1]


def tuned_gaps(table: pd.DataFrame | None = None) -> pd.DataFrame:
    """SB beside LB under each arm, paired by seed; by default of the committed `tuned`.

    LB at "equal loss" is set against SB at equal loss, all others against SB at its own stop.

    Returns
    -------
    DataFrame
        optimizer, protocol, ends; gap (points of test accuracy, SB minus LB) with the ends gap_low and gap_high of its
        95 % t-interval over seeds; ratio (LB / SB of the sharpness at 1e-3) with ratio_low and ratio_high, mean and
        interval of its logarithm over seeds, and likewise ratio_5e-4; SB_loss, LB_loss (nats, training, mean);
        SB_updates, LB_updates (mean). A ratio is missing where a sharpness is zero.
    """
    found = (tuned() if table is None else table).set_index("seed")
    rows = []
    for (optimizer, protocol), arms in found.groupby(["optimizer", "protocol"], sort=False):
        small, large = (arms[arms.batch == batch] for batch in ("SB", "LB"))
        for ends, LB in large.groupby("ends", sort=False):
            SB = small[small.ends == (EQUAL if ends == EQUAL else OWN)].loc[LB.index]
            gap = interval(SB.test_accuracy - LB.test_accuracy)
            row = {"optimizer": optimizer, "protocol": protocol, "ends": ends}
            row |= {"gap": gap.mean, "gap_low": gap.low, "gap_high": gap.high}
            for end in ("", "_5e-4"):
                row |= _ratio(LB[f"sharpness{end}"], SB[f"sharpness{end}"], f"ratio{end}")
            for column, said in (("train_loss", "loss"), ("updates", "updates")):
                row |= {f"SB_{said}": SB[column].mean(), f"LB_{said}": LB[column].mean()}
            rows.append(row)
    return pd.DataFrame(rows)


def _ratio(large: pd.Series, small: pd.Series, name: str) -> dict[str, float]:
    names = (name, f"{name}_low", f"{name}_high")
    if not ((large > 0) & (small > 0)).all():
        return dict.fromkeys(names, math.nan)
    return dict(zip(names, np.exp(interval(np.log(large / small)))))


def at_as_many_updates(s: Settings, optimizer: str) -> pd.DataFrame:
    """Large batches after as many updates as small ones, at the rate that is best there; takes half an hour.

    Returns
    -------
    DataFrame
        kind: "sweep", with the columns of `tuned_rates`, or "end", with those of `tuned`.
    """
    rates = pd.concat(swept(s, optimizer, (UPDATES,)), ignore_index=True)
    ((rate, _),) = chosen_rates(rates).values()
    recipe = arm(s, optimizer, "LB", UPDATES, rate)
    run = sweep.run(s.main, {"run": recipe}, s.seeds, records=8)["run"]
    about = {"optimizer": optimizer, "protocol": "tuned", "ends": UPDATES}
    found = {"sweep": rates, "end": _rows(s, run, run.final.reset_index(), run.x, about)}
    return pd.concat(found, names=["kind"]).reset_index("kind").reset_index(drop=True)


# -- the ends --------------------------------------------------------------------------------------------------------


def _ended(
    s: Settings, optimizer: str, rates: dict, wanted: tuple[str, ...]
) -> Iterator[tuple[pd.DataFrame, Runs]]:
    """The rows of `tuned` for one optimizer, and the run that each table comes from."""
    for protocol in ("shared rate", "tuned"):
        on_the_way = {}
        for batch, ends in (("SB", OWN), *(("LB", ends) for ends in wanted)):
            rate = rates[optimizer, batch, ends][0] if protocol == "tuned" else None
            recipe = arm(s, optimizer, batch, ends, rate)
            # all epochs are kept where a point on the way may be asked for
            checkpoints = range((recipe.epochs or 0) + 1) if ends == OWN else ()
            run = sweep.run(
                s.main, {"run": recipe}, s.seeds, checkpoints=tuple(checkpoints), records=8
            )["run"]
            about = {"optimizer": optimizer, "protocol": protocol}
            yield _rows(s, run, run.final.reset_index(), run.x, about | {"ends": ends}), run
            if ends == OWN:
                on_the_way[batch] = run
            if batch == "LB" and ends == OWN:
                level = np.maximum(*(one.final.train_loss for one in on_the_way.values()))
                for one in on_the_way.values():
                    at, x = _first_at(one, level)
                    yield _rows(s, one, at, x, about | {"ends": EQUAL}), one


def _first_at(run: Runs, level: pd.Series) -> tuple[pd.DataFrame, Tensor]:
    """Where each seed's training loss first is at ``level`` (by seed) or below: rows of the history, and points."""
    rows = [
        part[part.train_loss <= level[seed]].head(1)
        for seed, part in run.history.groupby("seed", sort=False)
    ]
    found = pd.concat(rows, ignore_index=True)
    points = [run.checkpoints[epoch][row] for row, epoch in enumerate(found.epoch)]
    return found, stack(points)


def _rows(
    s: Settings, run: Runs, at: pd.DataFrame, x: Tensor, about: dict[str, str]
) -> pd.DataFrame:
    """Rows of `tuned`: a run at rows ``at`` of its history, one a seed, whose points are x (S, n)."""
    phi = sharpness_of(s.main, x, starts=1)
    phi_1e3, phi_5e4 = (phi.loc[phi.epsilon == e, "sharpness"].to_numpy() for e in EPSILONS)
    batch = batch_of(s.main, run.recipe.batch_size)
    return pd.DataFrame(
        {
            **about,
            "batch": batch,
            "recipe": ", ".join((batch, *about.values())),
            "learning_rate": run.recipe.learning_rate,
            "seed": at.seed,
            "epoch": at.epoch,
            "updates": at.steps,
            **{name: at[name] for name in ("train_loss", "test_loss")},
            **{name: at[name] for name in ("train_accuracy", "test_accuracy")},
            "sharpness": phi_1e3,
            "sharpness_5e-4": phi_5e4,
        }
    )


def record_tuned(
    s: Settings,
    optimizers: tuple[str, ...] = tuple(OPTIMIZERS),
    ends: tuple[str, ...] = (OWN, EPOCHS, UPDATES),
    **where,
) -> tuple[str, str]:
    """Sweep the rates, train each arm anew on all training data, and write both tables for the commit; for maintainers.

        python -c "from labsupport import experiments, settings; experiments.record_tuned(settings.current())"

    ``optimizers`` and ``ends`` of LB (the first two always) may be fewer: "as many updates" takes most of the time.
    ``where`` may name another ``folder``. Returns the paths of "tuned" and "tuned-rates".
    """
    rates = pd.concat(
        [table for one in optimizers for table in swept(s, one, ends)], ignore_index=True
    )
    chosen = chosen_rates(rates)
    ended = [pair for one in optimizers for pair in _ended(s, one, chosen, ends)]
    rows = pd.concat([table for table, _ in ended], ignore_index=True)
    about = provenance.here(
        network=s.main.network,
        data=s.main.dataset,
        seeds=s.seeds,
        held_out=s.held_out,
        optimizers=optimizers,
        ends=ends,
        chosen_on=f"the last {s.held_out} training samples; then trained anew on all of them",
        rates={
            ", ".join(key): {"learning_rate": rate, "inside": inside}
            for key, (rate, inside) in chosen.items()
        },
        recipes={table.recipe.iloc[0]: repr(run.recipe) for table, run in ended},
        training_seconds=round(sum({id(run): run.seconds for _, run in ended}.values())),
    )
    paths = [
        provenance.write(name, table, about, **where)
        for name, table in (("tuned", rows), ("tuned-rates", rates))
    ]
    return str(paths[0]), str(paths[1])
