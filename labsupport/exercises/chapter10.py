"""Chapter 10's exercises: seeds for an equivalence, one change, an interval that keeps its pairs, slope or bowl."""

from __future__ import annotations

import numpy as np
from scipy import stats

from labsupport.exercises import Answer
from labsupport.intervals import interval
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
KEYS = {"reason", "control", "changed", "yes beyond"}
#: LB's batch size on F1's cut, and its mean test accuracy there, in percent.
LARGE, ACCURACY = 1_000, 97.13


def seeds_needed(deviation: float, quantile=None) -> int:
    """The smallest number of seeds whose t-interval has a half-width of at most `HALF_WIDTH`."""
    quantile = quantile or (lambda n: stats.t.ppf(0.975, n - 1))
    return next(n for n in range(2, 100_000) if quantile(n) * deviation / n**0.5 <= HALF_WIDTH)


def _study(study) -> str | None:
    if not isinstance(study, dict) or set(study) != KEYS:
        return (
            'The answer is a dictionary: {"reason": ..., "control": Recipe(...), "changed": Recipe(...), '
            '"yes beyond": points}.'
        )
    if study["reason"] not in FIELDS:
        return f"The reason is {study['reason']!r}; it can be {', '.join(FIELDS)}."
    control, changed = study["control"], study["changed"]
    if not all(isinstance(arm, Recipe) for arm in (control, changed)):
        return "Control and changed arm are recipes: Recipe(...), or recipes['LB'].but(...)."
    return _arms(study["reason"], control, changed) or _threshold(study["yes beyond"])


def _arms(reason: str, control: Recipe, changed: Recipe) -> str | None:
    one, other = vars(control), vars(changed)
    different = {name for name in one if one[name] != other[name]}
    if not different:
        return "The two arms are the same: nothing could come out."
    if "batch_size" in different:
        return "The batch sizes differ: that is the effect to be explained, so it must not change between the arms."
    if control.batch_size != LARGE:
        return f"Both arms have batches of {control.batch_size}; on F1's cut LB's are {LARGE:,}."
    if extra := sorted(different - FIELDS[reason]):
        return f"The arms differ in {', '.join(extra)} too: if the result changes, either could be why."
    if reason not in different:
        return f"The arms do not differ in {reason}."
    if reason == "steps" and changed.stop_plateau:
        return "The plateau rule would stop the changed arm before its updates are made: stop_plateau=None."
    if (
        reason == "learning_rate"
        and not 1 / 64 <= changed.learning_rate / control.learning_rate <= 64
    ):
        return "That rate is more than 64 times another: no batch of this chapter asks for it."
    return None


def _threshold(points) -> str | None:
    if not isinstance(points, (int, float)) or isinstance(points, bool) or not np.isfinite(points):
        return '"yes beyond" is a number of points: which changed minus control would make you say yes?'
    if points == 0:
        return (
            "A number of 0 has no direction: above zero the change has to help, below zero to hurt."
        )
    if points >= 100 - ACCURACY:
        return f"On F1's cut LB tests at {ACCURACY} percent: it cannot gain {points:g} points."
    return None


def _ratio(given) -> str | None:
    cases = (
        ([1.0, 2.0, 4.0, 8.0, 16.0], [160.0, 20.0, 80.0, 10.0, 40.0]),
        ([2.0, 3.0, 2.5, 2.2, 1.8], [40.0, 36.0, 50.0, 44.0, 90.0]),
    )
    for sb, lb in (tuple(map(np.array, case)) for case in cases):
        difference = np.log(lb) - np.log(sb)
        wanted = np.exp(interval(difference))
        found = np.asarray(given(sb.copy(), lb.copy()), dtype=float)
        if found.shape == (3,) and np.allclose(found, wanted):
            continue
        if found.shape != (3,):
            return "It gives something else than three numbers: ratio, low, high."
        for wrong, sentence in (
            (np.exp(interval(np.sort(np.log(lb)) - np.sort(np.log(sb)))), "It still sorts."),
            (
                interval(lb / sb),
                "That is the mean of the ratios: one seed with a huge ratio decides.",
            ),
            (np.exp(interval(-difference)), "That is SB over LB."),
            (interval(difference), "Those are logarithms; take their exponential."),
            (
                _unpaired(sb, lb),
                "That treats SB and LB as strangers: a seed trains both from one start.",
            ),
        ):
            if np.allclose(found, wrong):
                return sentence
        return (
            f"For sb = {sb.tolist()} and lb = {lb.tolist()} it gives {found.round(3).tolist()}, "
            f"not {wanted.round(3).tolist()}."
        )
    return None


