"""The sensitivity measure of Keskar et al. 2017, Metric 2.1, in full space and in random manifolds::

    C_eps = { y in R^p : |y_i| <= epsilon (|(A^+ x)_i| + 1) }
    phi(epsilon, A) = 100 (max_{y in C_eps} f(x + A y) - f(x)) / (1 + f(x))          percent

In full space A is the identity. Both estimators below search for the maximum and need not find it, so **every value
is a lower bound**. They are never mixed:

``paper``
    SciPy's L-BFGS-B from a random interior point, float64, one model at a time. The objective is scaled so that its
    first step is as long as the box, and SciPy's tolerances are 0: with the defaults it stops at once near a
    minimizer and reports 0 (chapter 4 shows it).
``strong``
    Sign steps to the corners of the box, all models at once on their device. A convex function is largest at a
    corner; the gradient's sign names the corner it points to.

The box is the paper's. A has independent N(0, 1) entries, which the paper leaves open: an assumption of ours.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import torch
from torch import Tensor

from labsupport.arguments import number, positive, whole_number
from labsupport.arguments import seed as as_seed
from labsupport.engine import lbfgsb, sign_ascent
from labsupport.engine.functions import Function, adapt, check_points
from labsupport.errors import SharpnessWarning, choose
from labsupport.subspace import FullSpace, RandomManifold

METHODS = {"strong": sign_ascent.search, "paper": lbfgsb.search}


@dataclass(frozen=True)
class Sharpness:
    """The result, with what it took.

    ``value`` (S,) percent; ``f_x``, ``f_max`` (S,) float64; ``y`` (S, p) the best point of the box; ``evaluations``
    (S,) values and gradients asked for, of one model; ``history`` (S, evaluations) best f seen so far, in the search's
    own precision; ``notes`` one dictionary per model: how many evaluations were not finite, what SciPy said, with which
    scale and version; ``statistics`` whose batch norm statistics f uses, where f says so.
    """

    value: Tensor
    f_x: Tensor
    f_max: Tensor
    y: Tensor
    evaluations: Tensor
    history: Tensor
    epsilon: float
    subspace_dim: int | None
    method: str
    iterations: int
    starts: int
    seed: int
    offset: float
    notes: list[dict] = field(default_factory=list)
    statistics: str | None = None


def sharpness(
    f: Function,
    x: Tensor,
    *,
    epsilon: float = 1e-3,
    subspace_dim: int | None = None,
    method: str = "strong",
    iterations: int = 10,
    starts: int | None = None,
    seed: int = 0,
    offset: float = 1.0,
) -> Sharpness:
    """phi(epsilon, A) of f at one point x (n,) or at each row of x (S, n).

    Parameters
    ----------
    f
        An `objective.Objective`, or any differentiable function of one point.
    epsilon
        Half-width of the box, relative to |x_i| + 1. The paper uses 1e-3 and 5e-4.
    subspace_dim
        None for full space, or p, the dimension of the random manifold (the paper's is 100). All rows share A.
    method
        ``strong`` or ``paper``.
    iterations
        Of each search: steps of ``strong``, L-BFGS-B iterations of ``paper``.
    starts
        Searches, of which the best counts; 3 for ``strong``, which shares starts * (iterations + 1) evaluations among
        them, 1 for ``paper``.
    seed
        Of A and of the random starting points; ``strong`` uses some in full space only with more than 3 starts.
    offset
        The "+ 1" of the box. With 0 each weight moves by a share of its own size, and the measure no longer changes
        when a layer is rescaled without changing the function (the box of ASAM, Kwon et al. 2021); epsilon should then
        be larger.

    Raises
    ------
    UnknownName
        ``method``.
    TypeError, ValueError
        An argument of the wrong type or out of range, an x of the wrong shape or not finite, an f that is no number
        or not above -1 at x, an f that torch cannot differentiate.

    Warns
    -----
    SharpnessWarning
        No point of the box was found above f(x); the value 0 then says nothing. Or f was not finite at some of the
        points visited, which do not count.

    >>> from labsupport.sharpness import sharpness
    >>> slope = torch.tensor([1.0, -2.0])                          # f(x) = slope . x; at 0 the box is |y_i| <= .1
    >>> sharpness(lambda x: slope @ x, torch.zeros(2), epsilon=0.1).value       # 100 * (.1 * 1 + .1 * 2) / (1 + 0)
    tensor([30.0000], dtype=torch.float64)
    """
    choose("method", method, METHODS)
    points = check_points(x, getattr(f, "n", None))
    f = adapt(f, points.dtype)
    n = points.shape[1]
    epsilon = positive("epsilon", epsilon, hint="The paper uses 1e-3 and 5e-4.")
    if subspace_dim is not None:
        hint = f"None means full space; a manifold in R^{n} has 1 to {n} dimensions."
        subspace_dim = whole_number("subspace_dim", subspace_dim, least=1, most=n, hint=hint)
    iterations = whole_number("iterations", iterations, least=1)
    offset = number(
        "offset", offset, least=0, hint="1 gives the paper's box, 0 the scale-invariant one."
    )
    starts = 3 if starts is None and method == "strong" else 1 if starts is None else starts
    starts = whole_number("starts", starts, least=1)
    seed = as_seed("seed", seed)
    points = points.to(getattr(f, "device", points.device))
    space = FullSpace() if subspace_dim is None else RandomManifold(n, subspace_dim, seed, points)
    box = epsilon * (space.coordinates(points).abs() + offset)  # (S, p)
    exact = f.double()
    f_x = exact(points.double()).double()
    _check_value(f_x)
    y, evaluations, history, notes = METHODS[method](
        f, points, space, box, iterations, starts, seed
    )
    f_max = exact(points.double() + space.matvec(y.double())).double()
    f_max = torch.maximum(torch.where(torch.isfinite(f_max), f_max, f_x), f_x)
    value = 100 * (f_max - f_x) / (1 + f_x)
    _warn(value, notes)
    return Sharpness(
        value,
        f_x,
        f_max,
        y,
        evaluations,
        history,
        epsilon,
        subspace_dim,
        method,
        iterations,
        starts,
        seed,
        offset,
        notes,
        getattr(f, "statistics", None),
    )


def _check_value(f_x: Tensor) -> None:
    """f(x) must be finite, and 1 + f(x) positive."""
    shown = [float(f"{value:.6g}") for value in f_x.tolist()]
    if not torch.isfinite(f_x).all():
        raise ValueError(f"f(x) is {shown}: a rise can only be measured from finite numbers.")
    if (f_x <= -1).any():
        raise ValueError(
            f"f(x) is {shown}: Metric 2.1 divides by 1 + f(x), which must be positive. Use a loss that is not "
            "negative, or add a constant to f."
        )


def _warn(value: Tensor, notes: list[dict]) -> None:
    """No zero and no lost evaluation without a word."""
    flat = (value == 0).nonzero().flatten().tolist()
    if flat:
        warnings.warn(
            f"No point of the box was found above f(x) for model(s) {flat}: a sharpness of 0 here means that the "
            f"search failed or that f is flat. Try more iterations or starts, or another seed.",
            SharpnessWarning,
            stacklevel=3,
        )
    lost = {s: note["not_finite"] for s, note in enumerate(notes) if note["not_finite"]}
    if lost:
        said = ", ".join(f"{count} for model {s}" for s, count in lost.items())
        warnings.warn(
            f"f was not a finite number at some of the points visited, which do not count ({said}). The value is a "
            "lower bound from the others.",
            SharpnessWarning,
            stacklevel=3,
        )
