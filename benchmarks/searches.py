"""How much the searches for sharpness find, at equal evaluations: ``python -m benchmarks.searches``.

Three searches at the same minimizers: ``strong``, Auto-PGD, and one of some three hundred evaluations, which says how
much there may be to find.
"""

from __future__ import annotations

import pandas as pd
from torch import Tensor

from benchmarks import apgd
from labsupport import training
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness

NETWORKS = ("F0", "F0-plain")
BATCHES = {"SB": 32, "LB": 400}
EPOCHS, SEEDS = 80, 5
#: Values and gradients that a search may ask for: multiples of the eleven of one start.
EVALUATIONS = (11, 33)
#: Starts and iterations of the long search.
LONG = (3, 100)


def rises(f: Objective, x: Tensor) -> pd.DataFrame:
    """Of each row of x (S, n) and number of evaluations: the rise in nats that ``strong`` finds, that rise over
    Auto-PGD's, and that of the long search over it.
    """
    long = sharpness(f, x, starts=LONG[0], iterations=LONG[1])
    most, parts = long.f_max - long.f_x, []
    for count in EVALUATIONS:
        ours, theirs = apgd.rises(f, x, evaluations=count)
        columns = {
            "rise": ours,
            "over_auto_pgd": ours / theirs,
            "long_over_ours": most.maximum(ours) / ours,
        }
        parts.append(
            pd.DataFrame({name: value.numpy() for name, value in columns.items()}).assign(
                evaluations=count
            )
        )
    return pd.concat(parts).rename_axis("seed").reset_index()


def table() -> pd.DataFrame:
    """`rises` at the end of training by small and by large batches, with the ``network`` and the ``batch``."""
    parts = []
    for network in NETWORKS:
        problem = Problem(network, "mnist1d")
        for batch, size in BATCHES.items():
            recipe = Recipe(size, epochs=EPOCHS)
            runs = training.train(problem, recipe, SEEDS, records=0, progress=False)
            parts.append(rises(problem.objective(), runs.x).assign(network=network, batch=batch))
    return pd.concat(parts, ignore_index=True)


def markdown(found: pd.DataFrame) -> str:
    """The ratio of the rises, ``strong`` over Auto-PGD and the long search over ``strong``: median, lowest, highest."""
    lines = [
        "| at | evaluations | ours over Auto-PGD | a long search over ours |",
        "|---|---:|---:|---:|",
    ]
    for (network, batch, count), some in found.groupby(
        ["network", "batch", "evaluations"], sort=False
    ):
        cells = [_spread(some.over_auto_pgd), _spread(some.long_over_ours)]
        name = network.replace("-plain", " without norm")
        lines.append(f"| {name}, {batch} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _spread(ratio: pd.Series) -> str:
    return f"**{ratio.median():.3f}** ({ratio.min():.3f} to {ratio.max():.3f})"


if __name__ == "__main__":
    from benchmarks import page

    print(page.renewed("searches"))
