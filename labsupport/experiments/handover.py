"""Chapter 6: the arms that begin where SB ends, at epoch 80. They take minutes, therefore they are committed."""

from __future__ import annotations

import time

import pandas as pd

from labsupport import provenance, sweep
from labsupport.experiments.minima import minima
from labsupport.experiments.tables import sharpness_of
from labsupport.recipe import Recipe
from labsupport.settings import Settings

#: What SB's learning rate is divided by: nothing, the root of LB's batch over SB's, and that quotient.
FACTORS = (1, 3.5, 12.5)


def late_recipes(s: Settings) -> tuple[dict[str, Recipe], dict[str, Recipe]]:
    """({arm: Recipe} from SB's last point with a new optimizer, {arm: Recipe} trained in one piece from the start).

    The small-batch arms make as many epochs after SB's last as the arms of the chapter make after the last of
    `settings.Settings.warm_epochs`.
    """
    more = s.SB.epochs - max(s.warm_epochs)
    rates = {f"SB, rate / {by:g}": s.SB.learning_rate / by for by in FACTORS}
    new = {name: s.SB.but(epochs=more, learning_rate=rate) for name, rate in rates.items()}
    kept = s.SB.but(
        epochs=s.SB.epochs + s.LB.epochs,
        growth=((s.SB.epochs, s.LB.batch_size),),
        stop_loss=s.LB.stop_loss,
    )
    whole = {"SB goes on": s.SB.but(epochs=s.SB.epochs + more), "LB, Adam kept": kept}
    return new | {"LB": s.LB}, whole


def late_handover() -> pd.DataFrame:
    """The committed result of `record_late_handover`.

    Returns
    -------
    DataFrame
        arm, seed, updates (from the random start), train_loss (nats), test_accuracy (percent), sharpness (Metric 2.1 at
        1e-3, percent, one start), slope (its slope part, percent).
    """
    return provenance.read("late-handover")[0]


def record_late_handover(s: Settings, **where) -> str:
    """Train the arms of `late_recipes` and write where they end, for the commit.

        python -c "from labsupport import experiments, settings as t; experiments.record_late_handover(t.current())"

    ``where`` may name another ``folder``. Returns the path.
    """
    began, small = time.process_time(), minima(s)["SB"]
    new, whole = late_recipes(s)
    runs = sweep.run(s.main, new, s.seeds, x0=dict.fromkeys(new, small.x), records=8)
    runs |= sweep.run(s.main, whole, s.seeds, records=8)
    f, tables = s.main.objective(), []
    for name, run in runs.items():
        before = 0 if name in whole else small.final.steps.to_numpy()
        loss, gradient = f.value_and_gradient(run.x.to(f.device))
        climb = ((run.x.to(f.device).abs() + 1) * gradient.abs()).double().sum(1)
        rows = run.final.reset_index()[["seed", "steps", "train_loss", "test_accuracy"]]
        found = sharpness_of(s.main, run.x, epsilons=(1e-3,), starts=1)
        more = {"sharpness": found.sharpness, "slope": (0.1 * climb / (1 + loss)).tolist()}
        rows = rows.assign(arm=name, updates=rows.steps + before, **more)
        tables.append(rows.drop(columns="steps"))
    about = provenance.here(
        network=s.main.network,
        data=s.main.dataset,
        seeds=s.seeds,
        core_seconds=round(time.process_time() - began),
        **{name: repr(recipe) for name, recipe in (new | whole).items()},
    )
    rows = pd.concat(tables, ignore_index=True)
    columns = ["arm", "seed", "updates", "train_loss", "test_accuracy", "sharpness", "slope"]
    return str(provenance.write("late-handover", rows[columns], about, **where))
