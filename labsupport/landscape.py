"""Pictures of f in one and two dimensions, as numbers: lines, curves and planes through points of R^n.

Sources: linear interpolation, Figure 3, and curvilinear interpolation, Figure 7 and appendix D, of Keskar et al. 2017;
filter normalization, Li et al. 2018. Nothing here draws.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from labsupport.arguments import positive, shown, whole_number
from labsupport.arguments import seed as as_seed
from labsupport.engine.functions import Function, adapt, check_points, functions_of_rows
from labsupport.errors import NotFiniteWarning


def _scan(f: Function, points: Tensor, table: dict) -> pd.DataFrame:
    """f (and accuracy, where f has one) at points (m, n), beside the columns of ``table``."""
    if hasattr(f, "loss_and_accuracy"):
        loss, accuracy = f.loss_and_accuracy(points)
        return pd.DataFrame({**table, "loss": loss.tolist(), "accuracy": accuracy.tolist()})
    return pd.DataFrame({**table, "loss": f(points).tolist()})


def _said(table: pd.DataFrame) -> pd.DataFrame:
    """The table; a loss in it that is not finite is not returned without a word."""
    lost = int((~np.isfinite(table["loss"])).sum())
    if lost:
        said = f"f is not a finite number at {lost} of {len(table)} points: it overflows, or is not defined there."
        warnings.warn(
            f"{said} Look nearer to x, or use f.double().", NotFiniteWarning, stacklevel=3
        )
    return table


def _numbers(name: str, given: Iterable[float]) -> list[float]:
    """A list of finite numbers."""
    if isinstance(given, Tensor):
        given = given.detach().cpu()
    wanted = f"{name} is {shown(given)}; a list of numbers is needed, for example np.linspace(-1, 2, 25)."
    try:
        found = np.asarray(list(given), dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(wanted) from error
    if isinstance(given, (str, bytes)) or found.ndim != 1:
        raise TypeError(wanted)
    if not len(found):
        raise ValueError(
            f"There are no {name}. Give some, for example np.linspace(-1, 2, 25), as in the paper."
        )
    if not np.isfinite(found).all():
        raise ValueError(
            f"{name} has {int((~np.isfinite(found)).sum())} entries that are not finite numbers."
        )
    return found.tolist()


def _pairs(f: Function, x_a: Tensor, x_b: Tensor, alphas: Iterable[float], mix) -> pd.DataFrame:
    """One row per pair and alpha, at ``mix(alpha)[0] x_a + mix(alpha)[1] x_b``."""
    a, b = (
        check_points(x, getattr(f, "n", None), what=name)
        for x, name in ((x_a, "x_a"), (x_b, "x_b"))
    )
    if a.shape != b.shape:
        raise ValueError(
            f"x_a has shape {tuple(x_a.shape)} and x_b {tuple(x_b.shape)}; a pair needs equal shapes."
        )
    f = adapt(f, a.dtype)
    b = b.to(a)
    alphas = _numbers("alphas", alphas)
    tables = []
    for pair, (own, one, two) in enumerate(zip(functions_of_rows(f, a), a, b)):
        points = torch.stack([u * one + v * two for u, v in map(mix, alphas)])  # (alphas, n)
        tables.append(_scan(own, points, {"pair": pair, "alpha": alphas}))
    return pd.concat(tables, ignore_index=True)


def line(f: Function, x_a: Tensor, x_b: Tensor, alphas: Iterable[float]) -> pd.DataFrame:
    """f along (1 - alpha) x_a + alpha x_b, for a pair (n,) or S pairs (S, n).

    Returns
    -------
    DataFrame
        pair, alpha, loss (nats) and, for an `Objective`, accuracy (percent).

    Raises
    ------
    TypeError, ValueError
        Points that do not fit f or each other or are not finite, alphas that are not a list of finite numbers.

    Warns
    -----
    NotFiniteWarning
        f is not finite at some of the points.

    >>> line(lambda x: (x**2).sum(), torch.tensor([0.0]), torch.tensor([2.0]), [0, 0.5, 1]).loss.tolist()
    [0.0, 1.0, 4.0]
    """
    return _said(_pairs(f, x_a, x_b, alphas, lambda alpha: (1 - alpha, alpha)))


def curve(f: Function, x_a: Tensor, x_b: Tensor, alphas: Iterable[float]) -> pd.DataFrame:
    """f along cos(alpha pi/2) x_a + sin(alpha pi/2) x_b (appendix D); the columns of `line`.

    alpha 0 and 1 are the two points; -1 is -x_b and 2 is -x_a.
    """
    angles = math.pi / 2
    return _said(
        _pairs(
            f, x_a, x_b, alphas, lambda alpha: (math.cos(alpha * angles), math.sin(alpha * angles))
        )
    )


def filter_rows(layout) -> list[slice]:
    """The slices of a flat vector that belong together in filter normalization: the weights into one unit, one a slice.

    Biases and batch norm's scale and shift are vectors: each is one slice.
    """
    rows, offset = [], 0
    for shape, size in zip(layout.shapes, layout.sizes):
        units = shape[0] if len(shape) > 1 else 1
        step = size // units
        rows += [slice(offset + k * step, offset + (k + 1) * step) for k in range(units)]
        offset += size
    return rows


def normalized_direction(x: Tensor, rows: list[slice], generator: torch.Generator) -> Tensor:
    """A random direction (n,) whose every slice is as long as x's (Li et al. 2018)."""
    d = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    for row in rows:
        d[row] *= x[row].norm() / d[row].norm().clamp_min(1e-12)
    return d


