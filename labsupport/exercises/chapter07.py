"""Answers of chapter 7: patience, the signed calibration error, a few wrong labels, choosing without a peek."""

from __future__ import annotations

import numpy as np
import pandas as pd

from labsupport.exercises import Answer


def check_patience_needed(patience_needed) -> str | None:
    """What is wrong with the least patience that keeps the best look of all, or None."""
    cases = (
        ([1, 3, 2, 2, 9], 3),
        ([1, 3, 2, 4, 3, 3, 3, 9, 8, 8, 8, 8, 8], 4),
        ([1, 4, 2, 2, 3, 5], 4),
        ([1, 5, 2, 2, 5], 1),
        ([1, 2, 3], 1),
        ([7, 6, 5, 6], 1),
    )
    for values, right in cases:
        given = patience_needed(list(values))
        if given != right:
            return f"{_patience_mistake(values, given)} patience_needed({values}) gives {given}, not {right}."
    return None


def _patience_mistake(values: list, given) -> str:
    """The sentence for a wrong patience, by the mistake that gives it."""
    best = values.index(max(values))
    records = [i for i in range(best + 1) if values[i] > max(values[:i], default=-np.inf)]
    waits = np.diff(records)
    last = len(values) - 1 - values[::-1].index(max(values))
    mistakes = {
        int(waits.max(initial=0)) - 1: "One too few: at that patience the rule stops at the look "
        "before the new best.",
        int(waits.sum()): "The count starts again at each new best, not only once.",
        len(values) - 1 - best: "That counts the looks after the best one; there it may stop.",
        int(np.diff([*records, last]).max(initial=1)): "Equal is not better: the first of equal "
        "values is kept.",
        0: "A patience below 1 stops before it has looked; the least is 1.",
        len(values): "That is enough, but not the least.",
    }
    return mistakes.get(given, "It must outlast the longest wait for a new best, and no more.")


def check_signed_error(answer, calibration_error) -> str | None:
    """What is wrong with the mean of confidence less right and the table in which it cancels, or None."""
    signed_error, cancel = answer
    for samples, confidence, right in (
        ([50, 5], [95.0, 65.0], [75.0, 40.0]),
        ([10, 20, 70], [45.0, 75.0, 85.0], [60.0, 70.0, 90.0]),
    ):
        table = pd.DataFrame({"samples": samples, "confidence": confidence, "right": right})
        wanted = float(np.average(table.confidence - table.right, weights=table.samples))
        given = signed_error(table.copy())
        if given is None:
            return "signed_error gives None."
        if abs(given - wanted) > 1e-6:
            return _signed_mistake(table, float(given), wanted, calibration_error(table))
    return _cancel_mistake(cancel, calibration_error)


def _signed_mistake(table: pd.DataFrame, given: float, wanted: float, unsigned: float) -> str:
    """The sentence for a wrong signed error of a table, by the mistake that gives it."""
    off = table.confidence - table.right
    mistakes = {
        "Each bin counts alike; weigh it by its samples.": float(off.mean()),
        "That is calibration_error again: keep the sign of each bin.": unsigned,
        (
            "The sign is wrong: above 0 means too sure, so confidence less right."
            if wanted > 0
            else "The sign is lost: a network that is not sure enough has an error below 0."
        ): -wanted,
        "That is the sum over the samples; divide by their number.": wanted * table.samples.sum(),
        "The unit is points: the columns are in percent already.": wanted / 100,
        "That is the sum over the samples; divide by their number, not that of the bins.": wanted
        * table.samples.sum()
        / len(table),
    }
    for says, wrong in mistakes.items():
        if abs(given - wrong) < 1e-6:
            return says
    return f"On {len(table)} bins signed_error gives {given:.3f}, and right is {wanted:.3f}."


