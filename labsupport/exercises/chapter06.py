"""Answers of chapter 6: an equivalence test and its plan, hills on lines, a flattered speed-up, a schedule."""

from __future__ import annotations

import itertools

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


def _line(s, x_a, x_b, **alphas) -> pd.DataFrame:
    """The training loss between two points (S, n): a row an alpha, a column a seed."""
    line = experiments.between(s, x_a=x_a, x_b=x_b, **alphas)
    return line.pivot(index="alpha", columns="seed", values="loss")


def _height(line: pd.DataFrame) -> float:
    """The top of each column over the higher of its first and last row; the mean of the columns."""
    return float((line.max() - line.iloc[[0, -1]].max()).mean())


def check_hill(hill, s, x_a, x_b) -> str | None:
    """What is wrong with the height of a hill between points x_a and x_b (S, n), or None."""
    line = _line(s, x_a, x_b, alphas=np.linspace(0, 1, 11))
    ends, right = line.iloc[[0, -1]], _height(line)
    given = float(hill(x_a, x_b))
    if abs(given - right) <= 1e-3:
        return None
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
        "The ends are missing from your alphas: np.linspace(0, 1, 11) begins and ends at the two networks.": _height(
            line.iloc[1:-1]
        ),
        "You leave alphas as they are: they go beyond the two networks; give np.linspace(0, 1, 11).": _height(
            _line(s, x_a, x_b)
        ),
    }
    for sentence, wrong in mistakes.items():
        if abs(given - wrong) <= 1e-3:
            return sentence
    return f"From the last SB iterate to the cold LB you find {given:.4f}; {right:.4f} is right."


def _example() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A small table of relays, and SB's history, on which each mistake gives another number.

    SB ends at 70 percent after 1,000 updates. Its mean passes 69.5 after 800, its best seed after 600.
    """
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
    means = [10, 40, 50, 58, 63, 66, 68, 69, 69.6, 70, 70]
    history = [
        {"seed": seed, "steps": 100 * k, "test_accuracy": mean + apart}
        for seed, apart in enumerate((-2, 2))
        for k, mean in enumerate(means)
    ]
    return pd.DataFrame(rows), pd.DataFrame(history)


#: What is left when one of the code's three mistakes is not repaired.
FLATTERS = {
    "best": "The best of the relay's seeds is still compared with SB's mean.",
    "free": "The scout's updates are still left out: they have to be made too.",
    "whole": "SB is still charged its whole run: count its updates up to where it is good enough.",
}


def _speed_up(table, history, per_epoch, best=False, free=False, whole=False) -> float:
    """The speed-up of exercise 6.3, with those of its mistakes that are true."""
    lb, sb = table[table.batch == "LB"], table[table.batch == "SB"]
    goal = sb[sb.k == sb.k.max()].test_accuracy.mean() - 0.5
    relay = lb.groupby("k").test_accuracy.agg("max" if best else "mean")
    k = relay[relay >= goal].index[0]
    along = history.groupby("steps").test_accuracy.mean()
    charged = history.steps.max() if whole else along.index[along >= goal][0]
    return float(charged / (lb[lb.k == k].updates.mean() - free * k * per_epoch))


def check_speed_up(speed_up) -> str | None:
    """What is wrong with a speed-up, tried on a small table, or None."""
    example = (*_example(), 100)
    given, right = float(speed_up(*example)), _speed_up(*example)
    if abs(given - right) < 1e-6:
        return None
    for made in itertools.product((True, False), repeat=len(FLATTERS)):
        mistakes = dict(zip(FLATTERS, made))
        if abs(given - _speed_up(*example, **mistakes)) < 1e-6:
            if all(made):
                return (
                    "All three mistakes are still there: is a best seed a mean, who makes the scout's updates, "
                    "and how many does SB need?"
                )
            return " ".join(FLATTERS[name] for name, is_made in mistakes.items() if is_made)
    others = {
        "You take the best relay; the earliest that is good enough is asked for.": 800 / 850,
        "You take SB's best seed; SB is good enough when its mean is.": 600 / 450,
        "SB need not reach its end: half a point below is good enough, as for the relay.": 900
        / 450,
    }
    for sentence, number in others.items():
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
