"""Answers of chapter 5: shapes by two epsilons, sharpness without its slope, where paths part, an average rise."""

from __future__ import annotations

import numpy as np
import torch

from labsupport.engine.functions import adapt
from labsupport.exercises import Answer, same

VERDICT = "The measure is right. Now use it at the ends of SB and LB: from whose sharpness does it take more?"


def check_bend(answer) -> str | None:
    """What is wrong with (a measure without the slope, "larger" or "smaller"), or None: a plane has 0, a parabola 2
    percent, and LB's end, whose sharpness is nearly all bend, then differs more from SB's, of which half is slope.
    """
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[0]):
        return 'Give the function and the verdict: answer = (bend, "larger") or (bend, "smaller").'
    bend, verdict = answer
    plane = float(bend(adapt(lambda x: 3 * x[0] - x[1]), torch.tensor([1.0, 2.0]), 0.01))
    bowl = float(bend(adapt(lambda x: x[0] ** 2), torch.tensor([1.0]), 0.1))
    if abs(plane) < 1e-2 and abs(bowl - 2.0) < 1e-2:
        return None if same(verdict, "larger", 0) else VERDICT
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


#: The box's half-width, and how many points are drawn, in the tests of an average rise.
HALF, DRAWN = 0.1, 4000


def check_average_rise(average_rise) -> str | None:
    """What is wrong with an estimator of the mean rise in a box, or None: on x^2 at 0 the box is 0.1 wide, and the
    mean of a uniform z^2 is a third of 0.01.
    """

    def given(f, at: float) -> float:
        return float(average_rise(f, torch.tensor([at]), HALF, DRAWN))

    bowl = given(lambda x: (x**2).sum(), 0.0)
    if abs(bowl - 1.0) < 0.1:
        return (
            "On a parabola it gives three times too much: take the mean, not the highest, over points that are "
            "uniform in the box, not its corners or normal numbers."
        )
    if abs(bowl + 1 / 3) < 0.05:
        return "The sign is wrong: it is f(x + z) minus f(x)."
    if abs(bowl - 1 / 12) < 0.02:
        return (
            "You draw half of the box: stretch torch.rand from 0 to 1 so that it runs from -1 to 1."
        )
    if abs(bowl - 1 / 300) < 1e-3:
        return "It is right but for the percent: multiply by 100."
    if abs(bowl - 1 / 3) > 0.05:
        return f"On the parabola x^2 at 0, with epsilon 0.1, it gives {bowl:.3f} instead of 0.333."
    plane = given(lambda x: x.sum(), 1.0)
    if abs(plane) > 1.0:
        return (
            f"On a plane, up and down cancel; it gives {plane:.2f} instead of about 0. "
            "Draw z from both sides of x."
        )
    far = given(lambda x: ((x - 3) ** 2).sum(), 3.0)
    if abs(far - 16 / 3) > 0.5:
        return f"At x = 3 the box is 0.4 wide, epsilon times (|x| + 1); it gives {far:.2f} instead of 5.33."
    high = given(lambda x: 1 + (x**2).sum(), 0.0)
    if abs(high - 1 / 6) > 0.02:
        return (
            f"Where f is 1 the rise is divided by 2, 1 + f; it gives {high:.3f} instead of 0.167."
        )
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
            "That is where LB is twice as sharp in the larger box, 1e-3.": lambda ratio: parting(
                lambda loss: ratio(loss, 1e-3)
            ),
        },
    ),
    "5.4": Answer(test=check_average_rise),
}
