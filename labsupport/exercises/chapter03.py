"""Chapter 3's exercises: a shift's cost, equal bends, another name, equal distance, one way out, one's own bend."""

from __future__ import annotations

import numpy as np
import torch

from labsupport.exercises import Answer


def test_factor(factor, ratio, guess) -> str | None:
    """Exercise 3.2: are the bends equal, ``ratio(factor)`` between 0.8 and 1.25, after a guess from the lengths?"""
    if guess is None:
        return "Write down your guess first: what do the printed row lengths suggest?"
    if not 1 < float(guess) < 3:
        return (
            f"Your guess is {float(guess):.2f}: LB's rows are the shorter ones. "
            "Divide SB's lengths by LB's, in the deeper layers."
        )
    factor = float(factor)
    if factor <= 0:
        return f"A factor of {factor:g} would change what the units compute; it must be positive."
    found = float(ratio(factor))
    if factor < 1:
        return f"You have made LB's rows shorter: the mean ratio is {found:.3g}, more than before."
    if found >= 1.25:
        return f"The mean ratio is {found:.2f}: LB still bends more. Its rows must be longer."
    if found <= 0.8:
        return f"The mean ratio is {found:.2f}: now SB bends more. LB's rows are too long."
    return None


def test_renamed(function, f, x) -> str | None:
    """Exercise 3.3: is ``function(x)`` another point that computes the same?"""
    if not callable(function):
        return "The answer is the function itself: answer = renamed."
    before = x.clone()
    y = function(x)
    if not torch.equal(x, before):
        return "The function changed x itself; begin with x = x.clone()."
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        return f"The function must return a point of shape {tuple(x.shape)}."
    if torch.equal(x, y):
        return "Nothing has moved."
    if not torch.allclose(x.sort().values, y.sort().values):
        return (
            "Some weights were lost or came twice: copy from a `.clone()`, not from what you write."
        )
    if not torch.allclose(f(x), f(y), rtol=1e-3):
        return f"The loss was {f(x):.4f} and is {f(y):.4f}: some piece was not permuted with the others."
    return None


def test_bend(bend, f, x, longer, other) -> str | None:
    """Exercise 3.6: does ``bend(f, x, seed)`` measure, and forget the lengths of rows?"""
    if not callable(bend):
        return "The answer is the function itself: answer = own_bend."
    at = {name: float(bend(f, point, 0)) for name, point in (("x", x), ("longer", longer))}
    if not np.isfinite(list(at.values())).all():
        return "It returns a number that is not finite."
    if np.isclose(at["x"], float(bend(f, x, 1)), rtol=1e-6):
        return "Two seeds give the same number: the direction does not depend on the seed."
    if np.isclose(at["x"], float(bend(f, other, 0)), rtol=1e-6):
        return "Two different networks get the same number: it does not look at f."
    if not np.isclose(at["x"], at["longer"], rtol=0.05):
        return (
            f"With rows three times as long it goes from {at['x']:.4g} to {at['longer']:.4g}: "
            "the direction has to grow with the rows."
        )
    return None


def _factors(way, *, logarithms: bool = True, of: str = "updates") -> np.ndarray:
    """For each seed, SB over LB: updates until SB is as far as LB ended, or distance at LB's updates."""
    scale, back = (np.log, np.exp) if logarithms else (np.asarray, np.asarray)
    given = {"updates": "distance", "distance": "updates"}[of]
    factors = []
    for seed, small in way[way.run == "SB"].groupby("seed"):
        large = way[(way.run == "LB") & (way.seed == seed)].iloc[-1]  # its end
        x, y = (scale(small[column].astype(float)) for column in (given, of))
        factors.append(back(np.interp(scale(float(large[given])), x, y)) / large[of])
    return np.array(factors)


def _needed(way) -> float:
    """Exercise 3.4: how many times LB's updates SB makes until it is as far as LB ended."""
    return float(_factors(way).mean())


def _ends(way, column: str) -> float:
    """SB over LB at their last updates."""
    last = way.groupby(["run", "seed"])[column].last().astype(float)
    return float((last["SB"] / last["LB"]).mean())


ANSWERS = {
    "3.1": Answer(
        2.25,
        mistakes={
            "The network computes the same, but its valley is twice as wide in the new weights.": 9,
            "The width enters squared: at twice the width the cost is a quarter.": 4.5,
            "Longer rows make the valley wider, not narrower.": 36,
            "Longer rows make the valley wider, not narrower, and the width enters squared.": 18,
            "That is the inverse: the sharp valley still costs more.": 4 / 9,
            "That is by how much the cost falls; the question asks for what is left of the 9.": 4,
        },
    ),
    "3.2": Answer(test=test_factor),
    "3.3": Answer(test=test_renamed),
    "3.4": Answer(
        _needed,
        tolerance=0.01,
        mistakes={
            "That is the inverse: SB's updates belong above the line, LB's below.": lambda way: (
                1 / _needed(way)
            ),
            "That is SB's distance over LB's at equal updates; here the distance is given.": (
                lambda way: float(_factors(way, of="distance").mean())
            ),
            "That is LB's distance over SB's at equal updates; here the distance is given.": (
                lambda way: float((1 / _factors(way, of="distance")).mean())
            ),
            "That compares all updates of both; stop SB where it is as far as LB ended.": (
                lambda way: _ends(way, "updates")
            ),
            "That is the ratio of the distances at the ends; the question asks for updates.": (
                lambda way: _ends(way, "distance")
            ),
            "That is SB's share of its whole way: the distance is not proportional to the updates.": (
                lambda way: _ends(way, "updates") / _ends(way, "distance")
            ),
            "The path between two checkpoints is straight in the logarithms; take them first.": (
                lambda way: float(_factors(way, logarithms=False).mean())
            ),
        },
    ),
    "3.5": Answer(
        "b",
        mistakes={
            "Look at the straight line: a quarter of the way behind LB the loss is 1.7.": "a",
            "Its points are networks like any other; their loss on all 4,000 samples was measured.": "c",
            "True, but that is about generalization; the friend speaks of sharpness.": "d",
        },
    ),
    "3.6": Answer(test=test_bend),
}
