"""Figures the reader moves, with a kernel or without one.

`figure` draws every frame beforehand, so that the rendered book needs no kernel: a slider or drop-down
for each of one or two parameters, a play button, the keyboard. A cell of a chapter::

    from labsupport import explore, plots

    def valley(width, shift):
        fig, ax = plt.subplots(figsize=(5.6, 3.6))
        t = np.linspace(-3, 3, 200)
        ax.plot(t, 1 - np.exp(-((t / width) ** 2)), color=plots.SB)
        ax.plot(t, 1 - np.exp(-(((t - shift) / width) ** 2)), color=plots.LB)
        ax.set(xlim=(-3, 3), ylim=(0, 1.1), xlabel="x", ylabel="loss", title="Narrow valleys forgive no shift")
        return ax

    explore.figure(
        valley,
        width=[0.2, 0.4, 0.8, 1.6],
        shift={"none": 0.0, "small": 0.2, "large": 0.6},
        labels={"width": "Width of the valley"},
        alt="Two valleys of width {width}; the second lies to the right by a shift that is {shift}.",
        caption="The same shift costs a narrow valley more than a wide one.",
    )

Make it the last line of its cell. Numbers become a slider, words (or a dict ``{label: value}``) a
drop-down. `alt` says what is seen in each frame: a format string over the parameters' labels, or a
function of their values. `caption` and `alt` are plain text without mathematics. Keep axis limits and
figure size the same in all frames. Where neither kernel nor scripts work (the repository's page), the
output holds a picture of the first frame (or `start`) with its caption.

A frame of line art weighs 5 to 15 KB; a page has 3 MB. Without `Stack` (ipywidgets 7, as on Colab) the
running kernel changes the picture; elsewhere the browser does.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence

import ipywidgets
from matplotlib import rc_context

from labsupport.explore import frames
from labsupport.explore import parameters as given

MOST_BYTES = 1_500_000
SECONDS_PER_FRAME = 0.9

_count = itertools.count()


class Explorer:
    """What `figure` returns: `widget` (ipywidgets), `pictures` (index tuple -> Frame), `still` (PNG bytes)."""

    def __init__(self, widget, controls, play, pictures, still, plain):
        self.widget, self.controls, self.play = widget, controls, play
        self.pictures, self.still, self._plain = pictures, still, plain

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        forms = {"text/plain": self._plain, "application/vnd.jupyter.widget-view+json": view}
        # Which of several rich forms Colab shows is nowhere written down (its front end is not public), and a picture
        # that won would stand still. There the figure is given in one rich form, as ipywidgets itself gives a widget.
        if "google.colab" not in sys.modules:
            forms["image/png"] = base64.b64encode(self.still).decode()
        return forms


def figure(
    draw: Callable,
    *,
    alt: str | Callable[..., str],
    caption: str,
    labels: Mapping[str, str] | None = None,
    start: Mapping | None = None,
    live: Callable | None = None,
    **parameters: Sequence | Mapping[str, object],
) -> Explorer:
    """Figure with a slider or drop-down for each of one or two `parameters`; every frame is drawn now.

    draw : called as ``draw(name=value, ...)`` for each combination, returns a matplotlib Figure or Axes
    alt : what is seen, for readers who do not see it; ``"{name}"`` stands for the label of the value
    caption : one or two sentences below the picture
    labels : what the page calls each parameter; without it, its name
    start : the value each parameter begins with; without it, the first
    live : like `draw`; with a running kernel it redraws the frame whenever the reader moves a control
    parameters : two or more values each, or ``{label: value}``

    Raises TypeError or ValueError, in words, for anything that cannot become such a figure.
    """
    if not callable(draw):
        raise TypeError(f"The first argument draws one frame: a function, not {draw!r}.")
    params = given.read(parameters, labels or {})
    given.check_text("caption", caption)
    if not callable(alt):
        given.check_text("alt", alt)
    begin = given.begin(params, start or {})
    pictures = {
        at: _picture(draw, params, at)
        for at in itertools.product(*(range(len(k.values)) for k in params))
    }
    texts = {at: given.alt_text(alt, params, at) for at in pictures}
    _check_pictures(pictures, texts)

    make = _Maker(f"{next(_count)}:{caption}:{[k.name for k in params]}")
    panes = {
        at: make(ipywidgets.HTML, shared="pane", value=_pane(params, at, pictures[at], texts[at]))
        for at in pictures
    }
    controls = [_control(make, param, index) for param, index in zip(params, begin)]
    shown = _switch(make, controls, panes, begin)
    play = make(ipywidgets.ToggleButton, description="Play", tooltip="Step through the frames")
    play.add_class("lab-play")
    _animate(play, controls[_played(params)], len(params[_played(params)].values))
    if live is not None:
        _redraw(live, params, controls, panes, shown, alt)
    rows = [
        _row(make, param, control, play if i == _played(params) else None)
        for i, (param, control) in enumerate(zip(params, controls))
    ]
    below = make(
        ipywidgets.HTML, value=f'<p class="lab-caption" style="margin:0">{html.escape(caption)}</p>'
    )
    widget = make(ipywidgets.VBox, children=[*rows, shown, below], layout={"max_width": "100%"})
    widget.add_class("lab-explore")
    still = frames.still(pictures[begin], f"{given.stand(params, begin)}. {caption}")
    plain = f"Figure to explore by {' and '.join(k.label for k in params)}. {caption}"
    return Explorer(widget, controls, play, pictures, still, plain)


def _picture(draw: Callable, params: list[given.Parameter], at: tuple[int, ...]) -> frames.Frame:
    values = given.values_at(params, at)
    call = (
        f"{getattr(draw, '__name__', 'draw')}({', '.join(f'{k}={v!r}' for k, v in values.items())})"
    )
    with rc_context(frames.STYLE):
        return frames.render(frames.as_figure(draw(**values), call))


def _check_pictures(pictures: Mapping, texts: Mapping) -> None:
    sizes = sorted({(p.width, p.height) for p in pictures.values()})
    if len(sizes) > 1:
        raise ValueError(f"All frames must have one size; got {sizes}. Give draw a fixed figsize.")
    for at, picture in pictures.items():
        if texts[at].strip() in picture.titles:
            raise ValueError(f"alt repeats the title {texts[at]!r}. Say what is seen instead.")
    weight = sum(len(p.data) for p in pictures.values())
    if weight > MOST_BYTES:
        raise ValueError(
            f"{len(pictures)} frames weigh {weight / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.1f} MB fit a page. "
            "Give fewer values, a smaller figsize or fewer shades."
        )


class _Maker:
    """Makes widgets whose ids depend on the order of the cells alone, so that committed outputs do not churn."""

    def __init__(self, seed: str):
        self._seed, self._count = seed, itertools.count()
        self._shared: dict[str | None, dict] = {}

    def _id(self) -> str:
        return hashlib.sha256(f"{self._seed}:{next(self._count)}".encode()).hexdigest()[:32]

    def __call__(self, cls, *, shared: str | None = None, layout: Mapping | None = None, **traits):
        parts = self._shared.get(shared)
        if parts is None:
            parts = {}
            if "layout" in cls.class_traits():
                parts["layout"] = ipywidgets.Layout(model_id=self._id(), **(layout or {}))
            if "style" in cls.class_traits():
                parts["style"] = cls.class_traits()["style"].klass(model_id=self._id())
            if shared:
                self._shared[shared] = parts
        return cls(model_id=self._id(), **parts, **traits)

    def link(self, source, target) -> None:
        ipywidgets.widgets.widget_link.Link(source, target, model_id=self._id())


def _pane(params, at, picture: frames.Frame, alt: str) -> str:
    """One frame and, above it, where the sliders stand; a drop-down says so itself."""
    now = ", ".join(
        f"{html.escape(param.label)}: <b>{html.escape(param.texts[i])}</b>"
        for param, i in zip(params, at)
        if param.numeric
    )
    return f'<div class="lab-frame"><p class="lab-now" style="margin:0">{now}</p>{picture.html(alt)}</div>'


def _control(make: _Maker, param: given.Parameter, index: int):
    options = list(zip(param.texts, range(len(param.texts))))
    if param.numeric:
        return make(
            ipywidgets.SelectionSlider,
            options=options,
            index=index,
            readout=False,
            layout={"flex": "1 1 160px", "width": "auto", "max_width": "420px"},
        )
    return make(
        ipywidgets.Dropdown,
        options=options,
        index=index,
        layout={"flex": "1 1 160px", "width": "auto", "max_width": "280px"},
    )


def _row(make: _Maker, param: given.Parameter, control, play):
    label = make(
        ipywidgets.HTML, value=f'<span class="lab-label">{html.escape(param.label)}</span>'
    )
    row = make(
        ipywidgets.HBox,
        children=[label, control, *([play] if play else [])],
        layout={"flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"},
    )
    row.add_class("lab-row")
    return row


def _played(params: list[given.Parameter]) -> int:
    return next((i for i, param in enumerate(params) if param.numeric), 0)


def _switch(make: _Maker, controls, panes: Mapping, begin: tuple[int, ...]):
    """The pane of the controls' indices: stacks linked in the browser, or one pane that the kernel refills."""
    if not hasattr(ipywidgets, "Stack"):
        shown = make(ipywidgets.HTML, value=panes[begin].value)

        def refill(_):
            shown.value = panes[tuple(control.index for control in controls)].value

        for control in controls:
            control.observe(refill, "index")
        return shown
    if len(controls) == 1:
        stack = make(ipywidgets.Stack, children=list(panes.values()), selected_index=begin[0])
        make.link((controls[0], "index"), (stack, "selected_index"))
        return stack
    inner = []
    for first in sorted({at[0] for at in panes}):
        children = [pane for at, pane in panes.items() if at[0] == first]
        inner.append(make(ipywidgets.Stack, children=children, selected_index=begin[1]))
        make.link((controls[1], "index"), (inner[-1], "selected_index"))
    outer = make(ipywidgets.Stack, children=inner, selected_index=begin[0])
    make.link((controls[0], "index"), (outer, "selected_index"))
    return outer


def _animate(play, control, count: int) -> None:
    """Let the running kernel step the frames; in the rendered book a script does, on the same button."""

    async def step():
        while play.value:
            control.index = (control.index + 1) % count
            await asyncio.sleep(SECONDS_PER_FRAME)

    def toggled(change):
        play.description = "Pause" if change.new else "Play"
        if change.new:
            asyncio.ensure_future(step())

    play.observe(toggled, "value")


def _redraw(live: Callable, params, controls, panes: Mapping, shown, alt) -> None:
    def moved(_):
        at = tuple(control.index for control in controls)
        value = _pane(params, at, _picture(live, params, at), given.alt_text(alt, params, at))
        panes[at].value = value
        if isinstance(shown, ipywidgets.HTML):
            shown.value = value

    for control in controls:
        control.observe(moved, "index")
