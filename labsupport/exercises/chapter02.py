"""Chapter 2's exercises: an interval that counts runs, seeds that equality needs, a control, a paired error."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from labsupport.exercises import Answer, same
from labsupport.recipe import Recipe

#: What a control must hold fixed, with the sentence for a design that does not.
FIXED = {
    "optimizer": "Their optimizers differ: a second cause beside the batch size.",
    "learning_rate": "Their learning rates differ: a second cause beside the batch size.",
    "momentum": "Their momentum differs: a second cause beside the batch size.",
    "weight_decay": "Their weight decay differs: a second cause beside the batch size.",
}
#: Updates with which F1s fits 10,000 images in batches of 64, about ten epochs.
ENOUGH = 1500
#: The paper's effect on F1, points: the margin of equality on real images.
MARGIN = 0.22


def _ends(
    values: np.ndarray, factor: float | None = None, ddof: int = 1, root: float = 0.5
) -> tuple[float, float]:
    """The two ends of the t-interval of independent values, or of one with a foreseen mistake in it."""
    n = len(values)
    factor = student.ppf(0.975, n - 1) if factor is None else factor
    half = factor * values.std(ddof=ddof) / n**root
    return float(values.mean() - half), float(values.mean() + half)


def test_interval(estimate) -> str | None:
    """Exercise 2.1: does ``interval_of(differences)`` count seeds, not records?"""
    if not callable(estimate):
        return "The answer is the function itself: answer = interval_of."
    draw = np.random.default_rng(0)
    table = 5 + draw.normal(size=(6, 1)) + 0.4 * draw.normal(size=(6, 8))  # seeds differ most
    given = np.asarray(estimate(table.copy()), dtype=float).ravel()
    if len(given) != 2:
        return f"Return two numbers, the lower and the upper end; yours returns {len(given)}."
    seeds = table.mean(axis=1)
    mistakes = {
        "That counts each record as a training of its own: 48 values, of which 6 are independent.": _ends(
            table.ravel()
        ),
        "That averages over the seeds, and the scatter among records is left: a row is a seed.": _ends(
            table.mean(axis=0)
        ),
        "That is valid, and throws all records but the last away: average each seed's records.": _ends(
            table[:, -1]
        ),
        "With 6 seeds the factor is t = 2.57, not that of a normal distribution.": _ends(
            seeds, student.ppf(0.975, 10**9)
        ),
        "That uses two standard errors; with so few seeds t is larger.": _ends(seeds, 2.0),
        "That takes t for all 48 values: the degrees of freedom are the seeds minus one.": _ends(
            seeds, student.ppf(0.975, table.size - 1)
        ),
        "That takes t for n degrees of freedom; there are n - 1.": _ends(
            seeds, student.ppf(0.975, len(seeds))
        ),
        "That is the standard deviation of all n values: divide by n - 1, ddof=1.": _ends(
            seeds, ddof=0
        ),
        "That leaves out the root: the standard error is s over the root of n.": _ends(
            seeds, root=1.0
        ),
        "That is how far one seed scatters: divide by the root of the number of seeds.": _ends(
            seeds, root=0.0
        ),
    }
    right = _ends(seeds)
    if same(given, right, 1e-6):
        return None
    if same(given[::-1], right, 1e-6):
        return "The lower end comes first."
    for sentence, wrong in mistakes.items():
        if same(given, wrong, 1e-4):
            return sentence
    low, high = right
    return (
        f"On a table of 6 seeds and 8 records yours goes from {given[0]:.3f} to {given[1]:.3f}; "
        f"{low:.3f} to {high:.3f} is right."
    )


def _seeds(
    gap,
    ends: str = "both",
    level: float = 0.95,
    t_of: float | None = None,
    ddof: int = 1,
    root: float = 0.5,
) -> int | None:
    """The smallest number of seeds whose t-interval lies within the margin, or that of a foreseen mistake.

    ``gap`` is the mean and scatter to go by, points, one value a seed; ``ends`` says what is compared with the
    margin: "both" ends, the "low" end alone, or the "half" width without the mean; "zero" asks for a low end above 0.
    ``t_of`` is a factor that stands in for t of n - 1 degrees of freedom.
    """
    mean, deviation = np.mean(gap), np.std(gap, ddof=ddof)
    for n in range(2, 10_000):
        t = student.ppf(0.5 + level / 2, n - 1) if t_of is None else t_of
        half = t * deviation / n**root
        outer = {
            "both": abs(mean) + half,
            "low": half - mean,
            "half": half,
            "zero": half - mean + MARGIN,
        }
        if outer[ends] < MARGIN:
            return n
    return None


def test_control(design, s) -> str | None:
    """Exercise 2.3: do two recipes differ in their batch alone, and make the same number of updates?"""
    named = isinstance(design, dict) and set(design) == {"SB", "LB"}
    if not named or not all(isinstance(recipe, Recipe) for recipe in design.values()):
        return 'The answer is a dictionary of two recipes: {"SB": Recipe(...), "LB": Recipe(...)}.'
    small, large = design["SB"], design["LB"]
    if (
        large.batch_size < 0.1 * s.control.train_size
        or small.batch_size > 0.02 * s.control.train_size
    ):
        return "LB should be a tenth of the training set or more, as in the paper, and SB a fiftieth or less."
    if small.stop_loss is not None and small.stop_loss == large.stop_loss:
        return "That is the chapter's design: equal losses, and updates that differ. Here give both steps and no stop."
    if small.stop_loss is not None or large.stop_loss is not None:
        return "One stop at its own training loss ends a run before its updates are made: leave out stop_loss."
    for name, sentence in FIXED.items():
        if getattr(small, name) != getattr(large, name):
            return sentence
    if small.steps is None or large.steps is None:
        return "After so many epochs SB has made more updates than LB: give both steps, the same number."
    if small.steps != large.steps:
        return f"SB makes {small.steps:,} updates and LB {large.steps:,}: the same number is asked for."
    for name in vars(small):
        if name != "batch_size" and getattr(small, name) != getattr(large, name):
            return f"They differ in {name} too: a second cause beside the batch size."
    if small.steps < ENOUGH:
        return f"With so few updates SB has not fitted the training set: give both at least {ENOUGH:,} steps."
    return None


def test_error(estimate) -> str | None:
    """Exercise 2.4: does ``error_of_difference(a, b)`` pair the answers of two networks?"""
    if not callable(estimate):
        return "The answer is the function itself: answer = error_of_difference."
    draw = np.random.default_rng(0)
    hard = draw.random(1000)  # how hard each sample is, for both
    a, b = (hard + 0.2 * draw.random(1000) < limit for limit in (0.8, 0.7))
    each = a.astype(float) - b.astype(float)
    right = 100 * each.std() / np.sqrt(1000)
    alone = 100 * np.sqrt((a.var() + b.var()) / 1000)
    found = float(estimate(a, b))
    mistakes = {
        "That adds the variances as if the two had sat different exams.": alone,
        "That is a fraction; percentage points are asked for.": right / 100,
        "That is the deviation of one sample: divide by the root of the number of samples.": 100
        * each.std(),
        "You divided by the number of samples, not by its root.": 100 * each.std() / 1000,
        "That is the difference itself, not its error.": 100 * each.mean(),
        "That is the error of one network's accuracy.": 100 * a.std() / np.sqrt(1000),
    }
    if same(found, right, 2e-3):
        return None
    for sentence, wrong in mistakes.items():
        if same(found, wrong, 2e-3):
            return sentence
    return f"On two sets of 1,000 answers your function gives {found:.3g} points; {right:.3g} is right."


ANSWERS = {
    "2.1": Answer(test=test_interval),
    "2.2": Answer(
        _seeds,
        tolerance=1e-9,
        mistakes={
            "The interval is centered on the mean, not on zero: its upper end reaches out.": lambda gap: (
                _seeds(gap, "half")
            ),
            "At that number the lower end is inside; look at the upper one.": lambda gap: _seeds(
                gap, "low"
            ),
            "That shows a gap, an interval above zero; equality is asked for.": lambda gap: _seeds(
                gap, "zero"
            ),
            "That uses two standard errors; t is a little larger.": lambda gap: _seeds(gap, t_of=2),
            "That uses 1.96 for t, or a standard deviation with the divisor n: take t, and n - 1.": lambda gap: (
                _seeds(gap, ddof=0)
            ),
            "That keeps t = 2.13, which belongs to sixteen seeds; t changes with their number.": lambda gap: (
                _seeds(gap, t_of=student.ppf(0.975, 15))
            ),
            "That is for a 90 percent interval: 0.95 leaves 5 percent above it; take 0.975.": lambda gap: (
                _seeds(gap, level=0.9)
            ),
            "That leaves out the root: the standard error is s over the root of n.": lambda gap: (
                _seeds(gap, root=1.0)
            ),
            "That is how many there are: their interval reaches beyond the margin.": lambda gap: (
                len(gap)
            ),
        },
    ),
    "2.3": Answer(test=test_control),
    "2.4": Answer(test=test_error),
}
