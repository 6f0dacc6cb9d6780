"""Chapter 4's exercises: an audit, one's own estimator, the share of curvature, a box without the + 1."""

from __future__ import annotations

import torch

from labsupport.engine.functions import Plain
from labsupport.exercises import Answer
from labsupport.sharpness import sharpness

#: What the reader's search may ask for, and the share of the package's value that it must find.
BUDGET, SHARE = 11, 0.9


class _Counted:
    """f, of which only ``value_and_gradient`` may be used, and that is counted."""

    def __init__(self, f):
        self._f, self.calls = f, 0

    def value_and_gradient(self, x):
        self.calls += 1
        return self._f.value_and_gradient(x)


def valleys(pairs: int = 4, n: int = 300) -> list[tuple[Plain, float]]:
    """[(f, its rise in percent at the box's highest corner)]: at 0 the gradient of each is exactly 0, epsilon is 1e-3.

    Along v each rises as a^2 (1 + 0.6 a): at a = 1, the highest corner, four times as high as at a = -1, the opposite
    one. Each v comes with -v, so that a search of one side meets the lower one.
    """
    generator = torch.Generator().manual_seed(4)
    found = []
    for _ in range(pairs):
        v = torch.randn(n, generator=generator, dtype=torch.float64)
        v = v / (1e-3 * v.abs().sum())
        for one in (v, -v):

            def valley(x: torch.Tensor, v: torch.Tensor = one) -> torch.Tensor:
                a = v @ x
                return a**2 * (1 + 0.6 * a) / 10

            found.append((Plain(valley, torch.float64), 16.0))
    return found


def _searched(search, f, x: torch.Tensor, epsilon: float) -> float | str:
    """The rise in percent that a reader's search finds, or what is wrong with what it returned."""
    counted = _Counted(f)
    y = search(counted, x.clone(), epsilon, BUDGET)
    if not isinstance(y, torch.Tensor) or y.shape != x.shape:
        return f"The function must return y alone, a tensor of shape {tuple(x.shape)}."
    if counted.calls > BUDGET:
        return f"It made {counted.calls} calls of value_and_gradient; the budget was {BUDGET}."
    reach = float((y.abs() / (epsilon * (x.abs() + 1))).max())
    if not reach <= 1 + 1e-4:
        return (
            f"Some weight moves {reach:.3g} times as far as it may: "
            "the box is epsilon (|x_i| + 1) for each weight."
        )
    here = float(f(x))
    return 100 * (float(f(x + y)) - here) / (1 + here)


def test_search(search, f, x) -> str | None:
    """Exercise 4.2: does ``search(f, x, epsilon, budget)`` stay in box and budget, and find enough in both places?"""
    if not callable(search):
        return "The answer is the function itself: answer = search."
    value = _searched(search, f, x, 1e-3)
    if isinstance(value, str):
        return value
    package = sharpness(f, x, epsilon=1e-3, starts=1).value[0].item()
    if value < SHARE * package:
        return f"On the network it finds {value:.3g} percent; the package finds {package:.3g} with as many calls."
    for valley, highest in valleys():
        value = _searched(search, valley, torch.zeros(300, dtype=torch.float64), 1e-3)
        if isinstance(value, str):
            return f"In a valley: {value}"
        if value <= 1e-9:
            return (
                "At a valley's minimum it finds 0 percent: the gradient is exactly 0 there and names no corner, "
                "so the search must choose one."
            )
        if value < SHARE * highest:
            return (
                f"In a valley it finds {value:.3g} of {highest:.3g} percent: "
                "the gradient leads up one side only, and the other is four times as high."
                if value > 0.2 * highest
                else f"In a valley it finds {value:.3g} of {highest:.3g} percent: it leaves the minimum and does "
                "not climb."
            )
    return None


def _hill(x: torch.Tensor) -> torch.Tensor:
    """A loss of 1 at (2, -3, 0), which rises with the first weight and falls with the second."""
    return 1 + 2 * (x[0] - 2) - (x[1] + 3) + x[2] ** 2


