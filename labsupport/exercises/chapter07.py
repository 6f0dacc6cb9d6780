"""Answers of chapter 7: patience, a calibration without a peek, a few wrong labels, choosing without a peek."""

from __future__ import annotations

import numpy as np

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


def _cross_entropy(outputs: np.ndarray, y: np.ndarray) -> float:
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]))


def _outputs(scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (400, 5) of an overconfident network and the true labels (400,)."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, 400)
    outputs = rng.normal(size=(400, 5))
    outputs[np.arange(400), y] += 1.5
    return scale * outputs, y


def check_calibrated_loss(calibrated_loss) -> str | None:
    """What is wrong with the test loss after calibration on a held-out part, or None."""
    (held, y_held), (test, y_test) = _outputs(2.2, 0), _outputs(6.0, 1)
    temperatures = np.geomspace(0.5, 16, 31)

    def fitted(outputs, y, power=-1):
        return temperatures[
            int(np.argmin([_cross_entropy(outputs * T**power, y) for T in temperatures]))
        ]

    right = _cross_entropy(test / fitted(held, y_held), y_test)
    mistakes = {
        "Both bugs are still there.": _cross_entropy(test / fitted(test, y_test, 1), y_test),
        "The temperature is still chosen on the test set.": _cross_entropy(
            test / fitted(test, y_test), y_test
        ),
        "It still multiplies while it searches for the temperature, and divides when it reports.": _cross_entropy(
            test / fitted(held, y_held, 1), y_test
        ),
        "That is the loss of the held-out samples; the test loss is asked for.": _cross_entropy(
            held / fitted(held, y_held), y_held
        ),
    }
    given = float(calibrated_loss(held, y_held, test, y_test))
    if abs(given - right) < 1e-6:
        return None
    for says, wrong in mistakes.items():
        if abs(given - wrong) < 1e-6:
            return says
    return f"On an example whose loss is {right:.4f} it gives {given:.4f}."


def check_points_lost(answer, watch, set_aside, chosen, recipe) -> str | None:
    """What is wrong with the points that LB loses at 10 percent wrong labels, or None; the chapter's functions."""
    table = watch(*set_aside(0.1), {"LB": recipe})
    last = table.groupby("seed").test_accuracy.last()

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
        float(best.mean()): "That is the chosen look; subtract the last one.",
        float(last.mean()): "That is the last look; subtract it from the chosen one.",
    }
    for wrong, says in mistakes.items():
        if abs(answer - wrong) < 0.05:
            return says
    return f"You have {answer:.2f} points."


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
    "7.2": Answer(test=check_calibrated_loss),
    "7.3": Answer(test=check_points_lost),
    "7.4": Answer(test=check_gain_of_choosing),
}