def _unpaired(sb: np.ndarray, lb: np.ndarray) -> np.ndarray:
    found = stats.ttest_ind(np.log(lb), np.log(sb), equal_var=False).confidence_interval(0.95)
    return np.exp([np.mean(np.log(lb) - np.log(sb)), found.low, found.high])


#: Rises at a width and at twice that width, in which a slope and a bowl can share.
SHARED = ((0.5, 1.15), (2.0, 7.0), (3.0, 9.0))


def _slope_share(given) -> str | None:
    return next(filter(None, (_shared(given, *rises) for rises in SHARED)), None) or _unshared(
        given
    )


def _shared(given, once: float, twice: float) -> str | None:
    found, wanted = given(once, twice), 2 - twice / (2 * once)
    if found is None:
        return (
            f"For once = {once} and twice = {twice} it gives None, and a slope and a bowl do fit."
        )
    for wrong, sentence in (
        (twice / once, "That is the growth, not a share of the rise."),
        (once / twice, "That is one over the growth, not a share of the rise."),
        (
            (4 * once - twice) / twice,
            "That is the slope's share at twice the width; once is the smaller box.",
        ),
        (1 - wanted, "That is the bowl's share."),
        (wanted * once, "That is the slope's part of the rise; divide it by once."),
        (100 * wanted, "That is in percent; a share lies between 0 and 1."),
    ):
        if np.isclose(found, wrong) and not np.isclose(found, wanted):
            return sentence
    if not np.isclose(found, wanted):
        return f"For once = {once} and twice = {twice} it gives {found:.3g}, not {wanted:.3g}."
    return None


def _unshared(given) -> str | None:
    for once, twice, why in (
        (1.0, 265.0, "more than fourfold: more than any bowl"),
        (3.0, 3.3, "less than twofold: less than any slope"),
    ):
        found = given(once, twice)
        if found is not None and np.isclose(found, np.clip(2 - twice / (2 * once), 0, 1)):
            return f"From {once} to {twice} is {why}; a share cut at 0 or 1 hides it. Return None."
        if found is not None:
            return f"From {once} to {twice} is {why}; no a and b of at least 0 fit. Return None, not {found:.3g}."
    for growth, what, share in ((2, "pure slope", 1), (4, "pure bowl", 0)):
        found = given(1.0, float(growth))
        if found is None or not np.isclose(found, share):
            return f"A growth of {growth} is a {what}: its share is {share}, and yours {found}."
    return None


ANSWERS = {
    "10.1": Answer(
        right=seeds_needed,
        tolerance=0,
        mistakes={
            "That is with 1.96, the normal quantile: Student's is larger for so few seeds.": (
                lambda deviation: seeds_needed(deviation, lambda n: stats.norm.ppf(0.975))
            ),
            "That keeps the quantile of five seeds: it shrinks with n.": (
                lambda deviation: seeds_needed(deviation, lambda n: stats.t.ppf(0.975, 4))
            ),
            "That is for a whole width of 0.11; the half-width is asked for.": (
                lambda deviation: seeds_needed(2 * deviation)
            ),
        },
    ),
    "10.2": Answer(test=_study),
    "10.3": Answer(test=_ratio),
    "10.4": Answer(test=_slope_share),
}
