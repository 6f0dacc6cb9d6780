"""Figures in notebooks: a palette where nobody sees it, and the figure as it was where somebody would."""

import base64
import io

import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from tools import pictures


def png(pixels: np.ndarray, **info) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG", **info)
    return packed.getvalue()


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.fixture
def figure() -> bytes:
    """A line plot as matplotlib writes it."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 4), dpi=110)
    axes = drawn.subplots()
    axes.plot(np.sin(np.linspace(0, 9, 200)), label="a line")
    axes.set_title("Lines and letters have few colors")
    axes.legend()
    packed = io.BytesIO()
    drawn.savefig(packed, format="png", facecolor="white")
    return packed.getvalue()


def test_a_line_plot_loses_half_its_bytes_and_nothing_that_shows(figure):
    smaller = pictures.with_palette(figure)
    assert len(smaller) < 0.6 * len(figure)
    before, after = opened(figure).astype(int), opened(smaller).astype(int)
    assert before.shape == after.shape
    assert (np.abs(before - after).max(-1) > pictures.MISS).mean() < pictures.SHARE
    assert Image.open(io.BytesIO(smaller)).info["dpi"] == pytest.approx((110, 110), abs=0.1)


def test_a_second_time_changes_no_byte(figure):
    smaller = pictures.with_palette(figure)
    assert pictures.with_palette(smaller) == smaller


def test_a_photograph_keeps_its_colors():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert pictures.with_palette(png(noise)) == png(noise)


def test_what_is_transparent_stays_so():
    glass = np.zeros((32, 32, 4), np.uint8)
    glass[:16, :, 3] = 128
    assert pictures.with_palette(png(glass)) == png(glass)


def test_an_output_that_is_no_picture_is_left_alone(figure):
    kinds = ["not base64!", base64.b64encode(b"no picture").decode()]
    outputs = [new_output("display_data", data={"image/png": kind}) for kind in kinds]
    outputs += [
        new_output("stream", text="words"),
        new_output("display_data", data={"image/png": base64.b64encode(figure).decode()}),
    ]
    notebook = new_notebook(cells=[new_code_cell("1", outputs=outputs)])
    pictures.reduce(notebook)
    left = notebook.cells[0].outputs
    assert [one.data["image/png"] for one in left[:2]] == kinds
    assert base64.b64decode(left[3].data["image/png"]) == pictures.with_palette(figure)
