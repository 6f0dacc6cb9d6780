"""How results are drawn: one style, colours that colour-blind readers can tell apart, and the spread always shown.

Every function draws on the Axes it is given, or on a new one, and returns it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

SB, LB = "#0072B2", "#D55E00"
#: Okabe and Ito's colours, without yellow, which is too pale on white.
PALETTE = (SB, LB, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
GREY = "#6b6b6b"

STYLE = {
    "figure.figsize": (6.4, 3.9), "figure.dpi": 110, "figure.facecolor": "white", "savefig.facecolor": "white",
    "savefig.bbox": "tight", "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.labelsize": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
    "axes.prop_cycle": mpl.cycler(color=PALETTE), "legend.frameon": False, "lines.linewidth": 2, "font.size": 11,
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


def dots(groups: Mapping[str, Sequence[float]], *, colors: Sequence[str] = PALETTE, ylabel: str = "", title: str = "",
         log: bool = False, ax=None):
    """One column of dots a group, one dot a seed, with a bar at the mean (the median on a log scale)."""
    ax = axes(ax)
    for place, ((name, values), color) in enumerate(zip(groups.items(), colors)):
        values = np.asarray(values, dtype=float)
        spread = np.linspace(-0.12, 0.12, len(values)) if len(values) > 1 else [0]
        ax.plot(place + np.asarray(spread), values, "o", color=color, alpha=0.75, markersize=7)
        middle = np.median(values) if log else values.mean()
        ax.plot([place - 0.25, place + 0.25], [middle, middle], color=color, linewidth=3)
    ax.set_xticks(range(len(groups)), groups.keys())
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set(ylabel=ylabel, title=title)
    if log:
        ax.set_yscale("log")
    return ax


def band(table: pd.DataFrame, x: str, y: str, *, label: str = "", color: str = SB, ax=None):
    """Mean of ``y`` over seeds at each ``x``, with a band of one standard deviation."""
    ax = axes(ax)
    found = table.groupby(x)[y].agg(["mean", "std"]).dropna(subset="mean")
    ax.plot(found.index, found["mean"], color=color, label=label)
    ax.fill_between(found.index, found["mean"] - found["std"], found["mean"] + found["std"], color=color, alpha=0.2, linewidth=0)
    return ax


def spread(values) -> str:
    """Mean and standard deviation, as the book prints them; a narrow column keeps the sign and its number together.

    >>> spread([1.0, 2.0, 3.0])
    '2.00 ±\\xa01.00'
    """
    values = np.asarray(values, dtype=float)
    return f"{values.mean():.3g} ±\N{NO-BREAK SPACE}{values.std(ddof=1):.2g}" if abs(values.mean()) >= 100 else \
        f"{values.mean():.2f} ±\N{NO-BREAK SPACE}{values.std(ddof=1):.2f}"
