"""How results are drawn: one style, colors that color-blind readers can tell apart, and the spread always shown.

Every function draws on the Axes it is given, or on a new one, and returns it.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.rcsetup import cycler

from labsupport.arguments import shown
from labsupport.errors import NotFiniteWarning, choose

#: One color, one meaning, through the whole book: blue is SB and orange is LB, and never anything else.
#: Okabe and Ito's colors, which color-blind readers can tell apart; each stands out from white and from dark pages.
SB, LB = "#0072B2", "#D55E00"
#: What was trained beside the two: a remedy or a recipe that stands between SB and LB.
REMEDY = "#009E73"
#: Ours beside the paper's: not a matter of batches, so neither blue nor orange.
OURS, PAPER = "#000000", "#CC79A7"
#: A single quantity that belongs to no group.
NEUTRAL = "#6b6b6b"
#: The two data sets of one run share the run's color and differ by their line: see `line_of`.
TRAIN, TEST = "-", "--"
#: For groups that have no color of their own, in this order; without Okabe and Ito's yellow, too pale on white.
PALETTE = (SB, LB, REMEDY, PAPER, "#56B4E9", "#E69F00", OURS)
GREY = NEUTRAL  # the name before version 1

MEANING = {"SB": SB, "LB": LB, "remedy": REMEDY, "ours": OURS, "paper": PAPER}


def color_of(name: str) -> str:
    """The color that belongs to SB, LB, remedy, ours or paper.

    >>> color_of("SB") == SB
    True
    """
    return MEANING[choose("meaning", name, MEANING)]


def line_of(split: str) -> str:
    """Matplotlib's line style of a data set: solid for train, dashed for test."""
    styles = {"train": TRAIN, "test": TEST}
    return styles[choose("split", split, styles)]


STYLE: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.9),
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": "tight",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.prop_cycle": cycler(color=PALETTE),
    "legend.frameon": False,
    "lines.linewidth": 2,
    "font.size": 11,
    "figure.constrained_layout.use": True,
}


def use_style() -> None:
    """Set the book's style for the figures that follow."""
    plt.rcParams.update(STYLE)


def axes(ax=None):
    """The Axes given, or a new one in the book's style."""
    if ax is not None:
        return ax
    with plt.rc_context(STYLE):
        return plt.subplots()[1]


def dots(
    groups: Mapping[str, Sequence[float]],
    *,
    colors: Sequence[str] | None = None,
    ylabel: str = "",
    title: str = "",
    log: bool = False,
    ax=None,
):
    """One column of dots a group, one dot a seed, with a bar at the mean (the median on a log scale).

    A group called SB, LB, remedy, ours or paper gets its own color, whatever its place; the others take `PALETTE` in
    order.

    Raises TypeError for groups that are no dictionary of numbers, ValueError for an empty one. Values that are not
    finite, or not positive on a log scale, are left out with a warning.
    """
    drawn = _groups(groups, log)
    own = [MEANING.get(name, color) for name, color in zip(drawn, itertools.cycle(PALETTE))]
    if colors is None:
        colors = own
    ax = axes(ax)
    for place, (values, color) in enumerate(zip(drawn.values(), itertools.cycle(colors))):
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else np.zeros(1)
        ax.plot(place + spread, values, "o", color=color, alpha=0.75, markersize=7)
        if not len(values):
            continue
        middle = np.median(values) if log else values.mean()
        ax.plot([place - 0.25, place + 0.25], [middle, middle], color=color, linewidth=3)
    ax.set_xticks(range(len(drawn)), drawn.keys())
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set(ylabel=ylabel, title=title)
    if log:
        ax.set_yscale("log")
    return ax


def _groups(given, log: bool) -> dict[str, np.ndarray]:
    if not isinstance(given, Mapping):
        raise TypeError(
            f"groups is {shown(given)}; a dictionary is needed: {{'SB': numbers, 'LB': numbers}}."
        )
    if not given:
        raise ValueError("groups is empty; give at least one group of numbers.")
    return {str(name): _drawable(f"group {name!r}", values, log) for name, values in given.items()}


def _drawable(name: str, values, log: bool) -> np.ndarray:
    """The values that can be drawn; a warning names what cannot."""
    found = _numbers(name, values)
    good = np.isfinite(found) & ((found > 0) | (not log))
    if not good.all():
        where = " on a log scale" if log else ""
        warnings.warn(
            f"{name}: {int((~good).sum())} of {len(found)} values cannot be drawn{where} and are left out.",
            NotFiniteWarning,
            stacklevel=4,
        )
    return found[good]


def _numbers(name: str, values) -> np.ndarray:
    """``values`` as (n,) float64, at least one."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    try:
        found = np.asarray(values, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is {shown(values)}; numbers are needed, one per seed.") from error
    if not len(found):
        raise ValueError(f"{name} is empty; at least one number is needed.")
    return found


def band(table: pd.DataFrame, x: str, y: str, *, label: str = "", color: str = SB, ax=None):
    """Mean of ``y`` over seeds at each ``x``, with a band of one standard deviation.

    Raises TypeError for what is no DataFrame, `UnknownName` for a column that it does not have.
    """
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table is {shown(table)}; a DataFrame is needed, with a row for each seed and {x}."
        )
    for name in (x, y):
        choose("column", name, table.columns)
    ax = axes(ax)
    found = table.groupby(x)[y].agg(["mean", "std"]).dropna(subset="mean")
    low, high = found["mean"] - found["std"], found["mean"] + found["std"]
    ax.plot(found.index, found["mean"], color=color, label=label)
    ax.fill_between(found.index, low, high, color=color, alpha=0.2, linewidth=0)
    return ax


def spread(values) -> str:
    """Mean and standard deviation, as the book prints them; a narrow column keeps the sign and its number together.

    One value alone has no deviation, and is printed so. Raises TypeError for what is not numbers, ValueError for none.

    >>> spread([1.0, 2.0, 3.0])
    '2.00 ±\\xa01.00'
    """
    values = _numbers("values", values)
    if len(values) == 1:
        return f"{values[0]:.2f} (one value)"
    mean, deviation = values.mean(), values.std(ddof=1)
    if abs(mean) >= 100:
        return f"{mean:.3g} ±\N{NO-BREAK SPACE}{deviation:.2g}"
    return f"{mean:.2f} ±\N{NO-BREAK SPACE}{deviation:.2f}"