def reports() -> dict[str, tuple[torch.Tensor, float, bool]]:
    """{what to say of an audit that is wrong about it: (y, value, whether the report is honest)}, at epsilon = 0.1."""
    x = torch.tensor([2.0, -3.0, 0.0], dtype=torch.float64)
    worst = torch.tensor([0.3, -0.4, 0.1], dtype=torch.float64)  # a corner of the box

    def rise(y: torch.Tensor) -> float:
        return float(_hill(x + y) - _hill(x))

    outside = torch.tensor([0.3, -0.4, 0.2], dtype=torch.float64)
    unknown = torch.tensor([0.3, float("nan"), 0.1], dtype=torch.float64)
    return {
        "It rejects the worst corner with its own value. Is the side of a negative weight positive in your box?": (
            worst,
            50 * rise(worst),
            True,
        ),
        "It rejects a point inside the box. Every point of the box gives a lower bound, not the corners only.": (
            worst / 2,
            50 * rise(worst / 2),
            True,
        ),
        "It rejects a corner that float32 has rounded: leave room for rounding, a millionth, say.": (
            worst * (1 + 1e-7),
            50 * rise(worst),
            True,
        ),
        "It accepts a point of which one weight of three lies outside of its side: ask for all of them.": (
            outside,
            50 * rise(outside),
            False,
        ),
        "It accepts a value that is a share: the measure is in percent.": (
            worst,
            rise(worst) / 2,
            False,
        ),
        "It accepts a rise that was not divided by 1 + f.": (worst, 100 * rise(worst), False),
        "It accepts a rise divided by 1 + f at the moved point; the measure divides by 1 + f(x).": (
            worst,
            100 * rise(worst) / (2 + rise(worst)),
            False,
        ),
        "It accepts a point below x, reported with the size of its fall: keep the sign.": (
            -worst,
            50 * abs(rise(-worst)),
            False,
        ),
        "It accepts a y and a value that are not numbers: every comparison with nan is False.": (
            unknown,
            float("nan"),
            False,
        ),
    }


def test_audit(audit) -> str | None:
    """Exercise 4.1: does ``audit(f, x, epsilon, y, value)`` tell honest reports from wrong ones?"""
    if not callable(audit):
        return "The answer is the function itself: answer = audit."
    x = torch.tensor([2.0, -3.0, 0.0], dtype=torch.float64)
    for says, (y, value, honest) in reports().items():
        if bool(audit(_hill, x.clone(), 0.1, y.clone(), value)) != honest:
            return says
    return None


#: What a reader's `most_from_curvature` returns instead, and what to say.
CURVATURE_MISTAKES = {
    "Twice too large: a quadratic rises by half its eigenvalue times the squared distance.": lambda x, e, top: (
        100 * top * ((e * (x.abs() + 1)) ** 2).sum()
    ),
    "That takes the diagonal's length; the rise grows with the square of the distance.": lambda x, e, top: (
        50 * top * (e * (x.abs() + 1)).norm()
    ),
    "That is the mean of the squares; the squared length of the diagonal is their sum.": lambda x, e, top: (
        50 * top * ((e * (x.abs() + 1)) ** 2).mean()
    ),
    "That is a share: the measure is in percent.": lambda x, e, top: (
        top / 2 * ((e * (x.abs() + 1)) ** 2).sum()
    ),
    "That is a move of length epsilon; the box has a side for every weight.": lambda x, e, top: (
        50 * top * e**2
    ),
    "The side of a weight is epsilon (|x| + 1): the + 1 is missing.": lambda x, e, top: (
        50 * top * ((e * x) ** 2).sum()
    ),
    "The side of a weight is |x| + 1, not x + 1: some weights are negative.": lambda x, e, top: (
        50 * top * ((e * (x + 1)) ** 2).sum()
    ),
    "The square of the sum of the sides is not the squared length: square each side first.": lambda x, e, top: (
        50 * top * (e * (x.abs() + 1)).sum() ** 2
    ),
    "Each side is epsilon (|x| + 1), so epsilon is squared, too.": lambda x, e, top: (
        50 * top * e * ((x.abs() + 1) ** 2).sum()
    ),
}


