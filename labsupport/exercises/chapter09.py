"""Chapter 9, what still stands: the answers."""

from __future__ import annotations

import numpy as np

from labsupport import symmetry
from labsupport.exercises import Answer
from labsupport.experiments import minima, questions, scorecards
from labsupport.sharpness import sharpness


def _turned_round(factors, s) -> str | None:
    try:
        for_lb, for_sb = (float(factor) for factor in factors)
    except (TypeError, ValueError):
        return f"The answer is {factors}; two numbers are asked for: (for LB, for SB)."
    if not (for_lb > 0 and for_sb > 0):
        return f"The factors are {for_lb:g} and {for_sb:g}; rows take positive numbers only."
    if for_lb < 1 < for_sb:
        return "Smaller weights make the box relatively larger: exchange the two factors."
    points = {name: run.x[:1] for name, run in minima(s).items()}

    def measured(name: str, factor: float = 1.0) -> float:
        x = symmetry.scale_rows(s.main.network, points[name], factor)
        return sharpness(s.main.objective(), x, starts=1).value.item()

    if (lb := measured("LB", for_lb)) >= (trained := measured("SB")):
        return f"LB is now at {lb:.2f} percent; SB as trained has {trained:.2f}."
    if (sb := measured("SB", for_sb)) <= (trained := measured("LB")):
        return f"LB is right. SB is now at {sb:.2f} percent; LB as trained has {trained:.2f}."
    return None


def _limit(given) -> str | None:
    if not callable(given):
        return f"The answer is {given}; a function of rate and momentum is asked for: limit."
    for rate, momentum in ((0.1, 0.9), (0.3, 0.0), (0.05, 0.5)):
        wanted, called = 2 * (1 + momentum) / rate, f"limit({rate}, {momentum})"
        found = given(rate, momentum)
        if not isinstance(found, (int, float, np.number)):
            return f"{called} returns {found!r}; a number is asked for."
        if abs(found / wanted - 1) <= 0.01:
            continue
        for says, wrong in _limits_foreseen(rate, momentum).items():
            if abs(found / wrong - 1) <= 0.01:
                return f"{called} is {found:.4g}. {says}"
        side = "does not grow" if found < wanted else "grows"
        return f"{called} is {found:.4g}, but x {side} at {(found + wanted) / 2:.4g}."
    return None


def _limits_foreseen(rate: float, momentum: float) -> dict[str, float]:
    """What to say to a wrong limit, and that limit."""
    return {
        "That is 2 / rate, the limit without momentum.": 2 / rate,
        "Momentum does lengthen a steady walk by 1 / (1 - momentum), but at the limit x flips its "
        "sign at every step, and the steps kept in v partly cancel.": 2 * (1 - momentum) / rate,
        "At the limit v is not larger by 1 / (1 - momentum): its terms change sign.": 2
        / (rate * (1 - momentum)),
        "That is the limit of Adam's average, which multiplies the new gradient by "
        "1 - momentum; v here does not.": 2 * (1 + momentum) / ((1 - momentum) * rate),
    }


def _without_b(given, world, spearman, partial) -> str | None:
    try:
        arrows = {name: float(given[name]) for name in "ABCDE"}
    except (TypeError, KeyError, ValueError):
        return f"The answer is {given}; five numbers are asked for: {{'A': ..., 'B': 0, ...}}."
    if not np.isfinite(list(arrows.values())).all():
        return f"The answer is {given}; an arrow's strength is a finite number."
    if arrows["B"] != 0:
        return f"That world has arrow B, of strength {arrows['B']:g}; it is to be 0."
    sharp, accuracy, dial = world(**arrows, recipes=2000)
    raw, held = spearman(sharp, accuracy), partial(sharp, accuracy, dial)
    if raw < -0.5 and held > 0.5:
        return None
    said = f"The rank correlation is {raw:+.2f}, with the dial held {held:+.2f}."
    return f"{said} {_world_foreseen(raw, held, **arrows)}"


def _world_foreseen(raw: float, held: float, A, B, C, D, E) -> str:
    """What keeps a world without arrow B from the two correlations that are asked for."""
    if D * E == 0:
        return "Without D or E the dial is the only common cause, and you hold it."
    if D * E < 0:
        return "With D and E of opposite signs the sharper test worse at one dial, too."
    if A * C <= 0:
        return "Only the dial can make the sharper test worse here: A and C need one sign."
    if held <= 0.5:
        return "D or E is too weak beside the noise of 0.3."
    return "At one dial the sharper test better; over all recipes A and C have to outweigh D and E."


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
    card = scorecards.under(claims, question)
    for row in card.itertuples():
        said = scorecards.FOR if row.key in given["for"] else scorecards.AGAINST
        if row.side == scorecards.OPEN:
            print(f"{row.key} is open (its interval holds its bound): it speaks for neither side.")
        elif row.side != said:
            print(f"{row.key} did not hold, beyond its bound: it speaks {row.side}, not {said}.")
    found = scorecards.verdict(card)
    print(f"{question.asks} {found['verdict']}, confidence {found['confidence']}")
    return None


ANSWERS = {
    "9.1": Answer(test=_turned_round),
    "9.2": Answer(test=_limit),
    "9.3": Answer(test=_without_b),
    "9.4": Answer(test=_sixth),
}
