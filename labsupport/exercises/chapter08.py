"""Chapter 8, closing the gap: the answers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch

from labsupport import experiments, training
from labsupport.exercises import Answer, same
from labsupport.problem import Problem
from labsupport.recipe import Recipe

#: The fields of a recipe that the chapter's raised rates change, or that only say how long it trains.
RAISED = {"learning_rate", "warmup_steps", "steps", "epochs", "stop_loss", "precision"}


def _swept(batch: str = "LB", ends: str = "own stop") -> pd.DataFrame:
    """Accuracy on the held-out samples, (seeds, rates), percent."""
    rows = experiments.tuned_rates().query(
        "optimizer == 'adam' and batch == @batch and ends == @ends"
    )
    return rows.pivot(index="seed", columns="learning_rate", values="validation_accuracy")


def _unflattered(by_rate: pd.DataFrame) -> float:
    """Mean over seeds of each one's accuracy at the rate that the other seeds' mean chooses."""
    return float(
        np.mean([by_rate.loc[seed, by_rate.drop(seed).mean().idxmax()] for seed in by_rate.index])
    )


def _chosen_alone(by_rate: pd.DataFrame) -> float:
    """The other way round: each seed chooses, and the others are read."""
    return float(
        np.mean([by_rate.drop(seed)[row.idxmax()].mean() for seed, row in by_rate.iterrows()])
    )


def _never_read(by_rate: pd.DataFrame) -> float:
    """The best mean of four, averaged: the seed that is left out is not looked at."""
    return float(np.mean([by_rate.drop(seed).mean().max() for seed in by_rate.index]))


def _lead(top: float) -> float:
    """SB's lead on the held-out samples where no rate above ``top`` was tried, each at its best mean."""
    small, large = _tried(top)
    return float(small.mean().max() - large.mean().max())


def _tried(top: float) -> list[pd.DataFrame]:
    tables = (_swept("SB"), _swept("LB"))
    return [table.loc[:, table.columns <= top] for table in tables]


def _misread(top: float) -> dict[str, float]:
    """{what was done instead of `_lead`: what it comes to}."""
    small, large = _tried(top)
    return {
        "That is LB minus SB; the lead of SB is asked.": -_lead(top),
        "That is the lead on the whole grid: he has tried no rate above `top`.": _lead(math.inf),
        "That takes the best single seed, which flatters; take the best mean of the five.": float(
            small.max().max() - large.max().max()
        ),
        "That reads LB at `top` itself; he takes the best of its rates up to `top`.": float(
            small.mean().max() - large[top].mean()
        ),
        "That averages over all rates tried; he takes the best one.": float(
            small.mean().mean() - large.mean().mean()
        ),
    }


def _one_grid(given) -> str | None:
    if not callable(given):
        return "The answer is the function `lead` itself, which takes `top`, not one of its values."
    tops = _swept("LB").columns
    found = {top: float(given(top)) for top in tops}
    wrong = [top for top in tops if not same(found[top], _lead(top), 1e-3)]
    if not wrong:
        return None
    if math.isnan(found[tops[0]]):
        return f"At {tops[0]:g} it finds no rate of LB: `top` itself belongs to the grid."
    misread = {top: _misread(top) for top in tops}
    for sentence in misread[tops[0]]:
        if all(same(found[top], misread[top][sentence], 1e-3) for top in tops):
            return sentence
    return f"At {wrong[0]:g} it says {found[wrong[0]]:+.2f} points, which is not his lead."


def _grouped(gradient, x, rows, size: int, joined: bool):
    """The gradient of the mean loss over ``rows``, each group of ``size`` normalized apart."""
    groups = list(rows.split(size))
    if joined and len(groups) > 1 and len(groups[-1]) < size:
        groups[-2:] = [torch.cat(groups[-2:])]
    return sum(len(group) / len(rows) * gradient(x, group) for group in groups)


def _ghost(given, gradient, x) -> str | None:
    for count in (384, 400, 80):
        rows = torch.arange(count)
        found = given(x, rows)
        wanted = [_grouped(gradient, x, rows, 32, joined) for joined in (False, True)]
        if not any(torch.allclose(found, right, atol=1e-6) for right in wanted):
            return _wrong_ghost(found, gradient, x, rows)
    return None


def _wrong_ghost(found, gradient, x, rows) -> str:
    groups = rows.split(32)
    if torch.allclose(found, gradient(x, rows), atol=1e-6):
        return "That normalizes the whole batch together, which is plain batch norm."
    if torch.allclose(found, sum(gradient(x, group) for group in groups) / len(groups), atol=1e-6):
        return (
            f"With {len(rows)} samples it is still the mean of the groups' means: "
            "a sample of the short group counts more than the others."
        )
    whole = [group for group in groups if len(group) == 32]
    if torch.allclose(found, sum(gradient(x, group) for group in whole) / len(whole), atol=1e-6):
        return f"With {len(rows)} samples the last {len(rows) % 32} are left out."
    return f"With {len(rows)} samples it is not the gradient of the mean loss over samples."


def _half_the_updates(recipe) -> str | None:
    if recipe.batch_size < 400:
        return f"Its batches have {recipe.batch_size} samples; 400 or more are wanted."
    if recipe.growth or recipe.augment or recipe.inner_steps > 1:
        return "One batch size from first to last, no augmentation, one step a batch."
    plain = Recipe(400, steps=250)
    changed = {name for name in vars(recipe) if getattr(recipe, name) != getattr(plain, name)}
    if not changed - RAISED:
        return "That is the chapter's raised rate alone: change something besides rate and warm-up."
    run = training.train(Problem("F0", "mnist1d"), recipe, 2, progress=False)
    reached, updates = run.final.test_accuracy.mean(), run.final.steps.max()
    failed = []
    if updates > 250:
        failed.append(f"It makes {updates} updates; 250 are allowed.")
    if reached < 67:
        failed.append(f"It tests at {reached:.1f} percent; 67 are wanted.")
    return " ".join(failed) or None


ANSWERS = {
    "8.1": Answer(
        right=lambda: _unflattered(_swept()),
        mistakes={
            "That is the claim itself: all five seeds choose, and all five are read.": (
                lambda: float(_swept().mean().max())
            ),
            "That reads each seed at its own best rate, which flatters still more.": (
                lambda: float(_swept().max(axis=1).mean())
            ),
            "That lets one seed choose and reads the other four; let four choose and read one.": (
                lambda: _chosen_alone(_swept())
            ),
            "The seeds that choose are read again: read the seed that was left out.": (
                lambda: _never_read(_swept())
            ),
            "That is the accuracy at all rates alike: nothing is chosen.": (
                lambda: float(_swept().to_numpy().mean())
            ),
            "That is SB. The claim is about large batches.": lambda: _unflattered(_swept("SB")),
            "That is large batches after as many epochs as SB; the claim is about their own stop.": (
                lambda: _unflattered(_swept(ends="as many epochs"))
            ),
        },
    ),
    "8.2": Answer(test=_one_grid),
    "8.3": Answer(test=_ghost),
    "8.4": Answer(test=_half_the_updates),
}
