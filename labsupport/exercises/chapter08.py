"""Chapter 8, closing the gap: the answers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from labsupport import experiments, training
from labsupport.exercises import Answer
from labsupport.problem import Problem
from labsupport.recipe import Recipe

#: How far a weight is at most from where the batch found it, before the third of its steps of Adam at rate 0.001.
MOVED = 2 * 0.001
#: The fields of a recipe that the chapter's raised rates change, or that only say how long it trains.
RAISED = {"learning_rate", "warmup_steps", "steps", "epochs", "stop_loss", "precision"}


def _swept(batch: str = "LB", ends: str = "own stop") -> pd.DataFrame:
    """Accuracy on the held-out samples, (seeds, rates), percent."""
    rows = experiments.tuned_rates().query("batch == @batch and ends == @ends")
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


def _balanced(gradient) -> float:
    """The lambda at which the pull on a weight is as large as the mean absolute entry of the gradient."""
    return float(gradient.abs().mean()) / MOVED


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
    if updates > 250:
        return f"It makes {updates} updates; 250 are allowed."
    if reached < 67:
        return f"It tests at {reached:.1f} percent; 67 are wanted."
    return None


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
    "8.2": Answer(
        right=_balanced,
        tolerance=0.05,
        mistakes={
            "That is the pull over the gradient; lambda times the way must equal the gradient.": (
                lambda gradient: 1 / _balanced(gradient)
            ),
            "That takes the gradient's length; the pull is that of one weight, so take the mean entry.": (
                lambda gradient: float(gradient.norm()) / MOVED
            ),
            "That is after one step. Before the third step a weight has moved twice.": (
                lambda gradient: 2 * _balanced(gradient)
            ),
            "That is after three steps. The pull before the third step has seen two.": (
                lambda gradient: 2 / 3 * _balanced(gradient)
            ),
            "That is how many times the pull of the paper's lambda is too small: multiply by that lambda.": (
                lambda gradient: 1000 * _balanced(gradient)
            ),
            "That is the mean entry of the gradient. How far has the weight moved that is pulled back?": (
                lambda gradient: float(gradient.abs().mean())
            ),
            "The mean of the entries with their signs is nearly zero; take their sizes first.": (
                lambda gradient: float(gradient.mean()) / MOVED
            ),
        },
    ),
    "8.3": Answer(test=_ghost),
    "8.4": Answer(test=_half_the_updates),
}
