"""What is drawn, read back from the Axes."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from labsupport import plots


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_dots_show_every_seed_and_the_mean():
    ax = plots.dots({"SB": [1.0, 2.0, 6.0], "LB": [4.0, 4.0]}, ylabel="percent", title="A finding")
    drawn = [line.get_ydata() for line in ax.lines]
    assert [list(y) for y in drawn] == [[1, 2, 6], [3, 3], [4, 4], [4, 4]]
    assert [line.get_color() for line in ax.lines] == [plots.SB, plots.SB, plots.LB, plots.LB]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["SB", "LB"]
    assert (ax.get_ylabel(), ax.get_title(loc="left") or ax.get_title()) == ("percent", "A finding")


def test_on_a_log_scale_the_bar_is_the_median():
    ax = plots.dots({"LB": [1.0, 2.0, 600.0]}, log=True)
    assert list(ax.lines[1].get_ydata()) == [2, 2] and ax.get_yscale() == "log"


def test_a_single_seed_is_one_dot():
    assert list(plots.dots({"SB": [3.0]}).lines[0].get_ydata()) == [3.0]


def test_a_band_is_mean_and_one_standard_deviation():
    table = pd.DataFrame({"epoch": [1, 1, 2, 2], "loss": [1.0, 3.0, 5.0, 5.0]})
    ax = plots.band(table, "epoch", "loss", label="SB")
    assert list(ax.lines[0].get_ydata()) == [2, 5]
    edge = ax.collections[0].get_paths()[0].vertices
    assert edge[:, 1].min() == pytest.approx(2 - np.sqrt(2)) and edge[:, 1].max() == pytest.approx(
        5
    )
    assert ax.lines[0].get_label() == "SB"


def test_a_given_axes_is_drawn_on_and_returned():
    ax = plt.subplots()[1]
    assert plots.dots({"a": [1.0, 2.0]}, ax=ax) is ax
    assert plots.band(pd.DataFrame({"x": [0, 0], "y": [1.0, 2.0]}), "x", "y", ax=ax) is ax


def test_the_readers_own_settings_are_left_alone():
    before = dict(plt.rcParams)
    plots.dots({"a": [1.0, 2.0]})
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    "values, text", [([1.0, 2.0, 3.0], "2.00 ±\xa01.00"), ([386, 260, 512], "386 ±\xa01.3e+02")]
)
def test_spread(values, text):
    assert plots.spread(values) == text


def luminance(color):
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
        for c in matplotlib.colors.to_rgb(color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("color", plots.PALETTE)
def test_colors_can_be_seen_on_white(color):
    assert 1.05 / (luminance(color) + 0.05) > 2.0


def test_small_and_large_batch_differ_in_grey_too():
    assert (
        plots.PALETTE[:2] == (plots.SB, plots.LB)
        and abs(luminance(plots.SB) - luminance(plots.LB)) > 0.05
    )


OKABE_ITO = {"#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}


def test_one_color_has_one_meaning():
    assert (
        len(set(plots.MEANING.values())) == len(plots.MEANING)
        and set(plots.MEANING.values()) <= OKABE_ITO
    )
    assert plots.color_of("SB") == plots.SB and plots.color_of("paper") == plots.PAPER != plots.LB
    assert {plots.line_of("train"), plots.line_of("test")} == {"-", "--"}


@pytest.mark.parametrize("color", [plots.SB, plots.LB, plots.REMEDY, plots.PAPER, plots.NEUTRAL])
def test_colors_with_a_meaning_stand_out_from_white_as_graphics_must(color):
    """Three to one, as WCAG asks of graphics; figures keep their white ground in the dark theme, and the paper's pink
    is also told by its marker."""
    least = 3.0 if color != plots.PAPER else 2.8
    assert 1.05 / (luminance(color) + 0.05) > least


def test_a_group_with_a_name_of_its_own_keeps_its_color_in_any_place():
    ax = plots.dots({"paper": [1.0, 2.0], "LB": [1.0, 2.0], "SB": [1.0, 2.0], "B = 64": [1.0, 2.0]})
    colors = [line.get_color() for line in ax.lines][::2]
    assert colors == [plots.PAPER, plots.LB, plots.SB, plots.PALETTE[3]]


def test_what_cannot_be_drawn_is_left_out_with_a_word():
    with pytest.warns(
        RuntimeWarning, match="group 'LB': 2 of 3 values cannot be drawn on a log scale"
    ):
        ax = plots.dots({"LB": [1.0, 0.0, np.nan]}, log=True)
    assert list(ax.lines[0].get_ydata()) == [1.0]


def test_one_value_has_no_deviation():
    assert plots.spread([2.0]) == "2.00 (one value)"
