"""Figures to explore: what they hold without a kernel, what a kernel adds, what they say to bad input."""

import asyncio
import base64
import io
import itertools
import sys

import ipywidgets
import nbclient
import nbformat
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from matplotlib import pyplot as plt
from PIL import Image

from labsupport import explore
from labsupport.explore import frames

TEXT = {"alt": "A line at height {height}.", "caption": "The line rises."}


def line(height, color="#0072B2"):
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.axhline(height, color=color)
    ax.set(ylim=(0, 10), title="Higher is higher")
    return ax


@pytest.fixture(autouse=True)
def as_a_kernel_that_ends():
    yield
    ipywidgets.Widget.close_all()


def state(figure) -> dict:
    """The models of this figure alone, whatever else is open in the process."""
    return dependency_state([figure.widget])


def models(figure, name: str) -> list[dict]:
    return [model["state"] for model in state(figure).values() if model["model_name"] == name]


def picture(html: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(html.split("base64,")[1].split('"')[0])))


def frames_of(figure) -> list[str]:
    return [
        model["value"] for model in models(figure, "HTMLModel") if "lab-frame" in model["value"]
    ]


def test_one_parameter_becomes_a_slider_over_one_frame_each():
    figure = explore.figure(line, height=[1, 5, 9], **TEXT)
    (slider,) = models(figure, "SelectionSliderModel")
    assert slider["_options_labels"] == ("1", "5", "9") and slider.get("index", 0) == 0
    shown = frames_of(figure)
    assert [f"at height {h}." in text for h, text in zip((1, 5, 9), shown)] == [True] * 3
    pixels = [np.asarray(picture(text), int) for text in shown]
    # 3 x 2 inches, 100 CSS pixels each, drawn at twice that
    assert pixels[0].shape == (400, 600, 3)
    # where the blue begins
    rows = [((p[..., 2] - p[..., 0]) > 100).any(axis=1).argmax() for p in pixels]
    assert rows[0] > rows[1] > rows[2], "the line rises from frame to frame"
    assert len(models(figure, "LinkModel")) == 1


def test_two_parameters_give_every_combination_and_words_become_a_drop_down():
    figure = explore.figure(
        line,
        height=[1, 9],
        color={"blue": "#0072B2", "orange": "#D55E00"},
        start={"height": 9},
        **TEXT,
    )
    assert len(frames_of(figure)) == 4
    (menu,) = models(figure, "DropdownModel")
    assert menu["_options_labels"] == ("blue", "orange")
    assert [stack["selected_index"] for stack in models(figure, "StackModel")] == [1, 0, 0]
    assert len(models(figure, "LinkModel")) == 3
    assert len({picture(text).tobytes() for text in frames_of(figure)}) == 4


def test_what_breaks_the_rendered_page_is_not_used():
    held = state(explore.figure(line, height=[1, 9], **TEXT))
    assert not [m for m in held.values() if m["model_name"] == "PlayModel"]
    for model in held.values():
        if model["model_name"] != "ToggleButtonModel":
            assert not model["state"].get("description") and not model["state"].get("icon")


def test_the_same_cells_give_the_same_state_and_a_second_figure_other_ids(monkeypatch):
    monkeypatch.setattr(explore, "_count", itertools.count())
    first = state(explore.figure(line, height=[1, 9], **TEXT))
    assert explore.figure(line, height=[1, 9], **TEXT).widget.model_id not in first
    ipywidgets.Widget.close_all()
    monkeypatch.setattr(explore, "_count", itertools.count())
    assert state(explore.figure(line, height=[1, 9], **TEXT)) == first


def test_on_colab_the_figure_is_shown_in_one_rich_form(monkeypatch):
    figure = explore.figure(line, height=[1, 5], **TEXT)
    assert "image/png" in figure._repr_mimebundle_()
    monkeypatch.setitem(sys.modules, "google.colab", object())
    assert set(figure._repr_mimebundle_()) == {
        "text/plain",
        "application/vnd.jupyter.widget-view+json",
    }


def test_where_nothing_runs_a_picture_with_its_caption_remains():
    figure = explore.figure(line, height=[1, 9], start={"height": 9}, **TEXT)
    bundle = figure._repr_mimebundle_()
    still = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    frame = picture(frames_of(figure)[1])
    assert still.width == frame.width and still.height > frame.height
    caption = np.asarray(still.convert("L"))[frame.height :]
    assert (caption < 128).any(), "the caption stands below the picture"
    assert bundle["text/plain"] == "Figure to explore by height. The line rises."
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] in state(figure)


def test_the_background_is_white_and_opaque_even_if_the_figure_is_not():
    def clear(height):
        fig = plt.figure(figsize=(2, 2), facecolor="none")
        return fig

    drawn = picture(frames.render(clear(1)).html("nothing"))
    assert drawn.convert("RGBA").getcolors() == [(drawn.width * drawn.height, (255, 255, 255, 255))]


def test_drawing_leaves_no_figure_open():
    before = plt.get_fignums()
    explore.figure(line, height=[1, 9], **TEXT)
    assert plt.get_fignums() == before


