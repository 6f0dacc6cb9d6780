"""Chapter 10's exercises: seeds for an equivalence, one change at a time, a ratio that pairs seeds."""

from __future__ import annotations

import numpy as np
from scipy import stats

from labsupport.exercises import Answer
from labsupport.recipe import Recipe

#: Half of the paper's smallest gap, in points.
HALF_WIDTH = 0.11
#: {reason: the fields of a recipe that express it}.
FIELDS = {
    "learning_rate": {"learning_rate"},
    "steps": {"steps", "epochs", "stop_plateau"},
    "stop_plateau": {"stop_plateau", "epochs", "stop_loss"},
    "ghost_batch": {"ghost_batch"},
}


def seeds_needed(deviation: float, quantile=None) -> int:
    """The smallest number of seeds whose t-interval has a half-width of at most `HALF_WIDTH`."""
    quantile = quantile or (lambda n: stats.t.ppf(0.975, n - 1))
    return next(n for n in range(2, 100_000) if quantile(n) * deviation / n**0.5 <= HALF_WIDTH)


def _study(study) -> str | None:
    if not isinstance(study, dict) or set(study) != {"reason", "control", "changed"}:
        return 'The answer is a dictionary: {"reason": ..., "control": Recipe(...), "changed": Recipe(...)}.'
    if study["reason"] not in FIELDS:
        return f"The reason is {study['reason']!r}; it can be {', '.join(FIELDS)}."
    arms = study["control"], study["changed"]
    if not all(isinstance(arm, Recipe) for arm in arms):
        return "Control and changed arm are recipes: Recipe(...), or recipes['LB'].but(...)."
    control, changed = (vars(arm) for arm in arms)
    different = {name for name in control if control[name] != changed[name]}
    if not different:
        return "The two arms are the same: nothing could come out."
    if "batch_size" in different:
        return "The batch sizes differ: that is the effect to be explained, so it must not change between the arms."
    if extra := sorted(different - FIELDS[study["reason"]]):
        return f"The arms differ in {', '.join(extra)} too: if the result changes, either could be why."
    if study["reason"] not in different:
        return f"The arms do not differ in {study['reason']}."
    return None


def _ratio(given) -> str | None:
    cases = (
        ([1.0, 2.0, 4.0, 8.0, 16.0], [10.0, 20.0, 40.0, 80.0, 160.0]),
        ([2.0, 3.0, 2.5, 2.2, 1.8], [40.0, 900.0, 50.0, 44.0, 36.0]),
    )
    for sb, lb in (tuple(map(np.array, case)) for case in cases):
        wanted = float(np.exp(np.mean(np.log(lb / sb))))
        found = float(given(sb, lb))
        if np.isclose(found, wanted):
            continue
        for wrong, sentence in (
            (lb.mean() / sb.min(), "It still divides by SB's smallest value."),
            (lb.mean() / sb.mean(), "That is the ratio of the means, in which one seed can decide."),
            ((lb / sb).mean(), "That is the mean of the ratios: one seed with a huge ratio decides."),
            (1 / wanted, "That is SB over LB."),
            (np.log(wanted), "That is the mean logarithm; take its exponential."),
        ):
            if np.isclose(found, wrong) and not np.isclose(wrong, wanted):
                return sentence
        return f"For sb = {sb.tolist()} and lb = {lb.tolist()} it gives {found:.3g}, not {wanted:.3g}."
    return None


ANSWERS = {
    "10.1": Answer(
        right=seeds_needed,
        tolerance=0,
        mistakes={
            "That is with 1.96, the normal quantile: Student's is larger for so few seeds.": (
                lambda deviation: seeds_needed(deviation, lambda n: stats.norm.ppf(0.975))
            ),
            "That is for a whole width of 0.11; the half-width is asked for.": (
                lambda deviation: seeds_needed(2 * deviation)
            ),
        },
    ),
    "10.2": Answer(test=_study),
    "10.3": Answer(test=_ratio),
}
