"""A chapter as the tools read it: its cells, headings and sections."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools import notebooks


@dataclass(frozen=True)
class Chapter:
    """One notebook and where it lies."""

    path: Path
    notebook: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> Chapter:
        return cls(Path(path), notebooks.read(path))

    @property
    def number(self) -> int:
        return int(self.path.name[:2])

    @property
    def cells(self) -> list:
        return self.notebook.cells

    @cached_property
    def code(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(i, cell) for i, cell in enumerate(self.cells) if cell.cell_type == "code"]

    @cached_property
    def markdown(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(i, cell) for i, cell in enumerate(self.cells) if cell.cell_type == "markdown"]

    @cached_property
    def headings(self) -> list[tuple[int, int, str]]:
        """(cell, level, text) of every heading, in order."""
        found = []
        for i, cell in self.markdown:
            tokens = commonmark().parse(cell.source)
            for at, token in enumerate(tokens):
                if token.type == "heading_open":
                    found.append((i, int(token.tag[1]), tokens[at + 1].content))
        return found

    def section(self, title: str) -> list[tuple[int, nbformat.NotebookNode]]:
        """The cells from the heading ``title`` (level 2) to the next heading of that level; empty if there is none."""
        starts = [i for i, level, text in self.headings if level == 2 and text == title]
        if not starts:
            return []
        after = [i for i, level, _ in self.headings if level <= 2 and i > starts[0]]
        return list(enumerate(self.cells))[starts[0] : after[0] if after else None]


def commonmark() -> MarkdownIt:
    """A plain CommonMark renderer with tables and `$math$`: what Colab and the repository's page have in common."""
    return (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    )


def tags(cell) -> list[str]:
    return list(cell.metadata.get("tags", []))


def python(source: str) -> ast.Module | None:
    """The syntax tree of a cell, magics translated; None if it is no Python."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return None
