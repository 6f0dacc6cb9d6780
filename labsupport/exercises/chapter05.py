"""Answers of chapter 5: the slope's share by two boxes, sharpness without its slope, a first passage, an average rise,
a control.
"""

from __future__ import annotations

import numpy as np
import torch

from labsupport.engine.functions import adapt
from labsupport.exercises import Answer, same

SHARE_VERDICT = "The function is right. Now use it: whose ratio at the end is above 4?"
VERDICT = "The measure is right. Now use it at the ends of SB and LB: from whose sharpness does it take more?"


def check_share(answer) -> str | None:
    """What is wrong with (the slope's share by two boxes, "SB" or "LB"), or None: a = 3 and b = 1 make 4 in the larger
    box and 1.75 in the smaller one, and three quarters are slope.
    """
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[0]):
        return 'Give the function and the name: answer = (share, "SB") or (share, "LB").'
    share, whose = answer
    mixed = share(4.0, 1.75)
    if mixed is None:
        return "Your function returns nothing yet."
    mixed = float(mixed)
    if abs(mixed - 0.75) < 1e-6 and abs(float(share(8.0, 2.0))) < 1e-6:
        return None if same(whose, "LB", 0) else SHARE_VERDICT
    for wrong, sentence in SHARE_MISTAKES.items():
        if abs(mixed - wrong) < 1e-6:
            return sentence
    return f"With a slope of 3 and a bend of 1 it gives {mixed:.3f} instead of 0.75."


#: What a mistaken share gives for 4 and 1.75, and what to say.
SHARE_MISTAKES = {
    0.25: "That is the bend's share; the slope's is asked for.",
    3.0: "That is the slope's part itself: divide it by the larger value.",
    0.875: "You doubled the smaller value and divided: a quarter of the bend is in it as well.",
    4 * 4 / 1.75 - 1: "The two are exchanged: divide four times the smaller value by the larger.",
    12 / 7: "You divided by the smaller value: the share of the larger one is asked for.",
    16 / 7: "That is the ratio of the two. What ratio would slope alone give, and bend alone?",
}


def check_bend(answer) -> str | None:
    """What is wrong with (a measure without the slope, "larger" or "smaller"), or None: a plane has 0, a parabola 2
    percent, and the ratio of LB's end, nearly all bend, to SB's, of which half is slope, is then larger.
    """
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[0]):
        return 'Give the function and the verdict: answer = (bend, "larger") or (bend, "smaller").'
    bend, verdict = answer
    plane = bend(adapt(lambda x: 3 * x[0] - x[1]), torch.tensor([1.0, 2.0]), 0.01)
    if plane is None:
        return "Your function returns nothing yet."
    plane = float(plane)
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


#: One run's records in the order of time, for a first passage: the loss falls, jumps, and falls again.
LOSSES = np.array([1.0, 0.1, 0.01, 0.5, 0.05, 0.005])
VALUES = np.array([1.0, 10.0, 100.0, 1.0, 2.0, 1.0])


def check_first_passage(first_passage) -> str | None:
    """What is wrong with the value at the first passage of a loss, or None: on the way down from 0.1 to 0.01 the value
    rises from 10 to 100, so that it is 20 at a loss of 0.05; later the run passes 0.05 once more.
    """

    def given(level: float, end: int = len(LOSSES)) -> float:
        found = first_passage(LOSSES[:end].copy(), VALUES[:end].copy(), level)
        return float("nan") if found is None else float(found)

    if np.isnan(given(0.05)):
        return "It gives nothing at a loss that the run passes."
    if abs(given(0.05, 3) - 60.0) < 0.1:
        return "You join the records by a straight line on linear axes: take logarithms of both."
    if abs(given(0.05, 3) - 10 ** (1 + 5 / 9)) < 0.1:
        return "The losses need their logarithm too, as the values do."
    if abs(given(0.05, 3) - (10 + 90 * np.log10(2))) < 0.1:
        return "The values need their logarithm too, as the losses do."
    if abs(given(0.05, 3) - 100.0) < 0.1:
        return "You return the first record at or below the level: draw the line from the record before it."
    if abs(given(0.05, 3) - 20.0) > 0.1:
        return f"From (0.1, 10) to (0.01, 100) it gives {given(0.05, 3):.3g} at 0.05 instead of 20."
    if abs(given(0.05) - 20.0) > 0.1:
        return (
            f"On a run with a spike it gives {given(0.05):.3g} instead of 20: keep the order of time, do not sort, "
            "and stop at the first passage."
        )
    if abs(given(0.01) - 100.0) > 0.1 or abs(given(0.1, 3) - 10.0) > 0.1:
        return "A record that lies at the level itself counts: its own value is asked for there."
    if not np.isnan(given(0.001)):
        return f"The run never falls to 0.001, and yet it gives {given(0.001):.3g}: return np.nan there."
    if not np.isnan(given(2.0)):
        return f"The run begins below 2, and yet it gives {given(2.0):.3g} there: return np.nan."
    return None


#: The box's half-width, and how many points are drawn, in the tests of an average rise.
HALF, DRAWN = 0.1, 4000


def check_average_rise(answer) -> str | None:
    """What is wrong with (an estimator of the mean rise in a box, the mean on x^2 at 0), or None: the box is 0.1 wide,
    the mean of a uniform z^2 is a third of 0.01, and 100 times that is 0.33 percent.
    """
    if not isinstance(answer, tuple) or len(answer) != 2 or not callable(answer[0]):
        return "Give the function and the number from your head: answer = (average_rise, number)."
    average_rise, in_head = answer
    if not same(in_head, 1 / 3, 0.02):
        for sentence, wrong in MEAN_MISTAKES.items():
            if same(in_head, wrong, 0.02):
                return sentence
        return (
            f"The number cannot be {in_head!r}: it is the mean of 100 z^2, for z uniform from -0.1 to 0.1, "
            "divided by 1 + 0."
        )
    if average_rise(lambda x: (x**2).sum(), torch.tensor([0.0]), HALF, 2) is None:
        return "Your number is right; your function returns nothing yet."

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


#: What to say to a mistaken mean on the parabola, in percent.
MEAN_MISTAKES = {
    "The number 1 is the rise at the worst corner: most points of the box lie lower.": 1.0,
    "The number is not 0: on a slope up and down cancel, but at 0 the parabola rises to both sides.": 0.0,
    "The number is the rise at the mean |z|; the mean of z^2 is larger than the mean's square.": 0.25,
    "The number is half of the highest rise: that would be the mean on |x|, and a parabola lies lower.": 0.5,
    "The number is right but for the percent: multiply by 100.": 1 / 300,
}

ANSWERS = {
    "5.1": Answer(test=check_share),
    "5.2": Answer(test=check_bend),
    "5.3": Answer(test=check_first_passage),
    "5.4": Answer(test=check_average_rise),
    "5.5": Answer(
        "a",
        mistakes={
            "Other seeds say how often, not how long: these runs, too, do a tenth of the training.": "b",
            "Two changes at once, and as little training as before: it can tell even less.": "c",
            "A spike there would come at the full rate, of which we know that it spikes: it says nothing about "
            "how long the small rate would stay calm.": "d",
        },
    ),
}