def _formula(given, right, mistakes, arguments: list[tuple], otherwise) -> str | None:
    """None if the reader's function agrees with ``right`` at all arguments, else the sentence of what it agrees with.

    ``otherwise`` makes the sentence from the values that the function returned.
    """
    found = [float(given(*one)) for one in arguments]

    def is_(formula) -> bool:
        wanted = [float(formula(*one)) for one in arguments]
        return all(
            abs(one - other) < 1e-3 * abs(other) for one, other in zip(found, wanted, strict=True)
        )

    if is_(right):
        return None
    for says, formula in mistakes.items():
        if is_(formula):
            return says
    return otherwise(found)


def test_curvature(most_from_curvature) -> str | None:
    """Exercise 4.3: is ``most_from_curvature(x, epsilon, eigenvalue)`` the bound of a quadratic in the paper's box?"""
    if not callable(most_from_curvature):
        return "The answer is the function itself: answer = most_from_curvature."
    return _formula(
        most_from_curvature,
        lambda x, e, top: 50 * top * ((e * (x.abs() + 1)) ** 2).sum(),
        CURVATURE_MISTAKES,
        [
            (torch.tensor([3.0, -4.0], dtype=torch.float64), 0.1, 2.0),
            (torch.tensor([0.1, 0.2, -0.3], dtype=torch.float64), 0.01, 5.0),
        ],
        lambda found: (
            "At x = (3, -4) with epsilon 0.1 the diagonal is 0.6403 long; an eigenvalue of 2 can raise the loss by "
            f"41 percent along it. Yours says {found[0]:.4g}."
        ),
    )


#: What a reader's `fair_epsilon` returns instead, and what to say.
FAIR_MISTAKES = {
    "With the paper's epsilon the box is shorter than the paper's: that is no control.": lambda x: (
        1e-3
    ),
    "That is the inverse: it makes the box shorter still.": lambda x: (
        1e-3 * x.norm() / (x.abs() + 1).norm()
    ),
    "The side of a weight is |x| + 1, not x + 1: some weights are negative.": lambda x: (
        1e-3 * (x + 1).norm() / x.norm()
    ),
    "That compares sums of sides; the length of a diagonal is the root of a sum of squares.": lambda x: (
        1e-3 * (x.abs() + 1).sum() / x.abs().sum()
    ),
    "The 1 is added to every weight, not to the length: (|x| + 1).norm().": lambda x: (
        1e-3 * (x.norm() + 1) / x.norm()
    ),
    "That is the ratio of the diagonals; it still has to be multiplied by 0.001.": lambda x: (
        (x.abs() + 1).norm() / x.norm()
    ),
}


def test_fair(fair_epsilon) -> str | None:
    """Exercise 4.4: does ``fair_epsilon(x)`` make epsilon |x| as long as 1e-3 (|x| + 1)?"""
    if not callable(fair_epsilon):
        return "The answer is the function itself: answer = fair_epsilon."
    return _formula(
        fair_epsilon,
        lambda x: 1e-3 * (x.abs() + 1).norm() / x.norm(),
        FAIR_MISTAKES,
        [(torch.tensor(x, dtype=torch.float64),) for x in ([3.0, -4.0], [0.1, 0.2, -0.3])],
        lambda found: (
            "At x = (3, -4) the two diagonals have the lengths 0.001 * 6.403 and epsilon * 5; "
            f"with your epsilon, {found[0]:.3g}, the second is {5 * found[0]:.3g}."
        ),
    )


ANSWERS = {
    "4.1": Answer(test=test_audit),
    "4.2": Answer(test=test_search),
    "4.3": Answer(test=test_curvature),
    "4.4": Answer(test=test_fair),
}