def _cancel_mistake(cancel, calibration_error) -> str | None:
    """What is wrong with a table of two bins whose errors cancel, or None."""
    columns = ["samples", "confidence", "right"]
    if not isinstance(cancel, pd.DataFrame) or not set(columns) <= set(cancel.columns):
        return f"signed_error is right. cancel must be a DataFrame with the columns {', '.join(columns)}."
    if len(cancel) != 2:
        return f"signed_error is right. cancel has {len(cancel)} rows; two bins are wanted."
    if (cancel.samples <= 0).any() or not cancel[["confidence", "right"]].stack().between(
        0, 100
    ).all():
        return "signed_error is right. In cancel, samples are above 0 and percents from 0 to 100."
    if (cancel.confidence // 10).clip(upper=9).nunique() < 2:
        return "signed_error is right. Both rows of cancel lie in the same tenth of confidence: that is one bin."
    error = float(calibration_error(cancel))
    signed = float(np.average(cancel.confidence - cancel.right, weights=cancel.samples))
    if abs(signed) > 1e-6:
        return (
            f"signed_error is right. Of cancel it is {signed:g}; for 0, samples times points must "
            "be as much above the line as below."
        )
    if error == 0:
        return "signed_error is right. Both bins of cancel lie on the line: its calibration_error is 0 too."
    if abs(error - 10) > 1e-6:
        return f"signed_error is right. The calibration_error of cancel is {error:g}; 10 is wanted."
    return None


def check_points_lost(answer, watch, set_aside, chosen, recipe) -> str | None:
    """What is wrong with the points that LB loses at 10 percent wrong labels, or None; the chapter's functions."""
    table = watch(*set_aside(0.1), {"LB": recipe})
    ends = table.groupby("seed")
    last = ends.test_accuracy.last()

    def kept(column: str, least: bool = False):
        return chosen(table, column, least=least).set_index("seed").test_accuracy

    best = kept("held_out_accuracy")
    right = float((best - last).mean())
    if abs(answer - right) < 0.05:
        return None
    mistakes = {
        -right: "The sign is wrong: points lost are those of the chosen look minus those of the last.",
        float((kept("test_accuracy") - last).mean()): "That look was chosen by the test accuracy: "
        "a part of these points is what peeking earns.",
        float((kept("held_out_loss", least=True) - last).mean()): "That look was chosen by the "
        "held-out loss; choose by the held-out accuracy.",
        float(
            (ends.held_out_accuracy.max() - ends.held_out_accuracy.last()).mean()
        ): "Those are points "
        "of the samples set aside; they choose the look, the test set scores it.",
        float(best.mean()): "That is the chosen look; subtract the last one.",
        float(last.mean()): "That is the last look; subtract it from the chosen one.",
    }
    for wrong, says in mistakes.items():
        if abs(answer - wrong) < 0.05:
            return says
    return (
        f"You have {answer:.2f} points. Wanted: at 10 percent wrong labels, `set_aside(0.1)`, by the "
        "recipe `to_the_end`, the chosen look less the last, on the test set, over seeds."
    )


def _choose_and_score(right: np.ndarray, choose, score) -> float:
    """Percent: the look that is best on samples ``choose``, minus the last look, on samples ``score``."""
    accuracy = 100 * right[:, score].mean(axis=1)
    return float(accuracy[right[:, choose].mean(axis=1).argmax()] - accuracy[-1])


def check_gain_of_choosing(gain) -> str | None:
    """What is wrong with an estimate of what choosing a look earns that does not peek, or None."""
    rng = np.random.default_rng(7)
    for looks, samples in ((12, 400), (30, 200)):
        level = np.linspace(0.56, 0.60, looks)[:, None]
        right = rng.random((looks, samples)) < level
        even, odd, every = slice(0, None, 2), slice(1, None, 2), slice(None)
        ways = [_choose_and_score(right, even, odd), _choose_and_score(right, odd, even)]
        wanted = float(np.mean(ways))
        given = float(gain(right.copy()))
        if abs(given - wanted) < 1e-6:
            continue
        same = np.mean([_choose_and_score(right, half, half) for half in (even, odd)])
        whole = np.mean([_choose_and_score(right, half, every) for half in (even, odd)])
        mistakes = {
            _choose_and_score(right, every, every): "It chooses and scores on the same samples: "
            "that is hindsight.",
            float(same): "Each half scores the look that it chose itself.",
            float(whole): "The half that chose is among the samples that score.",
            ways[0]: "Only the even half has chosen; let the other choose too.",
            ways[1]: "Only the odd half has chosen; let the other choose too.",
            wanted / 100: "The unit is points: a hundred times a share.",
            -wanted: "The sign is wrong: the chosen look minus the last.",
        }
        for wrong, says in mistakes.items():
            if abs(given - wrong) < 1e-6:
                return says
        return f"On {looks} looks at {samples} samples: {given:.3f}, and right is {wanted:.3f}."
    return None


ANSWERS = {
    "7.1": Answer(test=check_patience_needed),
    "7.2": Answer(test=check_signed_error),
    "7.3": Answer(test=check_points_lost),
    "7.4": Answer(test=check_gain_of_choosing),
}
