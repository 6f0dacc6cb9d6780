"""Chapter 2, on photographs: MNIST and Fashion-MNIST, both with one stopping rule for SB and LB. Measured once.

A small F1 on 5,000 images, new seeds, and rules that were written here before the first run of these seeds:

* SB and LB differ in their batch alone. Both stop at a training loss of 0.01, within 100 epochs. The 0.01 was chosen
  for its cost, from the training losses of one seed of Fashion-MNIST that is not among these.
* The unit of replication is a seed: a start and a shuffle. The images stay the same.
* 2.5: on MNIST the 95 % interval of LB - SB lies inside +-.22 points, the paper's effect on F1, its smallest.
* 2.6: on MNIST LB is more than five times as sharp.
* 2.11 and 2.12: on Fashion-MNIST SB tests better than LB, and LB is more than five times as sharp.

Both are measured and committed; Fashion-MNIST takes about three times as long as MNIST.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from labsupport import provenance, sweep
from labsupport.experiments.tables import finals, sharpness_of
from labsupport.problem import Problem
from labsupport.recipe import Recipe

PROBLEMS = (Problem("F1s", "mnist", 5_000), Problem("F1s", "fashion_mnist", 5_000))
_STOP = Recipe(64, epochs=100, stop_loss=0.01)
RECIPES = {"SB": _STOP, "LB": _STOP.but(batch_size=500)}
#: {data set: seeds, in groups that train side by side}. None of them was trained on these data before.
SEEDS = {
    "mnist": (tuple(range(16, 32)),),
    "fashion_mnist": (tuple(range(16, 24)), tuple(range(24, 32))),
}
EPSILON = 1e-3
NAME = "real-images"


def real_images() -> pd.DataFrame:
    """The committed result of `record_real_images`.

    Returns
    -------
    DataFrame
        The columns of `tables.finals`, and ``sharpness``: percent, Metric 2.1 of Keskar et al. 2017 in full space at
        epsilon = 1e-3 (``strong``, one start, on all training images). One row a data set, batch and seed.
    """
    return provenance.read(NAME)[0]


def real_images_provenance() -> dict:
    """Where the rows of `real_images` come from: date, commit, machine, versions, recipes, seeds."""
    return provenance.read(NAME)[1]


def record_real_images(
    problems: Sequence[Problem] = PROBLEMS,
    recipes: Mapping[str, Recipe] = RECIPES,
    seeds: Mapping[str, Sequence[Sequence[int]]] = SEEDS,
    folder: Path = provenance.FOLDER,
) -> Path:
    """Measure here and write the result with its provenance, for the commit; about ten minutes of one idle core.

        python -c "from labsupport import experiments; experiments.record_real_images()"

    Raises DataUnavailable without the images.
    """
    tables = [
        _measured(problem, name, recipe, tuple(group))
        for problem in problems
        for name, recipe in recipes.items()
        for group in seeds[str(problem.dataset)]
    ]
    about = provenance.here(
        network=str(problems[0].network),
        train_size=problems[0].train_size,
        data=[problem.load().edition for problem in problems],
        seeds={
            name: [seed for group in groups for seed in group] for name, groups in seeds.items()
        },
        **{name: repr(recipe) for name, recipe in recipes.items()},
    )
    return provenance.write(NAME, pd.concat(tables, ignore_index=True), about, folder)


def _measured(problem: Problem, name: str, recipe: Recipe, seeds: tuple[int, ...]) -> pd.DataFrame:
    """One recipe's rows of `real_images`, for seeds that train side by side."""
    runs = sweep.trained(problem, recipe, seeds, (), None, 1)
    phi = sharpness_of(problem, runs.x, epsilons=(EPSILON,), starts=1)
    return finals({name: runs}).assign(sharpness=phi.sharpness.to_numpy())
