"""Which cells of a chapter become slides, and of which kind, where its author has not said so.

A cell whose *slide type* was set in Jupyter is taken whole, as it says. For all others a rule decides: the title, the
headings with their first paragraph and their formulas, questions, algorithms, figures, answers, claims and the summary
are shown; the rest of the prose becomes the speaker's notes; other code is left out, and so are the exercises.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import nbformat
from nbformat.v4 import new_markdown_cell

from tools.chapters import commonmark, python, tags
from tools.notebooks import RUN_IT

QUESTION = "Predict before you run"
WHOLE = {QUESTION, "Summary", "What this does not show", "Where to go next"}
#: Sections whose code is not what a listener should read.
NO_CODE = {"Paper and us", "Claims"}
LEFT_OUT = "Exercises"
LEFT_OUT_TAGS = {"setup", "exercise", "exercise-check"}
HIDE = "hide-input"  # the tag of a cell whose code a page folds; a slide leaves it out
CODE_LINES = 30  # that fit a slide
OUTPUT_LINES = 24
#: The room on a slide, in lines of prose; how much of it a line of code or of a result takes; letters in a line.
ROOM, CODE_LINE, LETTERS = 15, 0.75, 75
BOOKKEEPING = "@cache.remember"
WIDGET = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Block:
    """One block of Markdown: its kind as markdown-it names it, its text, and a heading's level and words."""

    kind: str
    text: str
    level: int = 0
    words: str = ""


def blocks(source: str) -> Iterator[Block]:
    """The top-level blocks of a cell, in order."""
    lines = source.split("\n")
    tokens = commonmark().parse(source)
    for at, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        text = "\n".join(lines[slice(*token.map)]).strip("\n")
        if token.type == "heading_open":
            yield Block("heading", text, int(token.tag[1]), tokens[at + 1].content)
        else:
            yield Block(token.type.removesuffix("_open"), text)


def parts(source: str) -> Iterator[list[Block]]:
    """A cell's blocks, cut before each heading and around each folded block."""
    part: list[Block] = []
    for block in blocks(source):
        if block.kind == "heading" or block.text.startswith("<details"):
            if part:
                yield part
            part = []
        part.append(block)
        if block.text.rstrip().endswith("</details>"):
            yield part
            part = []
    if part:
        yield part


@dataclass(frozen=True)
class Slide:
    """One cell of a deck. ``lines`` is the room it takes; what ``joins`` may share a slide that is ``open``."""

    cell: nbformat.NotebookNode
    kind: str
    lines: float = 0
    joins: bool = False
    open: bool = False


