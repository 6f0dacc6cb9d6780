"""Chapter 9, what still stands: the answers."""

from __future__ import annotations

import numpy as np

from labsupport import symmetry
from labsupport.exercises import Answer
from labsupport.experiments import minima, questions, scorecards
from labsupport.sharpness import sharpness


def _flatter(factor, s) -> str | None:
    if not factor > 0:
        return f"The factor is {factor}; a row can be scaled by a positive number only."
    lb, sb = (minima(s)[name].x[:1] for name in ("LB", "SB"))
    changed = symmetry.scale_rows(s.main.network, lb, float(factor))
    lb_now, sb_now = (
        sharpness(s.main.objective(), x, starts=1).value.item() for x in (changed, sb)
    )
    if lb_now < sb_now:
        return None
    advice = " Smaller weights make the box relatively larger." if factor < 1 else ""
    return f"LB is now at {lb_now:.2f} percent, SB at {sb_now:.2f}.{advice}"


def _ranks(given) -> str | None:
    for values in ([3.0, 1.0, 2.0], [1.0, 2.0, 2.0, 3.0], [5.0, 5.0, 5.0], [2.0, 1.0, 2.0, 1.0]):
        found, wanted = np.asarray(given(np.array(values)), dtype=float), _mean_ranks(values)
        if found.shape == wanted.shape and np.allclose(found, wanted):
            continue
        if found.shape == wanted.shape and np.allclose(found + 1, wanted):
            return f"ranks({values}) starts from 0; the smallest value has rank 1."
        distinct = len(set(values)) == len(values)
        tie = "" if distinct else " Equal values share the mean of their ranks."
        return f"ranks({values}) is {found.tolist()}, not {wanted.tolist()}.{tie}"
    return None


def _mean_ranks(values) -> np.ndarray:
    values = np.asarray(values)
    below = (values[:, None] > values[None]).sum(1)
    equal = (values[:, None] == values[None]).sum(1)
    return below + (equal + 1) / 2


def _sixth(given, claims) -> str | None:
    if not str(given.get("asks", "")).strip():
        return "It asks nothing yet: write the question."
    asked = {question.asks.lower() for question in questions.QUESTIONS}
    if given["asks"].strip().lower() in asked:
        return "That is one of the five."
    known = set(claims["key"])
    for side in ("for", "against"):
        if not given.get(side):
            return f"There is no claim {side} it yet; a question with one side only is not open."
        unknown = [key for key in given[side] if key not in known]
        if unknown:
            return f"No claim is called {unknown[0]}; check.recorded() lists them all."
    if both := set(given["for"]) & set(given["against"]):
        return f"Claim {sorted(both)[0]} stands on both sides."
    question = questions.Question(
        given["asks"], tuple(given["for"]), tuple(given["against"]), (), (), ()
    )
    found = scorecards.verdict(scorecards.under(claims, question))
    print(f"{question.asks} {found['verdict']}, confidence {found['confidence']}")
    return None


ANSWERS = {
    "9.1": Answer(test=_flatter),
    "9.2": Answer(
        right=2 * (1 + 0.9) / 0.1,
        tolerance=0.01,
        mistakes={
            "That is the limit without momentum, 2 / rate.": 2 / 0.1,
            "That is what momentum would do to the limit if it lengthened every step: "
            "2 (1 - momentum) / rate.": 2 * (1 - 0.9) / 0.1,
            "That is 2 / rate / (1 - momentum): the limit of Adam's kind of average is twice "
            "1.9 over 0.01, and here v is not averaged.": 2 / 0.1 / (1 - 0.9),
        },
    ),
    "9.3": Answer(test=_ranks),
    "9.4": Answer(test=_sixth),
}
