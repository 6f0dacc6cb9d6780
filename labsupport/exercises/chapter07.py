"""Answers of chapter 7: patience, a calibration without a peek, a few wrong labels, what peeking earns."""

from __future__ import annotations

import numpy as np

from labsupport.exercises import Answer


def check_stop_at(stop_at) -> str | None:
    """What is wrong with a rule of patience, or None."""
    cases = (
        (
            [1, 3, 2, 2, 9],
            2,
            1,
            "It must stop when so many looks in a row were no better, and not see what comes after.",
        ),
        ([1, 3, 2, 4, 3, 3, 9], 2, 3, "The count starts again at each new best."),
        ([1, 2, 3], 1, 2, "Where the values rise to the end, the last one is the best."),
        ([5, 5, 5], 2, 0, "Equal is not better: the first of equal values is kept."),
    )
    for values, patience, right, says in cases:
        given = stop_at(list(values), patience)
        if given != right:
            return f"{says} stop_at({values}, {patience}) gives {given}, not {right}."
    return None


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


def check_points_lost(answer, watch, set_aside, recipe) -> str | None:
    """What is wrong with the points that LB loses at 10 percent wrong labels, or None; the chapter's functions."""
    seeds = watch(*set_aside(0.1), {"LB": recipe}).groupby("seed").test_accuracy
    best, last = seeds.max(), seeds.last()
    right = float((best - last).mean())
    if abs(answer - right) < 0.05:
        return None
    if abs(answer + right) < 0.05:
        return "The sign is wrong: points lost are the best minus the last."
    if abs(answer - best.mean()) < 0.05:
        return "That is the accuracy at the best look; subtract the one at the last."
    if abs(answer - last.mean()) < 0.05:
        return "That is the accuracy at the last look; subtract it from the one at the best."
    return f"You have {answer:.2f} points."


def check_peek(peek) -> str | None:
    """What is wrong with the mean of the largest of so many normal values, or None."""
    known = {
        1: 0.0,
        2: 0.5642,
        20: 1.8675,
    }  # in standard deviations; David and Nagaraja, Order Statistics
    for looks, right in known.items():
        given = float(peek(looks, 2.0))
        if abs(given - 2 * right) <= 0.02 * max(2 * right, 1):
            continue
        if abs(given - right) <= 0.02 and right:
            return "It does not depend on sigma: twice the standard deviation earns twice as much."
        if looks == 1:
            return f"One look chooses nothing and earns 0 in the mean; it gives {given:.2f}."
        return (
            f"With {looks} looks and a sigma of 2 it gives {given:.3f}; {2 * right:.3f} is right."
        )
    return None


ANSWERS = {
    "7.1": Answer(test=check_stop_at),
    "7.2": Answer(test=check_calibrated_loss),
    "7.3": Answer(test=check_points_lost),
    "7.4": Answer(test=check_peek),
}