def deck(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy of ``notebook`` in which every cell has a slide type, its prose cut to what a slide holds."""
    made = copy.deepcopy(notebook)
    made.metadata.pop("widgets", None)
    cells = []
    room = 0.0
    for number, slide in enumerate(_slides(made.cells)):
        kind = slide.kind
        if slide.joins and slide.lines <= room:
            kind = "-"
        if kind == "-":
            room -= slide.lines
        elif kind != "notes":
            room = ROOM - slide.lines if slide.open else 0
        slide.cell.id = f"slide-{number}"
        slide.cell.metadata.slideshow = nbformat.from_dict(
            {**slide.cell.metadata.get("slideshow", {}), "slide_type": kind}
        )
        cells.append(slide.cell)
    made.cells = cells
    return made


def _slides(cells: Iterable) -> Iterator[Slide]:
    section = ""
    for cell in cells:
        if chosen := cell.metadata.get("slideshow", {}).get("slide_type", "").strip("-"):
            section = _section(cell, section)
            yield Slide(_still(cell) if cell.cell_type == "code" else cell, chosen)
        elif cell.cell_type == "markdown":
            for part in parts(cell.source):
                if part[0].kind == "heading" and part[0].level <= 2:
                    section = part[0].words
                if section != LEFT_OUT:
                    yield from _prose(part)
        elif cell.cell_type == "code" and section != LEFT_OUT:
            yield from _code(cell, section)


def _section(cell, before: str) -> str:
    found = re.findall(r"^##? (.+)$", cell.source, re.MULTILINE)
    return found[-1] if cell.cell_type == "markdown" and found else before


def _text(those: Iterable[Block], kind: str, open: bool = False) -> Slide:
    those = list(those)
    lines = sum(1.5 + len(block.text) / LETTERS for block in those)
    return Slide(new_markdown_cell(_join(those)), kind, lines, open=open)


def _prose(part: list[Block]) -> Iterator[Slide]:
    """The slide of one part of a Markdown cell, and the notes to it."""
    first = part[0]
    if first.text.startswith("<details"):
        yield from _folded(part)
        return
    if first.kind == "heading":
        kind = "slide" if first.level <= 2 else "subslide"
        if first.level == 1 or first.words in WHOLE:
            yield _text((block for block in part if block.text != RUN_IT), kind)
            return
        shown, said = _chosen(part[1:], with_first=True)
        yield _text([first, *shown], kind, open=True)
    else:
        shown, said = _chosen(part, with_first=False)
        if shown:
            yield _text(shown, "subslide", open=True)
    if said:
        yield _text(said, "notes")


def _chosen(part: list[Block], with_first: bool) -> tuple[list[Block], list[Block]]:
    """What is shown and what is said: formulas and tables with the paragraph before each, else a first paragraph."""
    seen = {at for at, block in enumerate(part) if block.kind in ("math_block", "table")}
    seen |= {at for at, block in enumerate(part) if "$$" in block.text}
    seen |= {at - 1 for at in seen if at and part[at - 1].kind == "paragraph"}
    if with_first and part:
        seen.add(0)
    shown = [block for at, block in enumerate(part) if at in seen]
    return shown, [block for at, block in enumerate(part) if at not in seen]


def _folded(part: list[Block]) -> Iterator[Slide]:
    """An answer, opened: its first paragraph is shown, the replies are said. Hints and solutions are left out."""
    if not re.search(r"<summary>\s*Answer\b", part[0].text):
        return
    inside = [block for block in part if "details>" not in block.text and block is not part[0]]
    if inside:
        yield _text([Block("heading", "### Answer"), inside[0]], "subslide")
        if inside[1:]:
            yield _text(inside[1:], "notes")


def _join(those: Iterable[Block]) -> str:
    return "\n\n".join(block.text for block in those)


def _code(cell, section: str) -> Iterator[Slide]:
    """A figure, an algorithm or a result; nothing of any other cell."""
    if LEFT_OUT_TAGS & set(tags(cell)):
        return
    cell = _still(cell)
    if any("image/png" in output.get("data", {}) for output in cell.outputs):
        yield from _titled(cell)
    elif HIDE not in tags(cell) and section not in NO_CODE and algorithm(cell.source):
        cell.outputs = [output for output in cell.outputs if _length(output) <= OUTPUT_LINES // 2]
        code = CODE_LINE * len(cell.source.strip().split("\n")) + 1
        yield Slide(cell, "subslide", code + _taken(cell), joins=True, open=True)
    elif cell.outputs and all(0 < _length(output) <= OUTPUT_LINES for output in cell.outputs):
        yield from _titled(cell)


def _titled(cell) -> Iterator[Slide]:
    """A cell without its code, below its title if it has one."""
    cell.metadata.tags = sorted({*tags(cell), HIDE})
    if title(cell):
        yield _text([Block("heading", f"### {title(cell)}")], "subslide")
        yield Slide(cell, "-", ROOM)
    else:
        picture = any("image/png" in output.get("data", {}) for output in cell.outputs)
        yield Slide(cell, "subslide", _taken(cell), joins=not picture, open=not picture)


def _taken(cell) -> float:
    return sum(CODE_LINE * _length(output) + 1 for output in cell.outputs)


def _still(cell):
    """The cell with what needs no kernel and no script: a figure to explore is its picture."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
    kept = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        data.pop(WIDGET, None)
        if "image/png" in data:
            output.metadata = nbformat.from_dict({"alt": alt})
        if data or output.output_type == "stream":
            kept.append(output)
    cell.outputs = kept
    return cell


def title(cell) -> str:
    """What ``# @title`` says in a cell's first line, without its kind: "Figure: the gap" is "The gap"."""
    found = re.match(r"#\s*@title\s+(?:(?:Figure|Picture|Explore)[^:]*:\s*)?(.+)", cell.source)
    return found.group(1)[:1].upper() + found.group(1)[1:] if found else ""


def algorithm(source: str) -> bool:
    """Whether a cell is worth reading aloud: it defines a function or loops, and fits a slide.

    What is remembered from run to run is an experiment's bookkeeping: its result is shown, not its code.
    """
    tree = python(source) if BOOKKEEPING not in source else None
    named = (ast.FunctionDef, ast.For, ast.While)
    fits = len(source.strip().split("\n")) <= CODE_LINES
    return fits and tree is not None and any(isinstance(node, named) for node in tree.body)


def _length(output) -> int:
    """How many lines an output takes on a slide; 0 for one that shows nothing."""
    if output.output_type == "stream":
        return len(output.text.strip().split("\n")) if output.text.strip() else 0
    data = output.get("data", {})
    if "text/html" in data:
        return data["text/html"].count("<tr") or len(data["text/html"]) // 80 + 1
    return len(data.get("text/plain", "").split("\n"))
