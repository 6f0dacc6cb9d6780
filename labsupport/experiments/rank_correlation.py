"""Chapter 9, what still stands: sharpness against test accuracy over every recipe that the book has trained on F0.

Nothing is trained here that chapters 2 and 8 do not train. The runs of one recipe are no independent pieces of
evidence,
so intervals come from drawing recipes, not runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from labsupport import sweep, symmetry
from labsupport.experiments.batch_sizes import sweep_runs
from labsupport.experiments.recipes import MATCHED_LOSS, closing_runs, dial_recipes, one_seed
from labsupport.experiments.rescaling import RELATIVE
from labsupport.experiments.tables import measured
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import Runs

#: {column of `grid`: what it is called}
MEASURES = {
    "sharpness": "Metric 2.1, ε = 0.001",
    "sharpness_5e-4": "Metric 2.1, ε = 0.0005",
    "relative": "without the + 1",
    "rows": "rows normalized",
}


def grid_runs(s: Settings) -> dict[str, Runs]:
    """{recipe's name: Runs}: the batch sizes of chapter 2, the methods and the map of chapter 8, each recipe once."""
    named = {f"B = {size}": run for size, run in sweep_runs(s).items()} | closing_runs(s)
    found: dict[str, Runs] = {}
    for name, run in named.items():
        if run.recipe not in {known.recipe for known in found.values()}:
            found[name] = run
    known = {run.recipe for run in found.values()}
    cells = {
        f"B = {size}, rate {rate:g}": recipe
        for (size, rate), recipe in dial_recipes(s).items()
        if recipe not in known
    }
    return found | one_seed(s, cells)


def grid(s: Settings) -> pd.DataFrame:
    """Every run with its test accuracy and four sharpnesses.

    Returns
    -------
    DataFrame
        recipe, batch_size, learning_rate, dial (see `dial`), seed; train_loss (nats), test_accuracy (percent); the
        columns named in
        `MEASURES` (percent, full space, ``strong``, one search); matched: whether the training loss lies within a
        factor of
        two of `recipes.MATCHED_LOSS`.
    """
    runs = grid_runs(s)
    found = sweep.each(
        measured,
        {
            (name, column): job
            for name, run in runs.items()
            for column, job in _jobs(s, run.x).items()
        },
    )
    return pd.concat(
        [
            _rows(name, run, {column: found[name, column]["sharpness"] for column in MEASURES})
            for name, run in runs.items()
        ],
        ignore_index=True,
    )


def _rows(name: str, run: Runs, measures: dict[str, list[float]]) -> pd.DataFrame:
    last = run.final
    doublings = np.log2(last.train_loss.values / MATCHED_LOSS)
    return pd.DataFrame(
        {
            "recipe": name,
            "batch_size": run.recipe.batch_size,
            "learning_rate": run.recipe.learning_rate,
            "dial": dial(run.recipe),
            "seed": last.index,
            "train_loss": last.train_loss.values,
            "test_accuracy": last.test_accuracy.values,
            **measures,
            "matched": np.abs(doublings) <= 1,
        }
    )


def dial(recipe: Recipe) -> float:
    """Learning rate over batch size, to two figures; NaN for a batch that grows, which has no single one.

    Two figures, because some batch sizes and rates are themselves rounded (113 stands for 113.137): ratios that were
    meant to be equal must be equal, or their ranks would differ.

    >>> dial(Recipe(113, epochs=1, learning_rate=0.0125 / 12.5**0.5)) == dial(Recipe(400, epochs=1,
    ...     learning_rate=0.0125))
    True
    """
    return (
        float("nan") if recipe.growth else float(f"{recipe.learning_rate / recipe.batch_size:.1e}")
    )


def four_measures(s: Settings, x: Tensor) -> dict[str, np.ndarray]:
    """The four columns of `MEASURES` at points x (S, n) of the scale's main network: {column: (S,)}."""
    return {
        column: np.array(found["sharpness"])
        for column, found in sweep.each(measured, _jobs(s, x)).items()
    }


def _jobs(s: Settings, x: Tensor) -> dict[str, tuple]:
    """{column of `MEASURES`: what `tables.measured` is to be given for it}."""
    once = {"starts": 1}
    return {
        "sharpness": (s.main, x, 1e-3, once),
        "sharpness_5e-4": (s.main, x, 5e-4, once),
        "relative": (s.main, x, RELATIVE, {**once, "offset": 0.0}),
        "rows": (s.main, symmetry.normalize_rows(s.main.network, x), 1e-3, once),
    }


# -- rank correlations ---------------------------------------------------------------------------------------------


def between(
    table: pd.DataFrame,
    measure: str,
    outcome: str = "test_accuracy",
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Spearman's correlation of the recipes' medians, with a 95 percent interval from drawing recipes with replacement.

    Returns
    -------
    dict
        correlation, low, high, and how many ``recipes`` and ``runs`` it rests on.

    >>> t = pd.DataFrame({"recipe": list("abcd"), "m": [1, 2, 3, 4], "test_accuracy": [9, 8, 7, 6]})
    >>> between(t, "m")["correlation"]
    -1.0
    """
    middle = table.groupby("recipe")[[measure, outcome]].median().to_numpy()  # (recipes, 2)
    drawn = np.random.default_rng(seed).integers(len(middle), size=(resamples, len(middle)))
    return _summary(_spearman(middle[None])[0], _spearman(middle[drawn]), table)


def within(
    table: pd.DataFrame,
    measure: str,
    outcome: str = "test_accuracy",
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """The same among runs of one recipe: ranks are taken inside each recipe and pooled; recipes of one seed are
    left out.

    >>> t = pd.DataFrame({"recipe": list("aabb"), "m": [1, 2, 7, 9], "test_accuracy": [1, 2, 0, 3]})
    >>> within(t, "m")["correlation"]
    1.0
    """
    table = table[table.groupby("recipe")["recipe"].transform("size") > 1]
    ranks = table.groupby("recipe")[[measure, outcome]].rank()
    ranks -= ranks.groupby(table["recipe"]).transform("mean")
    parts = pd.DataFrame(
        {
            "xy": ranks[measure] * ranks[outcome],
            "xx": ranks[measure] ** 2,
            "yy": ranks[outcome] ** 2,
        }
    )
    sums = parts.groupby(table["recipe"]).sum().to_numpy()  # (recipes, 3)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))

    def pooled(some):
        xy, xx, yy = np.moveaxis(some.sum(-2), -1, 0)
        with np.errstate(invalid="ignore"):  # a draw without any differences
            return xy / np.sqrt(xx * yy)

    return _summary(float(pooled(sums)), pooled(sums[drawn]), table)


def partial_correlation(
    table: pd.DataFrame,
    measure: str,
    given: str,
    outcome: str = "test_accuracy",
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """`between` with the column ``given`` held fixed: what ``measure`` says of ``outcome`` that ``given`` does not.

    The partial correlation of the ranks of the recipes' medians, (xy - xz yz) / sqrt((1 - xz^2)(1 - yz^2)) with z
    = ``given``.

    >>> t = pd.DataFrame({"recipe": list("abcde"), "z": [1, 2, 3, 4, 5], "m": [2, 1, 4, 3, 5],
    ...     "test_accuracy": [2, 1, 4, 3, 5]})
    >>> partial_correlation(t, "m", "z")["correlation"]
    1.0
    """
    table = table.dropna(subset=[given])
    values, draws = _partials(table, (measure,), given, outcome, resamples, seed)
    return _summary(values[0], draws[0], table)


def partial_difference(
    table: pd.DataFrame,
    first: str,
    second: str,
    given: str,
    outcome: str = "test_accuracy",
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """`partial_correlation` of ``first`` less that of ``second``, compared directly: the same recipes drawn for
    both."""
    table = table.dropna(subset=[given])
    values, draws = _partials(table, (first, second), given, outcome, resamples, seed)
    return _summary(values[0] - values[1], draws[0] - draws[1], table)


def _partials(
    table, measures, given, outcome, resamples, seed
) -> tuple[list[float], list[np.ndarray]]:
    """The partial correlation of each measure, and the same in each draw of recipes."""
    middle = (
        table.groupby("recipe")[[*measures, outcome, given]].median().to_numpy()
    )  # (recipes, measures + 2)
    drawn = np.random.default_rng(seed).integers(len(middle), size=(resamples, len(middle)))
    picked = [[k, -2, -1] for k in range(len(measures))]
    values = [float(_held_fixed(middle[None, :, pick])[0]) for pick in picked]
    return values, [_held_fixed(middle[drawn][..., pick]) for pick in picked]


def _held_fixed(some: np.ndarray) -> np.ndarray:
    """(..., recipes, 3) of measure x, outcome y, given z -> (...): the partial correlation of their ranks."""
    xy, xz, yz = (
        _spearman(some[..., [0, 1]]),
        _spearman(some[..., [0, 2]]),
        _spearman(some[..., [1, 2]]),
    )
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # a draw in which one column follows z exactly
        return (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))


def _spearman(pairs: np.ndarray) -> np.ndarray:
    """(..., recipes, 2) -> (...): the correlation of the ranks."""
    from scipy.stats import rankdata  # half a second that the other chapters need not wait for

    ranks = rankdata(pairs, axis=-2)
    ranks = ranks - (ranks.shape[-2] + 1) / 2
    x, y = ranks[..., 0], ranks[..., 1]
    with np.errstate(invalid="ignore"):  # a draw of one recipe only
        return (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))


def _summary(value: float, draws: np.ndarray, table: pd.DataFrame) -> dict[str, float]:
    draws = draws[np.isfinite(draws)]
    low, high = np.quantile(draws, [0.025, 0.975]) if len(draws) else (np.nan, np.nan)
    return {
        "correlation": round(float(value), 10),
        "low": float(low),
        "high": float(high),
        "recipes": table["recipe"].nunique(),
        "runs": len(table),
    }


def correlations(
    table: pd.DataFrame,
    named: Mapping[str, str] = MEASURES,
    *,
    outcome: str = "test_accuracy",
    levels: Sequence[str] = ("between recipes", "within a recipe"),
) -> pd.DataFrame:
    """`between` and `within` for several measures: measure, level, correlation, low, high, recipes, runs."""
    how = {"between recipes": between, "within a recipe": within}
    return pd.DataFrame(
        [
            {"measure": name, "level": level, **how[level](table, column, outcome)}
            for column, name in named.items()
            for level in levels
        ]
    )