def test_without_stack_the_kernel_changes_the_picture(monkeypatch):
    monkeypatch.delattr(ipywidgets, "Stack")
    figure = explore.figure(line, height=[1, 9], **TEXT)
    (shown,) = [w for w in figure.widget.children if "lab-frame" in getattr(w, "value", "")]
    before = shown.value
    figure.controls[0].index = 1
    assert "height 9" in shown.value and shown.value != before


@pytest.mark.parametrize("stack", [True, False])
def test_live_redraws_the_frame_in_a_kernel(monkeypatch, stack):
    if not stack:
        monkeypatch.delattr(ipywidgets, "Stack")
    asked = []

    def fresh(height):
        asked.append(height)
        return line(height, color="#D55E00")

    figure = explore.figure(line, height=[1, 9], live=fresh, **TEXT)
    shown = figure.widget.children[1]
    pane = shown.children[1] if stack else shown
    before = pane.value
    figure.controls[0].index = 1
    assert asked == [9] and pane.value != before and "height 9" in pane.value


def test_play_steps_through_the_frames_in_a_kernel_and_stops(monkeypatch):
    monkeypatch.setattr(explore, "SECONDS_PER_FRAME", 0.01)
    figure = explore.figure(line, height=[1, 5, 9], **TEXT)
    seen = []
    figure.controls[0].observe(lambda change: seen.append(change.new), "index")

    async def watch():
        figure.play.value = True
        assert figure.play.description == "Pause"
        while len(seen) < 4:
            await asyncio.sleep(0.01)
        figure.play.value = False
        stopped = len(seen)
        await asyncio.sleep(0.05)
        assert len(seen) == stopped

    asyncio.run(asyncio.wait_for(watch(), 5))
    assert seen[:4] == [1, 2, 0, 1] and figure.play.description == "Play"


def test_an_executed_notebook_carries_the_state():
    cells = [
        "from matplotlib import pyplot as plt\nfrom labsupport import explore",
        "def line(height):\n    fig, ax = plt.subplots(figsize=(3, 2))\n    ax.axhline(height)\n    return ax",
        "explore.figure(line, height=[1, 2], alt='A line at {height}.', caption='The line rises.')",
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells]
    )
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    (output,) = notebook.cells[2].outputs
    held = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    assert output.data["application/vnd.jupyter.widget-view+json"]["model_id"] in held
    assert sum("lab-frame" in str(model["state"].get("value")) for model in held.values()) == 2
    assert output.data["text/plain"].startswith("Figure to explore by height.")


BAD = [
    ({}, "one or two parameters"),
    ({"height": [1, 2], "a": [1, 2], "b": [1, 2]}, "got height, a, b"),
    ({"height": [1]}, "nothing to explore below two"),
    ({"height": 3}, "needs a list of values"),
    ({"height": "abc"}, "needs a list of values"),
    ({"height": [1.0000001, 1.0000002]}, "look the same"),
    ({"height": list(range(200))}, "at most 120"),
    ({"height": [1, 2], "start": {"height": 3}}, "cannot start at 3; its values are 1, 2"),
    ({"height": [1, 2], "start": {"hight": 1}}, "Did you mean 'height'"),
    ({"height": [1, 2], "labels": {"hight": "Height"}}, "Did you mean 'height'"),
    ({"height": [1, 2], "alt": " "}, "alt is what a reader gets"),
    ({"height": [1, 2], "alt": "Width {width}"}, "Known: {height}"),
    ({"height": [1, 2], "alt": "Higher is higher"}, "alt repeats the title"),
    ({"height": [1, 2], "caption": ""}, "caption is what a reader gets"),
    ({"height": [1, 2], "caption": r"The loss $\phi$"}, "without mathematics"),
]


@pytest.mark.parametrize("given, said", BAD, ids=[said for _, said in BAD])
def test_bad_input_is_told_what_is_possible(given, said):
    with pytest.raises((ValueError, TypeError)) as error:
        explore.figure(line, **(TEXT | given))
    assert said in str(error.value)


@pytest.mark.parametrize("where", ["left", "center", "right"])
def test_an_alt_that_repeats_the_title_is_refused_wherever_the_title_stands(where):
    with (
        plt.rc_context({"axes.titlelocation": where}),
        pytest.raises(ValueError, match="alt repeats the title"),
    ):
        explore.figure(line, **(TEXT | {"height": [1, 2], "alt": "Higher is higher"}))
    plt.close("all")


def test_a_drawing_that_returns_nothing_is_told_to_return_its_axes():
    with pytest.raises(TypeError, match=r"forgetful\(height=1\) returned None.*return ax"):

        def forgetful(height):
            line(height)

        explore.figure(forgetful, height=[1, 2], **TEXT)
    plt.close("all")


def test_frames_of_two_sizes_and_frames_too_heavy_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="one size"):
        explore.figure(lambda height: plt.figure(figsize=(height, 2)), height=[2, 3], **TEXT)
    monkeypatch.setattr(explore, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="frames weigh"):
        explore.figure(line, height=[1, 2], **TEXT)
