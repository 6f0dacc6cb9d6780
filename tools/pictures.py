"""The figures in a notebook's outputs, as few bytes as a reader with a slow connection can be given.

matplotlib writes four bytes a pixel. A figure has few colors, and a palette of 256 of them shows no difference to
the eye (the rest is the soft edge of letters) at 40 % of the size.
"""

from __future__ import annotations

import base64
import binascii
import io
from contextlib import suppress

from nbformat import NotebookNode
from PIL import Image, ImageChops, UnidentifiedImageError

COLORS = 256
#: Levels of 255 that a palette may miss by, in all but this share of the pixels.
MISS, SHARE = 5, 0.01
PNG = "image/png"


def reduce(notebook: NotebookNode) -> None:
    """Give every figure among the outputs of ``notebook`` a palette, in place, where that shows no difference."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            picture = output.get("data", {}).get(PNG)
            if picture:
                # what is no picture is not ours to mend
                with suppress(binascii.Error, UnidentifiedImageError):
                    smaller = with_palette(base64.b64decode(picture))
                    output.data[PNG] = base64.b64encode(smaller).decode()


def with_palette(png: bytes) -> bytes:
    """``png`` with a palette; as it is if that would show, if it has one, or if nothing is won."""
    image = Image.open(io.BytesIO(png))
    if image.mode not in ("RGB", "RGBA") or _is_transparent(image):
        return png
    opaque = image.convert("RGB")
    reduced = opaque.quantize(
        COLORS, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE
    )
    missed = ImageChops.difference(opaque, reduced.convert("RGB")).convert("L").histogram()
    if sum(missed[MISS + 1 :]) > SHARE * sum(missed):
        return png
    packed = io.BytesIO()
    reduced.save(packed, "PNG", optimize=True, dpi=image.info.get("dpi"))
    return min(packed.getvalue(), png, key=len)


def _is_transparent(image: Image.Image) -> bool:
    return image.mode == "RGBA" and min(image.getchannel("A").tobytes()) < 255
