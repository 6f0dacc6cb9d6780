"""What the reader of an explorable figure moves: its parameters, checked and named. See `labsupport.explore`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labsupport.errors import choose

MOST_FRAMES = 120


@dataclass(frozen=True)
class Parameter:
    """One thing the reader moves: its name in `draw`, its label, the values and what they are called."""

    name: str
    label: str
    values: tuple
    texts: tuple[str, ...]
    numeric: bool


def read(parameters: Mapping, labels: Mapping) -> list[Parameter]:
    if not 1 <= len(parameters) <= 2:
        given = ", ".join(parameters) or "none"
        raise ValueError(
            f"A figure is explored by one or two parameters, given as name=values; got {given}."
        )
    for name in labels:
        choose("parameter", name, parameters)
    params = [
        _parameter(name, values, labels.get(name, name.replace("_", " ")))
        for name, values in parameters.items()
    ]
    count = 1
    for param in params:
        count *= len(param.values)
    if count > MOST_FRAMES:
        sizes = " x ".join(str(len(k.values)) for k in params)
        raise ValueError(
            f"{sizes} = {count} frames; a page carries at most {MOST_FRAMES}. Give fewer values."
        )
    return params


def _parameter(name: str, values, label: str) -> Parameter:
    if isinstance(values, Mapping):
        texts, values = tuple(str(key) for key in values), tuple(values.values())
        numeric = False
    else:
        if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
            raise TypeError(
                f"{name} needs a list of values or a dict {{label: value}}; got {values!r}."
            )
        values = tuple(value.item() if hasattr(value, "item") else value for value in values)
        numeric = all(
            isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
        )
        texts = tuple(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    if len(values) < 2:
        raise ValueError(
            f"{name} has {len(values)} value(s); there is nothing to explore below two."
        )
    if len(set(texts)) < len(texts):
        raise ValueError(
            f"Two values of {name} look the same: {', '.join(texts)}. Give a dict {{label: value}}."
        )
    return Parameter(name, label, values, texts, numeric)


def begin(params: list[Parameter], start: Mapping) -> tuple[int, ...]:
    for name in start:
        choose("parameter", name, [k.name for k in params])
    begin = []
    for param in params:
        wish = start.get(param.name, param.values[0])
        if wish not in param.values:
            raise ValueError(
                f"{param.name} cannot start at {wish!r}; its values are {', '.join(param.texts)}."
            )
        begin.append(param.values.index(wish))
    return tuple(begin)


def check_text(name: str, text) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"{name} is what a reader gets who cannot see or move the figure; got {text!r}."
        )
    if "$" in text:
        raise ValueError(
            f"{name} is shown as plain text, without mathematics: write alpha, not $\\alpha$. Got {text!r}."
        )


def alt_text(alt, params: list[Parameter], at: tuple[int, ...]) -> str:
    if callable(alt):
        text = alt(**values_at(params, at))
        check_text("alt", text)
        return text
    try:
        return alt.format(**{k.name: k.texts[i] for k, i in zip(params, at)})
    except (KeyError, IndexError) as error:
        known = ", ".join("{" + k.name + "}" for k in params)
        raise ValueError(
            f"alt asks for {error}, which is no parameter here. Known: {known}."
        ) from error


def values_at(params: list[Parameter], at: tuple[int, ...]) -> dict:
    return {param.name: param.values[i] for param, i in zip(params, at)}


def stand(params: list[Parameter], at: tuple[int, ...]) -> str:
    return ", ".join(f"{param.label}: {param.texts[i]}" for param, i in zip(params, at))
