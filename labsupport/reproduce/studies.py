"""Which pieces of work each table and figure of the paper takes, and one study that it leaves out: `own_rate`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from labsupport.errors import choose
from labsupport.reproduce import protocol
from labsupport.reproduce.units import KEPT, OWN_RATE, PLAIN, Line, Sharpness, Training, Unit

EPSILONS = (1e-3, 5e-4)
SUBSPACE_DIM = 100
#: Epochs at which Figure 6 measures sharpness along training, and from which Figure 5 starts large batches.
ALONG = {
    "paper": (1, 2, 4, 8, 16, 32, 64),
    "reduced": (1, 2, 4, 8, 16, 32),
    "small": (1, 2, 4, 8, 16),
    "smoke": (1,),
}
#: Batch sizes of Figure 4, as parts of the training set.
PARTS = {
    "paper": (1 / 500, 1 / 200, 1 / 100, 1 / 50, 1 / 25, 1 / 10),
    "reduced": (1 / 150, 1 / 40, 1 / 20, 1 / 10, 1 / 5),
    "smoke": (1 / 8, 1 / 2),
}
PARTS["small"] = PARTS["reduced"]
#: Networks that the paper's figures show, and those whose gap is asked for its learning rate.
SHOWN = {
    "figure2": ("F2", "C1"),
    "figure4": ("F2", "C1"),
    "figure5": ("F2", "C1"),
    "figure6": ("F2", "C1"),
    "own-rate": ("F2", "C1"),
}
#: Up to this many parameters the paper's own estimator, SciPy in float64, is run beside ours.
WITH_SCIPY = ("F1", "F2")


def _pairs(wish: str, scale: str, seeds: int, keep: tuple[int, ...] = ()) -> list[Training]:
    arms, records = protocol.arms(wish, scale), protocol.records(wish, scale)
    return [
        Training(
            arm.problem,
            batch,
            arm.recipe,
            seed,
            KEPT if keep else PLAIN,
            keep=keep,
            records=records,
        )
        for seed in range(seeds)
        for batch, arm in arms.items()
    ]


def table2(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Accuracies: one training per batch and seed."""
    return list(_pairs(wish, scale, seeds))


def table3(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Sharpness in full space at both widths; for the fully connected networks the paper's estimator too."""
    units: list[Unit] = []
    for run in _pairs(wish, scale, seeds):
        units += [Sharpness(run, epsilon=epsilon) for epsilon in EPSILONS]
        if run.problem.network in WITH_SCIPY and scale != "smoke":
            units.append(Sharpness(run, method="paper"))
    return units


def table4(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Sharpness in a random subspace of 100 dimensions, at both widths."""
    return [
        Sharpness(run, epsilon=epsilon, subspace_dim=SUBSPACE_DIM)
        for run in _pairs(wish, scale, seeds)
        for epsilon in EPSILONS
    ]


def figure2(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Accuracies along training: the histories of Table 2's trainings."""
    return table2(wish, scale, seeds)


def figure3(wish: str, scale: str, seeds: int, path: str = "line") -> list[Unit]:
    """The loss on the line from SB's minimizer to LB's, one pair."""
    small, large = _pairs(wish, scale, 1)
    return [Line(small, large, path, points=25 if scale != "smoke" else 4)]


def figure4(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Accuracy and sharpness by batch size."""
    problem = protocol.problem(wish, scale)
    total = len(problem.load("cpu").y_train)
    units: list[Unit] = []
    records = protocol.records(wish, scale)
    for part in PARTS[scale]:
        size = max(2, round(total * part))
        batch = "LB" if part >= 0.1 else "SB"
        recipe = protocol.recipe(wish, batch, scale, size)
        units += [
            Sharpness(Training(problem, batch, recipe, seed, f"batch of {size}", records=records))
            for seed in range(seeds)
        ]
    return units


def figure5(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Large batches from the iterates of small ones, with their sharpness."""
    keep = ALONG[scale]
    units: list[Unit] = []
    large = protocol.arms(wish, scale)["LB"].recipe
    for small in (run for run in _pairs(wish, scale, seeds, keep) if run.batch == "SB"):
        for epoch in keep:
            warm = Training(
                small.problem,
                "LB",
                large,
                small.seed,
                f"from SB epoch {epoch}",
                start=(small, f"epoch {epoch}"),
                records=small.records,
            )
            units += [Sharpness(warm, epsilon=epsilon) for epsilon in EPSILONS]
    return units


def figure6(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Sharpness along training."""
    keep = ALONG[scale]
    return [
        Sharpness(run, f"epoch {epoch}")
        for run in _pairs(wish, scale, seeds, keep)
        for epoch in keep
    ]


def figure7(wish: str, scale: str, seeds: int) -> list[Unit]:
    """As Figure 3, along a curve on which the two minimizers' lengths stay alike."""
    return figure3(wish, scale, seeds, "curve")


def appendix_e(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Attempts to rescue large batches: augmentation (image networks in color) and conservative training."""
    units: list[Unit] = []
    problem = protocol.problem(wish, scale)
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "conservative": ("LB", {"proximal": 1e-3, "inner_steps": 3})
    }
    if str(problem.network).startswith("C"):
        ways |= {
            "augmented SB": ("SB", {"augment": "images"}),
            "augmented": ("LB", {"augment": "images"}),
        }
    for name, (batch, changes) in ways.items():
        recipe = protocol.recipe(wish, batch, scale, **changes)
        runs = [
            Training(
                problem,
                batch,
                recipe,
                seed,
                name.removesuffix(" SB"),
                records=protocol.records(wish, scale),
            )
            for seed in range(seeds)
        ]
        units += (
            [Sharpness(run, epsilon=epsilon) for run in runs for epsilon in EPSILONS]
            if batch == "LB"
            else runs
        )
    return units


def own_rate(wish: str, scale: str, seeds: int) -> list[Unit]:
    """Large batches at a learning rate of their own, which the paper does not try, and their sharpness.

    The rate is small batches' times the square root of the ratio of batch sizes, as in the rule for Adam of Malladi et
    al., 2022; that rule changes Adam's memory, too, which is left alone here. Nothing is chosen by looking.
    """
    sizes = protocol.sizes(wish, scale)
    rate = protocol.recipe(wish, "SB", scale).learning_rate * math.sqrt(sizes["LB"] / sizes["SB"])
    recipe = protocol.recipe(wish, "LB", scale, learning_rate=rate)
    problem, records = protocol.problem(wish, scale), protocol.records(wish, scale)
    runs = [
        Training(problem, "LB", recipe, seed, OWN_RATE, records=records) for seed in range(seeds)
    ]
    return [*runs, *(Sharpness(run, epsilon=epsilon) for run in runs for epsilon in EPSILONS)]


STUDIES: dict[str, Callable[[str, str, int], list[Unit]]] = {
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "figure2": figure2,
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "figure6": figure6,
    "figure7": figure7,
    "appendix-e": appendix_e,
    "own-rate": own_rate,
}


def units(study: str, networks: list[str], scale: str, seeds: int) -> list[Unit]:
    """All units of a study (or of ``all`` of them), for the networks that it shows.

    Raises UnknownName for a study, network, data set or scale that there is not.
    """
    choose("study", study, (*STUDIES, "all"))
    names = list(STUDIES) if study == "all" else [study]
    return [
        unit
        for name in names
        for wish in networks
        if _shows(name, wish)
        for unit in STUDIES[name](wish, scale, seeds)
    ]


def _shows(study: str, wish: str) -> bool:
    return protocol.named(wish)[0] in SHOWN.get(study, protocol.DATA)
