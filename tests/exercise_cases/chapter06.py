"""Chapter 6 in small: a table of relays, two points of smoke scale, and schedules whose outcome is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from labsupport import Objective, Problem, experiments, settings
from labsupport.exercises import chapter06


def names() -> dict:
    s = settings.TABLE["smoke"]
    both = experiments.minima(s)
    other_seeds = SimpleNamespace(x=both["LB"].x.flip(0))  # there is a hill on the way to them
    table, _ = chapter06._example()
    return {
        "np": np,
        "s": s,
        "experiments": experiments,
        "Objective": Objective,
        "Problem": Problem,
        "both": both,
        "iterates": experiments.iterates(s),
        "followers": {0: other_seeds, 3: both["LB"]},
        "ks": [0, 3],
        "table": table,
        "per_epoch": 100,
        "schedule": _schedule,
        "grew": pd.Series([68.8, 68.8]),
    }


def _schedule(stages, problem=None):
    """What training by ``stages`` came to, as a function of the first change: later is better and dearer."""
    epoch = stages[0][0]
    final = pd.DataFrame({"test_accuracy": [60.0 + epoch / 2], "steps": [1.0 * epoch]})
    return SimpleNamespace(final=final, x=experiments.minima(settings.TABLE["smoke"])["SB"].x)


_VERDICT = """
def verdict(differences, margin):
    d = np.asarray(differences, dtype=float)
    half = {half}
    low, high = d.mean() - half, d.mean() + half
    if {equal}:
        return "equal"
    return "different" if {different} else "not known"

answer = verdict, seeds
"""
_PLAN = """
from labsupport.exercises import chapter06
verdict = chapter06._verdict

def seeds(differences, margin):
    d = np.asarray(differences, dtype=float)
    room = {room}
    if {never}:
        return None
    n = {first}
    while {factor} * d.std(ddof=1) / np.sqrt(n) >= room:
        n += 1
    return n

answer = verdict, seeds
"""
_ROOM, _FACTOR = "margin - abs(d.mean())", "stats.t.ppf(0.975, n - 1)"
_T = "stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))"
_INSIDE, _OUTSIDE = "-margin < low and high < margin", "low > margin or high < -margin"
_HILL = """
def hill(x_a, x_b):
    line = experiments.between(s, x_a=x_a, x_b=x_b, alphas=np.linspace(0, 1, 11))
    line = line.pivot(index="alpha", columns="seed", values="loss")
    return {value}

answer = hill
"""
_HEIGHT = "float((line.max() - line.iloc[[0, -1]].max()).mean())"
_SPEED_UP = """
def speed_up(table, history, per_epoch):
    lb, sb = table[table.batch == "LB"], table[table.batch == "SB"]
    goal = sb[sb.k == sb.k.max()].test_accuracy.mean() - 0.5
    relay = lb.groupby("k").test_accuracy.{relay}()
    k = relay[relay >= goal].index[{which}]
    along = history.groupby("steps").test_accuracy.{along}()
    charged = {charged}
    return charged / (lb[lb.k == k].updates.mean() - {free})

answer = speed_up
"""
_UP_TO_GOAL = "along.index[along >= goal][0]"


def _sped(relay="mean", which=0, along="mean", charged=_UP_TO_GOAL, free=0) -> str:
    """The solution of 6.3, with what is given in the place of what is right."""
    return _SPEED_UP.format(relay=relay, which=which, along=along, charged=charged, free=free)


WRONG = {
    "6.1": {
        _VERDICT.format(
            half=_T.replace("stats.t.ppf(0.975, len(d) - 1)", "2"),
            equal=_INSIDE,
            different=_OUTSIDE,
        ): "2.78",
        _VERDICT.format(half=_T, equal="low < 0 < high", different=_OUTSIDE): "contains zero",
        _VERDICT.format(
            half=_T, equal=_INSIDE, different="high > margin or low < -margin"
        ): "on one side",
        _VERDICT.format(half=_T, equal=_INSIDE, different="low > margin"): "both sides",
        "answer = lambda *given: 'equal', seeds": "both sides",
        "answer = verdict": "Two functions",
        _PLAN.format(room="margin", never="room <= 0", first=2, factor=_FACTOR): "were zero",
        _PLAN.format(room=_ROOM, never="room <= 0", first=2, factor=2): "for any number",
        _PLAN.format(room=_ROOM, never="room <= 0", first=2, factor=1.96): "for any number",
        _PLAN.format(
            room=_ROOM, never="room <= 0", first=2, factor="stats.t.ppf(0.975, 4)"
        ): "factor of five seeds",
        _PLAN.format(
            room="margin - d.mean()", never="room <= 0", first=2, factor=_FACTOR
        ): "on either side",
    },
    "6.2": {
        _HILL.format(
            value="float((line.max() - line.iloc[[0, -1]].min()).mean())"
        ): "the lower end",
        _HILL.format(value="float(line.max().mean())"): "top of the line",
        _HILL.format(value=_HEIGHT).replace("0, 1, 11", "0.1, 0.9, 9"): "The ends are missing",
        _HILL.format(value=_HEIGHT).replace(", alphas=np.linspace(0, 1, 11)", ""): "go beyond",
        _HILL.format(value="float(line.max().mean()) + 5"): "is right",
    },
    "6.3": {
        "answer = speed_up": "All three mistakes",
        _sped(relay="max"): "best of the relay's seeds",
        _sped(free="k * per_epoch"): "have to be made too",
        _sped(charged="history.steps.max()"): "charged its whole run",
        _sped(relay="max", free="k * per_epoch"): "SB's mean. The scout's updates",
        _sped(which=-1): "the earliest",
        _sped(along="max"): "SB's best seed",
        _sped(charged="along.index[along >= goal + 0.5][0]"): "need not reach its end",
        _sped(charged="1"): "it gives",
    },
    "6.4": {
        "stages = ((10, 400),)": "Keep the small batch for longer",
        "stages = ((5000, 400),)": "updates",
    },
}
