"""Draw the picture of the book's first page, which `book/_static/opening.js` lets the reader move.

    python -m tools.opening              draws book/_static/opening.svg from the committed measurement
    python -m tools.opening --measure    measures first (chapter 3's experiment, minutes on a laptop)

The training loss around an SB and an LB minimum, in three ways of writing the same two networks. The SVG carries what a
script needs to move its box; without one it stands still. `book/_ext/offline_pages.py` puts it into the page itself.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd

from labsupport import provenance
from tools.files import ROOT
from tools.svg import card, command, text

NAME = "opening"
TARGET = ROOT / "book" / "_static" / "opening.svg"
WIDTH, HEIGHT = 420, 400
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 96, 50  # of the plot's frame
REACH = 0.5  # how far the picture shows from each network, as a share of the way between the two
STEP = 0.05
FACTOR = 4.0  # what "longer" multiplies LB's weights by
LOSSES = (1e-3, 10.0)
START = 6  # the box's width in the picture that stands still, in steps
ENDS = {"SB": 0.0, "LB": 1.0}
COLORS = {
    "SB": "#0072b2",
    "LB": "#c44e00",
}  # the book's two, LB a little darker: it is read as text too
PALE = "#dddddd"
#: {name: what a reader is told}. The two networks compute the same in all of them.
VIEWS = {
    "trained": "as they were trained",
    "longer": "LB's weights four times as long",
    "equal": "weights of equal length",
}
ALT = (
    "The training loss around two networks, each at the middle of the picture, on a log scale. SB was trained with "
    "small batches and LB with large ones. Both stand near a loss of a few thousandths. Away from the middle LB's "
    "loss rises steeply and SB's slowly. A shaded box reaches equally far to both sides, and a mark on each curve "
    "shows the highest loss inside it. A table above has the share of new data that each network gets right."
)


def measure() -> None:
    """Measure at the laptop's scale and put it into the package's committed results."""
    from labsupport import experiments, settings, symmetry

    s = settings.TABLE["laptop"]
    alphas = tuple(np.round(np.arange(-REACH, 1 + REACH + STEP / 2, STEP), 2).tolist())
    longer = symmetry.scale_rows(s.main.network, experiments.minima(s)["LB"].x, FACTOR)
    ways: dict[str, dict] = {
        "trained": {},
        "longer": {"x_b": longer},
        "equal": {"weights": "rows normalized"},
    }
    tables = []
    for view, way in ways.items():
        tables.append(experiments.between(s, alphas=alphas, **way).assign(view=view))
        ends = tuple(ENDS.values())
        tables.append(
            experiments.between(s, splits=("test",), alphas=ends, **way).assign(view=view)
        )
    about = provenance.here(network=s.main.network, data=s.main.dataset, seeds=s.seeds)
    columns = ["view", "seed", "alpha", "split", "loss", "accuracy"]
    provenance.write(NAME, pd.concat(tables)[columns], about)


def around(table: pd.DataFrame, view: str, name: str) -> pd.DataFrame:
    """Training loss around one network: a row a step from it (negative towards smaller alpha), a column a seed."""
    part = table[(table.view == view) & (table.split == "train")]
    wide = part.pivot(index="alpha", columns="seed", values="loss")
    wide.index = np.round((wide.index - ENDS[name]) / STEP).astype(int)
    reach = round(REACH / STEP)
    return wide.loc[-reach:reach]


def mean(losses: pd.DataFrame) -> pd.Series:
    """The geometric mean over the seeds, which is the mean on the picture's scale."""
    return np.exp(np.log(losses).mean(axis=1))


def highest(losses: pd.DataFrame, width: int) -> tuple[int, float]:
    """Where in the box of ``width`` steps to either side the mean loss is highest, and how high."""
    inside = mean(losses).loc[-width:width]
    return int(inside.idxmax()), float(inside.max())


def accuracy(table: pd.DataFrame, view: str, name: str) -> float:
    """Percent of the test set, mean over the seeds."""
    at = (table.view == view) & (table.split == "test") & (table.alpha == ENDS[name])
    return float(table[at].accuracy.mean())


def across(step: float) -> float:
    """Where a step lies on the picture, in pixels from the left."""
    return LEFT + (step * STEP / REACH + 1) / 2 * (WIDTH - LEFT - RIGHT)


