"""Matplotlib figures as small pictures: the frames of `labsupport.explore`.

A figure of 5.6 x 3.6 inches is shown 560 pixels wide (`CSS_DPI` pixels an inch) and drawn with twice
as many, so that it is sharp on a phone. It gets the smallest palette that shows no difference to the eye and
is packed without loss as WebP, which every browser since 2020 shows: half the size of a photograph's
codecs on line art. The background is always opaque white: axes and labels stay legible when the page
around them is dark.
"""

import base64
import html
import io
import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageChops

CSS_DPI = 100
RATIO = 2
PALETTES = (24, 32, 48, 64, 96, 128, 256)
#: The levels of 255 by which a palette may miss a color in one pixel of a hundred, or a heat map shows steps.
MISS = 5


@dataclass(frozen=True)
class Frame:
    """One picture: `data` is WebP, `width` and `height` are in CSS pixels, `titles` are those of its Axes."""

    data: bytes
    width: int
    height: int
    titles: tuple[str, ...]

    def html(self, alt: str) -> str:
        """An `img` element that carries the picture itself."""
        source = base64.b64encode(self.data).decode()
        return (
            f'<img alt="{html.escape(alt, quote=True)}" width="{self.width}" height="{self.height}" '
            f'style="width:100%;max-width:{self.width}px;height:auto" src="data:image/webp;base64,{source}">'
        )


#: Set while a frame is drawn: labels stay inside a figure that nobody trims. It must be on before a colorbar is added.
STYLE: dict[Any, Any] = {"figure.constrained_layout.use": True}


def as_figure(drawn, call: str) -> Figure:
    """The Figure behind what `draw` returned: a Figure, an Axes, or a collection of Axes.

    Raises TypeError for anything else; `call` names the call in the message.
    """
    if hasattr(drawn, "ravel"):
        drawn = drawn.ravel()[0]
    elif isinstance(drawn, (list, tuple)) and drawn:
        drawn = drawn[0]
    if isinstance(drawn, Axes):
        drawn = drawn.get_figure()
    if isinstance(drawn, Figure):
        return drawn
    hint = " End it with `return ax`." if drawn is None else ""
    raise TypeError(f"{call} returned {drawn!r}; it must return a matplotlib Figure or Axes.{hint}")


def render(figure: Figure) -> Frame:
    """Draw `figure` once at `RATIO` x `CSS_DPI` dots an inch, and close it."""
    figure.set_dpi(RATIO * CSS_DPI)
    image = _painted(figure)
    plt.close(figure)
    width, height = (round(side / RATIO) for side in image.size)
    titles = [
        axes.get_title(where) for axes in figure.axes for where in ("left", "center", "right")
    ]
    return Frame(_pack(image), width, height, tuple(filter(None, titles)))


def _painted(figure: Figure) -> Image.Image:
    """The figure as RGB pixels, on white where it is transparent."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    drawn = Image.frombytes("RGBA", canvas.get_width_height(), bytes(canvas.buffer_rgba()))
    image = Image.new("RGBA", drawn.size, "white")
    image.alpha_composite(drawn)
    return image.convert("RGB")


def _pack(image: Image.Image) -> bytes:
    packed = io.BytesIO()
    _reduced(image).convert("RGB").save(packed, "WEBP", lossless=True, quality=100, method=4)
    return packed.getvalue()


def _reduced(image: Image.Image) -> Image.Image:
    """`image` with the smallest palette that misses its colors by little enough."""
    for colors in PALETTES:
        reduced = image.quantize(
            colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        miss = ImageChops.difference(image, reduced.convert("RGB")).convert("L").histogram()
        if sum(miss[MISS + 1 :]) <= 0.01 * sum(miss):
            break
    return reduced


def still(frame: Frame, caption: str) -> bytes:
    """PNG of one frame with its caption beneath, for readers with neither a kernel nor the book's scripts."""
    width = frame.width / CSS_DPI
    note = Figure(figsize=(width, 1), dpi=RATIO * CSS_DPI, facecolor="white")
    text = note.text(0.02, 0, _wrapped(caption, frame.width), fontsize=9, va="top", color="#333333")
    height = text.get_window_extent(FigureCanvasAgg(note).get_renderer()).height / note.dpi + 0.2
    note.set_size_inches(width, height)
    text.set_y(1 - 0.1 / height)
    picture, strip = Image.open(io.BytesIO(frame.data)), _painted(note)
    whole = Image.new("RGB", (picture.width, picture.height + strip.height), "white")
    whole.paste(picture, (0, 0))
    whole.paste(strip, (0, picture.height))
    packed = io.BytesIO()
    _reduced(whole).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def _wrapped(caption: str, width: int) -> str:
    return "\n".join(textwrap.wrap(caption, max(20, int(width / 6.6))))
