"""Draw the README's moving picture: a walk from where small batches end to where large ones end.

    python -m tools.moving              draws book/_static/walk.svg from the committed measurement
    python -m tools.moving --measure    measures first (chapter 3's experiment, a minute on a laptop)

One SVG without scripts. Whoever asks for less motion sees it stand still at the large-batch end.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import pandas as pd

from labsupport import provenance
from tools.files import ROOT
from tools.svg import INK, card, command, text

NAME = "walk"
TARGET = ROOT / "book" / "_static" / "walk.svg"
WIDTH, HEIGHT = 480, 400  # narrow, so that its words can be read on a phone
SHOWN = 640  # pixels, where there is room
LEFT, RIGHT, TOP, BOTTOM = 72, 16, 112, 58  # of the plot's frame
ALPHAS, LOSSES = (-0.5, 1.5), (1e-3, 30.0)
SB, LB, GREY = "#0b6fa4", "#b3541e", "#8a8a8a"
SECONDS, REST = 14, 3.0  # one round; a rest at either end counts as so many steps
ALT = (
    "A moving picture. Five grey curves of the training loss, on a log scale, along the straight line from a "
    "network trained with small batches to one trained with large ones. Both ends lie near a loss of a few "
    "thousandths. A dot walks from left to right, with its training loss and test accuracy beside it: behind "
    "the small-batch end the curves rise slowly, behind the large-batch end they rise like a cliff."
)


def measure() -> None:
    """Measure the line at the laptop's scale and put it into the package's committed results."""
    from labsupport import experiments, settings

    s = settings.TABLE["laptop"]
    line = experiments.between(s, splits=("train", "test"))
    provenance.write(
        NAME, line, provenance.here(network=s.main.network, data=s.main.dataset, seeds=s.seeds)
    )


def across(alpha: float) -> float:
    """Where alpha lies on the picture, in pixels from the left."""
    return LEFT + (alpha - ALPHAS[0]) / (ALPHAS[1] - ALPHAS[0]) * (WIDTH - LEFT - RIGHT)


def down(loss: float) -> float:
    """Where a loss lies on the picture, in pixels from the top."""
    low, high = (math.log(edge) for edge in LOSSES)
    share = (math.log(min(max(loss, LOSSES[0]), LOSSES[1])) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def stops(line: pd.DataFrame) -> pd.DataFrame:
    """One row a place of the walk: alpha, and the means over seeds of training loss and test accuracy."""
    near = line[line.alpha.between(*ALPHAS)]
    loss = (
        near[near.split == "train"]
        .groupby("alpha")
        .loss.apply(lambda losses: math.exp(losses.map(math.log).mean()))
    )
    accuracy = near[near.split == "test"].groupby("alpha").accuracy.mean()
    return pd.DataFrame({"loss": loss, "accuracy": accuracy}).reset_index()


def times(walk: pd.DataFrame) -> list[float]:
    """When each place is reached, in percent of a round, with a rest at either minimum."""
    clock, reached = 0.0, []
    for alpha in walk.alpha:
        reached.append(clock)
        clock += 1 + REST * (alpha in (0.0, 1.0))
    return [100 * time / clock for time in reached]


def frame() -> Iterator[str]:
    """Axes, the two minima, and the title."""
    for loss in (0.001, 0.01, 0.1, 1, 10):
        yield f'<path d="M{LEFT} {down(loss):.1f}H{WIDTH - RIGHT}" stroke="#dddddd"/>'
        yield text(LEFT - 8, down(loss) + 5, f"{loss:g}", text_anchor="end")
    for alpha, name, color in ((0, "SB", SB), (1, "LB", LB)):
        upright = f"M{across(alpha):.1f} {TOP}V{HEIGHT - BOTTOM}"
        yield f'<path d="{upright}" stroke="{color}" stroke-dasharray="2 4" stroke-width="2"/>'
        yield text(
            across(alpha),
            HEIGHT - BOTTOM + 20,
            name,
            fill=color,
            text_anchor="middle",
            font_weight="bold",
        )
    title = "Small batches (SB) end on a gentle slope,", "large ones (LB) beside a cliff"
    for row, words in enumerate(title):
        yield text(14, 28 + 22 * row, words, font_size=18, font_weight="bold")
    yield text(
        (LEFT + WIDTH - RIGHT) / 2,
        HEIGHT - 12,
        "place on the straight line between the two networks",
        text_anchor="middle",
    )
    label = text(0, 0, "training loss", text_anchor="middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield f'<g transform="translate(22 {middle:.0f}) rotate(-90)">{label}</g>'


def curves(line: pd.DataFrame) -> Iterator[str]:
    """The training loss of each pair of networks."""
    near = line[line.alpha.between(*ALPHAS) & (line.split == "train")]
    for _, one in near.groupby("seed"):
        points = " ".join(
            f"{across(a):.1f},{down(v):.1f}" for a, v in zip(one.alpha, one.loss, strict=True)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{GREY}" stroke-width="1.6"/>'


def motion(walk: pd.DataFrame) -> Iterator[str]:
    """The style sheet that moves the dot and shows one reading at a time."""
    when = times(walk)
    step = 100 / (len(walk) + 2 * REST)
    leaves = [
        start + step * REST * (alpha in (0.0, 1.0))
        for start, alpha in zip(when, walk.alpha, strict=True)
    ]
    steps = []
    for row, start, end in zip(walk.itertuples(), when, leaves, strict=True):
        place = f"transform:translate({across(row.alpha):.1f}px,{down(row.loss):.1f}px)"
        steps.append(f"{start:.2f}%,{end:.2f}%{{{place}}}")
    last = walk.iloc[-1]
    steps.append(f"100%{{transform:translate({across(last.alpha):.1f}px,{down(last.loss):.1f}px)}}")
    yield f"@keyframes walk{{{''.join(steps)}}}"
    yield f".dot{{animation:walk {SECONDS}s linear infinite}}"
    half_way = [
        0.0,
        *((left + reached) / 2 for left, reached in zip(leaves, when[1:], strict=False)),
        100.0,
    ]
    for number, (start, end) in enumerate(zip(half_way, half_way[1:], strict=False)):
        seen = f"0%{{opacity:0}}{start:.2f}%{{opacity:1}}{end:.2f}%{{opacity:0}}100%{{opacity:0}}"
        yield f"@keyframes r{number}{{{seen}}}"
        yield f".r{number}{{opacity:0;animation:r{number} {SECONDS}s step-end infinite}}"
    at = walk.loc[walk.alpha == 1.0].iloc[0]
    still = int(walk.index[walk.alpha == 1.0][0])
    yield (
        "@media (prefers-reduced-motion:reduce){*{animation:none!important}"
        f".dot{{transform:translate({across(1):.1f}px,{down(at.loss):.1f}px)}}.r{still}{{opacity:1}}}}"
    )


def readings(walk: pd.DataFrame) -> Iterator[str]:
    """What is read at each place."""
    for number, row in enumerate(walk.itertuples()):
        words = f"training loss {row.loss:.3g}, test accuracy {row.accuracy:.1f} %"
        yield f'<g class="r{number}">{text(14, 80, words, font_size=16)}</g>'


def draw(line: pd.DataFrame) -> str:
    """The picture, as SVG."""
    walk = stops(line)
    parts = [*frame(), *curves(line), *readings(walk), f'<circle class="dot" r="8" fill="{INK}"/>']
    style = "<style>\n" + "\n".join(motion(walk)) + "\n</style>"
    return card(WIDTH, HEIGHT, ALT, [style], parts, width=SHOWN)


def main(argv: list[str] | None = None) -> int:
    return command(__doc__, NAME, TARGET, measure, draw, argv)


if __name__ == "__main__":
    sys.exit(main())