def down(loss: float) -> float:
    """Where a loss lies on the picture, in pixels from the top."""
    low, high = (math.log(edge) for edge in LOSSES)
    share = (math.log(min(max(loss, LOSSES[0]), LOSSES[1])) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def line(losses: pd.Series, **style) -> str:
    points = " ".join(f"{across(step):.1f},{down(loss):.1f}" for step, loss in losses.items())
    said = " ".join(f'{key.replace("_", "-")}="{value}"' for key, value in style.items())
    return f'<polyline points="{points}" fill="none" {said}/>'


def curves(table: pd.DataFrame) -> Iterator[str]:
    """For each view a group: five thin lines and their mean for each network."""
    for view in VIEWS:
        yield f'<g class="view {view}">'
        for name, color in COLORS.items():
            losses = around(table, view, name)
            for seed in losses:
                yield line(losses[seed], stroke=color, stroke_width=1, opacity=0.45)
            yield line(mean(losses), stroke=color, stroke_width=3)
        yield "</g>"


def frame() -> Iterator[str]:
    """The box, the axes and the table's head."""
    middle = (TOP + HEIGHT - BOTTOM) / 2
    left, right = across(-START), across(START)
    yield (
        f'<rect class="box" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
        f'height="{HEIGHT - TOP - BOTTOM}" fill="#f2e6b8" stroke="#8a7a2a"/>'
    )
    for loss in (0.001, 0.01, 0.1, 1, 10):
        yield f'<path d="M{LEFT} {down(loss):.1f}H{WIDTH - RIGHT}" stroke="{PALE}"/>'
        yield text(LEFT - 6, down(loss) + 5, f"{loss:g}", text_anchor="end", font_size=13)
    yield text(across(0), HEIGHT - BOTTOM + 19, "here it stands", text_anchor="middle")
    for step in (-8, 8):
        yield text(across(step), HEIGHT - BOTTOM + 19, "away", text_anchor="middle")
    label = "a step along the line through both networks"
    yield text(across(0), HEIGHT - 10, label, text_anchor="middle")
    label = text(0, 0, "training loss", text_anchor="middle")
    yield f'<g transform="translate(14 {middle:.0f}) rotate(-90)">{label}</g>'
    yield text(247, 20, "right on new data", text_anchor="end", font_size=13)
    yield text(WIDTH - RIGHT, 20, "highest loss in the box", text_anchor="end", font_size=13)


def marks(table: pd.DataFrame) -> Iterator[str]:
    """A row of the table and a mark on the curve for each network: a circle for SB, a square for LB."""
    says = {"SB": "small batches", "LB": "large batches"}
    for row, (name, color) in enumerate(COLORS.items()):
        step, loss = highest(around(table, "trained", name), START)
        place = f'transform="translate({across(step):.1f} {down(loss):.1f})"'
        shape = f'fill="{color}" stroke="#ffffff" stroke-width="2"'
        small = f'fill="{color}"'
        y = 44 + 24 * row
        if name == "SB":
            yield f'<circle class="mark {name}" r="8" {shape} {place}/><circle cx="12" cy="{y - 5}" r="6" {small}/>'
        else:
            yield f'<rect class="mark {name}" x="-7" y="-7" width="14" height="14" {shape} {place}/>'
            yield f'<rect x="6" y="{y - 11}" width="12" height="12" {small}/>'
        bold = {"fill": color, "font_weight": "bold"}
        yield text(24, y, f"{name}, {says[name]}", **bold)
        share = accuracy(table, "trained", name)
        yield text(247, y, f"{share:.1f} %", text_anchor="end", **bold)
        value = text(WIDTH - RIGHT, y, shown(loss), text_anchor="end", **bold)
        yield value.replace("<text", f'<text class="value {name}"')


def shown(loss: float) -> str:
    """A loss as the table shows it: two digits that count.

    >>> shown(0.0096), shown(2.34)
    ('0.0096', '2.3')
    """
    return f"{loss:.{max(0, 1 - math.floor(math.log10(loss)))}f}"


def frames(table: pd.DataFrame) -> dict:
    """What the script shows: for each view and network the mark's place and the value, a row a width of the box."""
    found: dict = {"views": {}, "labels": VIEWS, "start": START}
    widths = range(round(REACH / STEP) + 1)
    found["box"] = [[round(across(-width), 1), round(across(width), 1)] for width in widths]
    found["says"] = [f"{width * STEP:.2f}" for width in widths]
    for view in VIEWS:
        found["views"][view] = {}
        for name in COLORS:
            tops = [highest(around(table, view, name), width) for width in widths]
            found["views"][view][name] = [
                [round(across(step), 1), round(down(loss), 1), shown(loss)] for step, loss in tops
            ]
    found["right"] = {name: f"{accuracy(table, 'trained', name):.1f}" for name in COLORS}
    return found


def draw(table: pd.DataFrame) -> str:
    """The picture, as SVG."""
    views = "".join(f'[data-view="{v}"] .{v}{{display:inline}}' for v in VIEWS)
    parts = [*frame(), *curves(table), *marks(table)]
    head = [
        f"<style>.opening .view{{display:none}}{views}</style>",
        f"<metadata>{json.dumps(frames(table), separators=(',', ':'))}</metadata>",
    ]
    whole = {"class": "opening", "data_view": "trained"}
    return card(WIDTH, HEIGHT, ALT, head, parts, **whole)


def main(argv: list[str] | None = None) -> int:
    return command(__doc__, NAME, TARGET, measure, draw, argv)


if __name__ == "__main__":
    sys.exit(main())