def plane(
    f: Function,
    x: Tensor,
    *,
    span: float = 1.0,
    steps: int = 21,
    seed: int = 0,
    directions: tuple[Tensor, Tensor] | None = None,
) -> pd.DataFrame:
    """f on a square of side 2 ``span`` around x (n,), spanned by two filter-normalized random directions.

    Parameters
    ----------
    span
        In units of the directions: 1 moves each filter by its own length.
    steps
        Points along a side; odd, so that x itself is one of them.
    directions
        Two vectors (n,) to use instead; then f may be any function of a point.

    Returns
    -------
    DataFrame
        a, b, loss (nats) and, for an `Objective`, accuracy (percent); steps^2 rows.

    Raises
    ------
    TypeError, ValueError
        More than one point, a span that is not positive, an even number of steps, directions of another length.

    Warns
    -----
    NotFiniteWarning
        f is not finite at some of the points.
    """
    point = check_points(x, getattr(f, "n", None))
    if len(point) != 1:
        raise ValueError(f"x has shape {tuple(x.shape)}; a plane is drawn around one point (n,).")
    f = adapt(f, point.dtype)
    span = positive("span", span)
    hint = "An odd number makes x itself one of the points."
    steps = whole_number("steps", steps, least=3, hint=hint)
    if steps % 2 == 0:
        odd = f"an odd number is needed, so that x itself is one of the points: {steps + 1}"
        raise ValueError(f"steps is {steps}; {odd}.")
    if directions is None:
        if not hasattr(f, "layout"):
            raise ValueError(
                "Filter normalization needs an Objective, which knows its filters. For another function "
                "give two directions of shape (n,)."
            )
        generator = torch.Generator(point.device).manual_seed(as_seed("seed", seed))
        rows = filter_rows(f.layout)
        first = normalized_direction(point[0], rows, generator)
        directions = (first, normalized_direction(point[0], rows, generator))
    one, two = _directions(directions, point)
    ticks = np.linspace(-span, span, steps)
    grid = [(a, b) for b in ticks for a in ticks]
    parts = []
    for start in range(0, len(grid), 64):  # 64 points of R^n at a time
        piece = grid[start : start + 64]
        points = torch.stack([point[0] + float(a) * one + float(b) * two for a, b in piece])
        parts.append(_scan(f, points, {"a": [a for a, _ in piece], "b": [b for _, b in piece]}))
    return _said(pd.concat(parts, ignore_index=True))


def _directions(given, point: Tensor) -> list[Tensor]:
    """Two vectors (n,) as long as the point, on its device."""
    if not isinstance(given, (tuple, list, Tensor)) or len(given) != 2:
        raise ValueError(
            f"directions is {shown(given)}; two vectors of shape ({point.shape[1]},) are needed."
        )
    found = [check_points(v, point.shape[1], what=f"directions[{k}]") for k, v in enumerate(given)]
    if any(len(v) != 1 for v in found):
        raise ValueError(
            f"directions hold stacks; two vectors of shape ({point.shape[1]},) are needed."
        )
    return [v[0].to(point) for v in found]
