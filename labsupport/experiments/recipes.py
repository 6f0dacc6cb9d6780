"""Chapter 8, closing the gap: what rescues large batches, what that does to sharpness, and which dial it turns.

Trainings end near the loss at which small-batch training ends, so that sharpness is compared at about equal losses.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from labsupport import provenance, sweep
from labsupport.experiments.minima import minima
from labsupport.experiments.tables import sharpness_of
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs

#: Nats. SB's training loss after its 80 epochs; large batches that are compared with it stop there.
MATCHED_LOSS = 1e-2
WARMUP_STEPS = 50


def ratio(s: Settings) -> float:
    """How many times larger the large batch is: 12.5."""
    return s.LB.batch_size / s.SB.batch_size


def closing_recipes(s: Settings) -> dict[str, Recipe]:
    """The chapter's recipes, by name. Those not called "SB, ..." train in large batches, and stop at MATCHED_LOSS.

    Appendix E of Keskar et al. 2017: "augmented" (and "SB, augmented" beside it), "conservative" (and "three
    steps", the
    same without its penalty). Robust training's modern form: "SAM", "ASAM". Hoffer et al. 2017: "root rate",
    "ghost norm" at
    LB's own rate, and both, "root + ghost". Goyal et al. 2017: "linear rate", and "linear, cold" without its warm-up.
    "growing" starts in small batches. "SB, slow" has SB's rate divided by the ratio of the batch sizes, and twice
    the epochs.
    What is normalized in groups of 32 has SB's number of epochs instead of a stop; it ends near the same loss.
    """
    LB, times = s.LB.but(stop_loss=MATCHED_LOSS), ratio(s)
    rate, grown = LB.learning_rate, max(1, s.SB.epochs // 4)
    root = LB.but(learning_rate=rate * times**0.5, warmup_steps=WARMUP_STEPS)
    linear = LB.but(learning_rate=rate * times, warmup_steps=WARMUP_STEPS)
    middle = middle_batch(s)
    return {
        "SB": s.SB,
        "LB": LB,
        "augmented": LB.but(augment="signals", epochs=max(1, LB.epochs // 2)),
        "SB, augmented": s.SB.but(augment="signals"),
        "conservative": LB.but(proximal=1e-3, inner_steps=3),
        "three steps": LB.but(inner_steps=3),
        "SAM": LB.but(sam_rho=0.05),
        "ASAM": LB.but(sam_rho=0.5, sam_adaptive=True),
        "root rate": root,
        "ghost norm": LB.but(ghost_batch=s.SB.batch_size, epochs=s.SB.epochs, stop_loss=None),
        "root + ghost": root.but(ghost_batch=s.SB.batch_size, epochs=s.SB.epochs, stop_loss=None),
        "linear, cold": linear.but(warmup_steps=0),
        "linear rate": linear,
        "growing": s.SB.but(
            growth=((grown, middle), (grown + max(1, grown // 2), LB.batch_size)),
            stop_loss=MATCHED_LOSS,
        ),
        "SB, slow": s.SB.but(learning_rate=rate / times, epochs=2 * s.SB.epochs),
    }


def middle_batch(s: Settings) -> int:
    """The geometric mean of the two batch sizes: 113."""
    return round((s.SB.batch_size * s.LB.batch_size) ** 0.5)


def closing_runs(s: Settings) -> dict[str, Runs]:
    """One training for each of `closing_recipes`, from the same starts; SB is that of `minima`."""
    wanted = closing_recipes(s)
    wanted.pop("SB")
    drawn = {
        name: wanted[name] for name in ("LB", "SB, slow")
    }  # their way is drawn; of the others the end is enough
    others = {name: recipe for name, recipe in wanted.items() if name not in drawn}
    runs = {
        "SB": minima(s)["SB"],
        **sweep.run(s.main, drawn, s.seeds),
        **sweep.run(s.main, others, s.seeds, records=8),
    }
    return {name: runs[name] for name in closing_recipes(s)}


def one_seed(s: Settings, recipes: dict[str, Recipe]) -> dict[str, Runs]:
    """One training per recipe with seed 0 alone, of which the end is enough."""
    return sweep.run(s.main, recipes, (0,), records=8)


def closing_the_gap(s: Settings) -> pd.DataFrame:
    """What each of `closing_recipes` reaches: the table of `reached`."""
    return reached(s, closing_runs(s))


def reached(s: Settings, runs: Mapping[str, Runs]) -> pd.DataFrame:
    """What {recipe's name: Runs} on the scale's main problem reach, one row a recipe and seed.

    Returns
    -------
    DataFrame
        recipe, seed; test_accuracy, train_accuracy (percent); sharpness at epsilon 1e-3 and sharpness_5e-4
        (percent, Metric 2.1
        of Keskar et al. 2017 in full space, ``strong``, one search); train_loss, test_loss (nats); updates (of the
        parameters: a batch that is used for three steps counts three); seconds (wall time of training, a seed's share).
    """
    return pd.concat([_row(s, name, run) for name, run in runs.items()], ignore_index=True)


def _row(s: Settings, name: str, run: Runs) -> pd.DataFrame:
    last = run.final
    return pd.DataFrame(
        {
            "recipe": name,
            "seed": last.index,
            "test_accuracy": last.test_accuracy.values,
            "train_accuracy": last.train_accuracy.values,
            **_sharpness(s, run.x),
            "train_loss": last.train_loss.values,
            "test_loss": last.test_loss.values,
            "updates": last.steps.values * run.recipe.inner_steps,
            "seconds": run.seconds / len(last),
        }
    )


def _sharpness(s: Settings, x: Tensor) -> dict[str, np.ndarray]:
    table = sharpness_of(s.main, x, starts=1)
    return {
        name: table.loc[table.epsilon == epsilon, "sharpness"].to_numpy()
        for name, epsilon in (("sharpness", 1e-3), ("sharpness_5e-4", 5e-4))
    }


# -- as many updates as SB: minutes, therefore committed ------------------------------------------------------------


def long_recipes(s: Settings) -> dict[str, Recipe]:
    """Large batches with as many updates as SB makes (10,000), and no stop before: LB's own rate, or all of
    Hoffer's advice."""
    total = len(s.main.load().y_train)
    longer = {
        "epochs": None,
        "steps": s.SB.epochs * math.ceil(total / s.SB.batch_size),
        "stop_loss": None,
    }
    short = closing_recipes(s)
    return {
        "LB, long": short["LB"].but(**longer),
        "root + ghost, long": short["root + ghost"].but(**longer),
    }


def as_many_updates() -> pd.DataFrame:
    """The committed result of `record_as_many_updates`, with the columns of `closing_the_gap`."""
    return provenance.read("as-many-updates")[0]


def as_many_updates_provenance() -> dict:
    """Where the rows of `as_many_updates` come from: date, commit, machine, versions, recipes."""
    return provenance.read("as-many-updates")[1]


def record_as_many_updates(s: Settings, **where) -> str:
    """Measure `long_recipes` here and write the result with its provenance, for the commit; for maintainers.

        python -c "from labsupport import experiments; experiments.record_as_many_updates()"

    ``where`` may name another ``folder``. Returns the path.
    """
    wanted, began = long_recipes(s), time.process_time()
    runs = sweep.run(s.main, wanted, s.seeds)
    rows = reached(s, runs)
    about = provenance.here(
        network=s.main.network,
        data=s.main.dataset,
        seeds=s.seeds,
        core_seconds=round(time.process_time() - began),
        **{name: repr(recipe) for name, recipe in wanted.items()},
    )
    return str(provenance.write("as-many-updates", rows, about, **where))


# -- the map -------------------------------------------------------------------------------------------------------


def dial_recipes(s: Settings) -> dict[tuple[int, float], Recipe]:
    """{(batch size, learning rate): Recipe}: three batch sizes, five rates, each a factor of 3.54 apart.

    Rates above 1e-3 are warmed up. Batches of 32 get SB's 80 epochs (the lowest rate, "SB, slow", twice as many);
    larger
    ones, which make fewer updates an epoch, up to 200, and stop at MATCHED_LOSS.
    """
    known = {
        (r.batch_size, _rounded(r.learning_rate)): r
        for r in (
            closing_recipes(s)[name]
            for name in ("SB", "LB", "root rate", "linear rate", "SB, slow")
        )
    }
    cells = {}
    for size in (s.SB.batch_size, middle_batch(s), s.LB.batch_size):
        for power in (-1.0, -0.5, 0.0, 0.5, 1.0):
            rate = s.SB.learning_rate * ratio(s) ** power
            ends = (
                {"epochs": s.SB.epochs}
                if size == s.SB.batch_size
                else {"epochs": s.LB.epochs, "stop_loss": MATCHED_LOSS}
            )
            fresh = Recipe(
                size, learning_rate=rate, warmup_steps=WARMUP_STEPS if power > 0 else 0, **ends
            )
            cells[size, _rounded(rate)] = known.get((size, _rounded(rate)), fresh)
    return cells


def _rounded(rate: float) -> float:
    return float(f"{rate:.3g}")


def dial_map(s: Settings) -> pd.DataFrame:
    """Batch size against learning rate, **one seed a cell** (seed 0; where `closing_the_gap` has the cell, its first).

    Returns
    -------
    DataFrame
        batch_size, learning_rate; test_accuracy (percent); sharpness and sharpness_5e-4 (percent, as in
        `closing_the_gap`);
        train_loss (nats); updates; fitted: whether the training loss came below 1.5 times MATCHED_LOSS.
    """
    table, cells = closing_runs(s), dial_recipes(s)
    shared = {run.recipe: run for run in table.values()}
    fresh = one_seed(
        s,
        {
            f"{size}, {rate}": recipe
            for (size, rate), recipe in cells.items()
            if recipe not in shared
        },
    )
    runs = [
        shared[recipe] if recipe in shared else fresh[f"{size}, {rate}"]
        for (size, rate), recipe in cells.items()
    ]
    last = pd.concat([run.final.iloc[[0]] for run in runs], ignore_index=True)
    found = _sharpness(s, torch.stack([run.x[0] for run in runs]))
    return pd.DataFrame(list(cells), columns=["batch_size", "learning_rate"]).assign(
        test_accuracy=last.test_accuracy,
        **found,
        train_loss=last.train_loss,
        updates=last.steps,
        fitted=last.train_loss <= 1.5 * MATCHED_LOSS,
    )
