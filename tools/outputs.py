"""What a chapter is committed with: outputs that any machine could have made, words for its figures, metadata."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator

from tools import notebooks
from tools.chapters import Chapter, python

SHORTEST_ALT = 40
MACHINE_PATH = re.compile(
    r"(?<![\w./:-])/(?:home|root|tmp|work|Users|mnt|var|opt|content)/[\w.-]+|\b[A-Z]:\\\\?\w+"
)


def alt_text(chapter: Chapter) -> Iterator[str]:
    """Every figure says in words what is seen, in more than its title."""
    for i, cell in chapter.code:
        if not any(
            kind.startswith("image/") for out in cell.outputs for kind in out.get("data", {})
        ):
            continue
        alt = " ".join(str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")).split())
        if not alt:
            yield f"cell {i} shows a figure without alt text: metadata `mystnb: {{image: {{alt: ...}}}}`"
        elif len(alt) < SHORTEST_ALT:
            yield f"cell {i}: the alt text {alt!r} is too short to say what is seen"
        elif any(same(alt, text) for text in titles_in(cell.source)):
            yield f"cell {i}: the alt text repeats the title; say what is seen instead"


def titles_in(source: str) -> Iterator[str]:
    """The texts in a cell that could be a figure's title."""
    for node in ast.walk(python(source) or ast.Module([], [])):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 15:
            yield node.value
    yield from re.findall(r"^#\s?@title (.+)$", source, re.M)


def same(one: str, other: str) -> bool:
    """Whether two texts differ in little more than case and stops."""
    one, other = (" ".join(re.findall(r"\w+", text.lower())) for text in (one, other))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > 0.8


def committed_outputs(chapter: Chapter) -> Iterator[str]:
    """Outputs are part of the source: executed top to bottom, no error, no warning, no path of one machine."""
    counts = [cell.get("execution_count") for _, cell in chapter.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"not executed from top to bottom (counts {counts}): make outputs NB=book/{chapter.path.name}"
    for i, cell in chapter.code:
        for out in cell.outputs:
            if out.output_type == "error":
                yield f"cell {i} holds an error output: {out.ename}: {out.evalue}"
            elif out.output_type == "stream" and out.name == "stderr":
                yield f"cell {i} wrote to stderr: {out.text.strip()[:80]!r}"
            if found := MACHINE_PATH.search(
                str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", ""))
            ):
                yield f"cell {i} shows a path of one machine: {found.group()}"
    for i, cell in enumerate(chapter.cells):
        if found := MACHINE_PATH.search(cell.source):
            yield f"cell {i} names a path of one machine: {found.group()}"


def metadata(chapter: Chapter) -> Iterator[str]:
    """Colab offers its CPU; nothing stands there that another front end or machine wrote."""
    for key, value in notebooks.METADATA.items():
        if chapter.notebook.metadata.get(key) != value:
            yield f"the notebook's metadata `{key}` must be {value}: python -m tools.notebooks normalize"
    if "accelerator" in chapter.notebook.metadata:
        yield "metadata `accelerator` gives every reader on Colab a GPU: python -m tools.notebooks normalize"
    for kind, entry in chapter.notebook.metadata.get("widgets", {}).items():
        if not entry.get("state"):
            yield f"widget metadata {kind} has no state and would break the page: python -m tools.notebooks normalize"
