"""Answers of chapter 6: an equivalence test and its plan, hills on lines, a flattered speed-up, a schedule."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from labsupport import experiments
from labsupport.exercises import Answer

#: Five differences each, and the verdicts at a margin of 0.5: tight, shifted, wide, tight at the margin, borderline.
DIFFERENCES = {
    "equal": [0.1, -0.1, 0.05, 0.0, -0.05],
    "different": [-1.9, -2.1, -2.0, -2.05, -1.95],
    "not known": [1.5, -1.2, 0.4, -0.8, 0.6],
    "not known beside the margin": [0.42, 0.52, 0.47, 0.44, 0.5],
    "not known, though two standard errors fit": [0.36, 0.60, 0.2, -0.05, 0.25],
}
MARGIN = 0.5


def _verdict(differences, margin: float, factor: float | None = None) -> str:
    d = np.asarray(differences, dtype=float)
    factor = stats.t.ppf(0.975, len(d) - 1) if factor is None else factor
    half = factor * d.std(ddof=1) / np.sqrt(len(d))
    low, high = d.mean() - half, d.mean() + half
    if -margin < low and high < margin:
        return "equal"
    return "different" if low > margin or high < -margin else "not known"


def check_verdict(verdict) -> str | None:
    """What is wrong with an equivalence test, or None."""
    for d in DIFFERENCES.values():
        right, given = _verdict(d, MARGIN), str(verdict(d, MARGIN))
        if given == right:
            continue
        if right == "not known" and given == _verdict(d, MARGIN, 2.0):
            return "With five seeds the factor is 2.78, not 2: use stats.t.ppf(0.975, n - 1)."
        if right == "not known" and given == "equal":
            return (
                "You call differences equal because their interval contains zero or because their mean is small. "
                "Equal needs both ends of the interval inside the margin."
            )
        if right == "not known" and given == "different":
            return (
                "You call differences different because their interval leaves the margin on one side. "
                "Different needs the whole interval outside of it."
            )
        if right == "different" and given != "different":
            return "The differences near -2 are different too: look at both sides of the margin."
        return f"For {d} and a margin of {MARGIN} it says {given!r}; {right!r} is right."
    return None


def _needed(differences, margin: float, factor=None, room: float | None = None) -> int | None:
    """Seeds until the interval around this mean lies inside the margin; ``factor(n)`` and ``room`` for mistakes."""
    d = np.asarray(differences, dtype=float)
    room = margin - abs(d.mean()) if room is None else room
    factor = factor or (lambda n: stats.t.ppf(0.975, n - 1))
    if room <= 0:
        return None
    return next(n for n in range(2, 10**6) if factor(n) * d.std(ddof=1) / np.sqrt(n) < room)


#: Five differences whose plan differs for each foreseen mistake, and a pair whose mean lies outside the margin.
PLANNED = [0.8, -0.3, 0.5, 0.4, 0.1]
OUTSIDE = [1.4, 0.2, 0.9, 0.6, 0.4]


def check_plan(seeds) -> str | None:
    """What is wrong with a number of seeds, or None."""
    given, right = seeds(PLANNED, MARGIN), _needed(PLANNED, MARGIN)
    mistakes = {
        _needed(
            PLANNED, MARGIN, room=MARGIN
        ): "You plan as if the true difference were zero: the mean stays as it is, "
        "and only what is left between it and the margin is room for the interval.",
        **{
            _needed(
                PLANNED, MARGIN, factor=lambda n, normal=normal: normal
            ): f"Your factor is {normal:g} for any number "
            "of seeds: use stats.t.ppf(0.975, n - 1) with the n that you try."
            for normal in (1.96, 2.0)
        },
        _needed(
            PLANNED, MARGIN, factor=lambda n: stats.t.ppf(0.975, 4)
        ): "You keep the factor of five seeds: it falls with the number of seeds, too.",
        (right or 0)
        - 1: "One seed too few: that many leave the interval's end on the margin or outside of it.",
    }
    if given in mistakes:
        return mistakes[given]
    if given != right:
        return f"For {PLANNED} and a margin of {MARGIN} it says {given!r} seeds; {right} is right."
    for d in (OUTSIDE, [-x for x in OUTSIDE]):
        if seeds(d, MARGIN) is not None:
            return "A mean outside of the margin, on either side, never becomes equal with more seeds: return None."
    mirrored = seeds([-x for x in PLANNED], MARGIN)
    if mirrored != right:
        return (
            "Differences of the other sign need as many seeds: what counts is the size of the mean."
        )
    return None


def check_equivalence(answer) -> str | None:
    """What is wrong with a pair (verdict, seeds), or None."""
    try:
        verdict, seeds = answer
    except TypeError:
        return "Two functions are asked for: answer = verdict, seeds."
    return check_verdict(verdict) or check_plan(seeds)


def check_hill(hill, s, x_a, x_b) -> str | None:
    """What is wrong with the height of a hill between points x_a and x_b (S, n), or None."""
    line = experiments.between(s, x_a=x_a, x_b=x_b, alphas=np.linspace(0, 1, 11))
    line = line.pivot(index="alpha", columns="seed", values="loss")
    ends = line.iloc[[0, -1]]
    right = float((line.max() - ends.max()).mean())
    mistakes = {
        "You subtract the lower end; the higher of the two is asked for.": float(
            (line.max() - ends.min()).mean()
        ),
        "You subtract nothing: that is the top of the line, not the height of the hill over its ends.": float(
            line.max().mean()
        ),
        "You take the mean over the seeds first: take each seed's top, then the mean.": float(
            line.mean(axis=1).max() - line.mean(axis=1).iloc[[0, -1]].max()
        ),
    }
    given = float(hill(x_a, x_b))
    if abs(given - right) <= 1e-3:
        return None
    for sentence, wrong in mistakes.items():
        if abs(given - wrong) <= 1e-3:
            return sentence
    return f"From the last SB iterate to the cold LB you find {given:.4f}; {right:.4f} is right."


def _example() -> pd.DataFrame:
    """A small table of relays on which each mistake gives another number; SB ends at 70 percent after 1,000 updates."""
    ends = {0: (50, [60, 61]), 2: (300, [66, 71]), 4: (450, [70, 71]), 8: (850, [72, 72])}
    rows = [
        {"batch": "LB", "k": k, "seed": seed, "updates": updates, "test_accuracy": value}
        for k, (updates, values) in ends.items()
        for seed, value in enumerate(values)
    ]
    rows += [
        {"batch": "SB", "k": k, "seed": seed, "updates": 100 * k, "test_accuracy": 10 + 6 * k}
        for k in (0, 2, 4, 10)
        for seed in range(2)
    ]
    return pd.DataFrame(rows)


def check_speed_up(speed_up) -> str | None:
    """What is wrong with a speed-up, tried on a small table, or None."""
    mistakes = {
        1000
        / 100: "Both mistakes are still there: who makes the scout's updates, and is a best seed a mean?",
        1000 / 300: "You still compare the best of the relay's seeds with SB's mean.",
        1000 / 50: "The scout's updates are still left out: they have to be made too.",
        1000 / 850: "You take the best relay; the earliest that is good enough is asked for.",
    }
    given, right = float(speed_up(_example(), 100)), 1000 / 450
    if abs(given - right) < 1e-6:
        return None
    for number, sentence in mistakes.items():
        if abs(given - number) < 1e-6:
            return sentence
    return f"On a small table with the answer {right:.3f} it gives {given:.3f}."


def check_stages(stages, schedule, ours: float, most: float) -> str | None:
    """What a schedule lacks after one look at the test set, or None.

    ``schedule`` trains stages on all samples; ``ours`` is the accuracy to beat (percent), ``most`` the updates allowed.
    """
    last = schedule(tuple(stages)).final
    accuracy, updates = last.test_accuracy.mean(), last.steps.mean()
    if updates > most:
        return f"It makes {updates:.0f} updates; at most {most:.0f} are allowed. Grow sooner, or further."
    if accuracy <= ours:
        return f"It tests at {accuracy:.1f} percent, our stages at {ours:.1f}. Keep the small batch for longer."
    return None


ANSWERS = {
    "6.1": Answer(test=check_equivalence),
    "6.2": Answer(test=check_hill),
    "6.3": Answer(test=check_speed_up),
    "6.4": Answer(test=check_stages),
}
