"""Answers of chapter 5: shapes by two epsilons, sharpness without its slope, where paths part, a spike detector."""

from __future__ import annotations

import numpy as np
import torch

from labsupport.engine.functions import adapt
from labsupport.exercises import Answer


def check_bend(bend) -> str | None:
    """What is wrong with a measure without the slope, or None: a plane has 0, a parabola 2 percent."""
    plane = float(bend(adapt(lambda x: 3 * x[0] - x[1]), torch.tensor([1.0, 2.0]), 0.01))
    bowl = float(bend(adapt(lambda x: x[0] ** 2), torch.tensor([1.0]), 0.1))
    if abs(plane) < 1e-2 and abs(bowl - 2.0) < 1e-2:
        return None
    if abs(bowl - 22.0) < 1e-1:
        return "That is the whole sharpness: subtract the slope part."
    if abs(bowl + 2.0) < 1e-2:
        return "The sign is wrong: it is sharpness minus slope part."
    if abs(bowl - 1.1) < 1e-2:
        return "That is the ratio of the two; the difference is asked for."
    if abs(plane) >= 1e-2:
        return f"On a plane it gives {plane:.2f} instead of 0."
    return f"On the parabola it gives {bowl:.2f} instead of 2.00."


def parting(ratio, level: float = 2.0) -> float:
    """The loss between 1 and 0.02 at which ``ratio``, a function of it, is ``level``."""
    losses = np.geomspace(1.0, 0.02, 400)
    return float(losses[np.argmin([abs(ratio(loss) - level) for loss in losses])])


#: One run each: losses, stop, and what is right.
RUNS = {
    "a spike after the stop": ([2.0, 0.002, 0.001, 0.05, 0.3, 0.01, 0.0015, 0.9], (4, 6)),
    "a jump before the stop": ([1.0, 0.02, 0.5, 0.01, 0.001, 0.0005], None),
    "a rise that stays below the stop": ([1.0, 0.002, 0.0001, 0.0015, 0.0001], None),
    "a spike that does not come back": ([1.0, 0.001, 0.4, 0.2], (2, None)),
    "never at the stop": ([1.0, 0.5, 0.1], None),
}
STOP = 2e-3


def check_first_spike(first_spike) -> str | None:
    """What is wrong with a spike detector, or None."""
    says = {
        "a spike after the stop": "The top is the highest loss of the first spike; after is the first record back.",
        "a jump before the stop": "You count a jump that comes before the loss has ever been at the stop.",
        "a rise that stays below the stop": "You count a rise that stays below the stop.",
        "a spike that does not come back": "Where the loss does not come back, after is None and the top still counts.",
        "never at the stop": "A run that never reaches the stop has no spike after it.",
    }
    for name, (losses, right) in RUNS.items():
        given = first_spike(list(losses), STOP)
        given = None if given is None else tuple(given)
        if given != right:
            return f"{says[name]} For {losses} it gives {given}; {right} is right."
    return None


ANSWERS = {
    "5.1": Answer(
        [2, 4, 16],
        mistakes={
            "Those are the powers; two to these powers is asked for.": [1, 2, 4],
            "A box twice as wide makes the step twice as long, and the rise 2 to the power: you halved instead.": [
                0.5,
                0.25,
                0.0625,
            ],
            "You doubled all three: only the slope's rise doubles.": [2, 2, 2],
            "The fourth power of 2 is 16.": [2, 4, 8],
        },
    ),
    "5.2": Answer(test=check_bend),
    "5.3": Answer(
        parting,
        tolerance=0.1,
        mistakes={
            "That is where the two are equally sharp: the ratio is 1 there.": lambda ratio: parting(
                ratio, 1.0
            ),
            "That is where LB is three times as sharp.": lambda ratio: parting(ratio, 3.0),
        },
    ),
    "5.4": Answer(test=check_first_spike),
}
