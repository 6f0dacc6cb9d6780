"""Slides: one deck for each chapter, made by nbconvert from the committed outputs; nothing is run.

    python -m tools slides --nb 'book/04-*.ipynb'      writes _build/slides

The folder holds the decks, a page that lists them, and the two scripts that they need. It works from a stick.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter
from traitlets.config import Config

from tools import files, slides, vendor
from tools.chapters import Chapter
from tools.files import BUILD, ROOT

TEMPLATES = Path(__file__).with_name("templates")
OFFLINE = "offline"  # the folder of scripts beside the decks
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://)([^)\s]+)\)")
CHAPTER = re.compile(r"(\d\d-[\w-]+)\.ipynb(#.*)?")
INDEX = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Slides</title>
<style>body {{ font: 1.1rem/1.6 sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}</style>
</head>
<body>
<main>
<h1>Slides</h1>
<ol>
{decks}
</ol>
<p>S opens the speaker's window, O shows all slides at once, F fills the screen. For paper, add <code>?print-pdf</code>
to a deck's address and print.</p>
</main>
</body>
</html>
"""


def page(chapter: Chapter) -> str:
    """A chapter's deck, one HTML page that finds its scripts in the folder `offline` beside it."""
    made = slides.deck(chapter.notebook)
    made.metadata["title"] = heading(chapter)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source)
    exporter = SlidesExporter(
        config=Config(
            {"TagRemovePreprocessor": {"enabled": True, "remove_input_tags": {slides.HIDE}}}
        ),
        extra_template_basedirs=[str(TEMPLATES)],
        template_name="deck",
        exclude_output_prompt=True,
        reveal_url_prefix=f"{OFFLINE}/reveal.js",
        mathjax_url=f"{OFFLINE}/mathjax/es5/tex-svg.js",
    )
    body, _ = exporter.from_notebook_node(nbformat.from_dict(made))
    return "\n".join(line.rstrip() for line in body.splitlines()) + "\n"


def heading(chapter: Chapter) -> str:
    """The chapter's title; its file's name where it has none."""
    return chapter.headings[0][2] if chapter.headings else chapter.path.stem


def linked(source: str) -> str:
    """Links to chapters lead to their decks; links to other pages of the book are their words alone.

    >>> linked("[chapter 4](04-measure.ipynb#box), [set up](setup.md), [a paper](https://arxiv.org)")
    '[chapter 4](04-measure.html), set up, [a paper](https://arxiv.org)'
    """

    def instead(link: re.Match) -> str:
        chapter = CHAPTER.fullmatch(link.group(2))
        return f"[{link.group(1)}]({chapter.group(1)}.html)" if chapter else link.group(1)

    return LINK.sub(instead, source)


def write(paths: Sequence[Path], target: Path) -> Path:
    """Write the decks of the chapters ``paths``, their list and their scripts to the folder ``target``.

    Raises Refused if the folder holds what no tool put there, Unavailable if a script cannot be had.
    """
    chapters = [Chapter.read(path) for path in paths]
    pages = {f"{chapter.path.stem}.html": page(chapter) for chapter in chapters}
    scripts = vendor.fill(BUILD / "vendor") / "html" / "offline"
    target = files.fresh(target)
    shutil.copytree(scripts / "mathjax", target / OFFLINE / "mathjax")
    vendor.unpack(vendor.REVEAL, target / OFFLINE)
    for name, text in pages.items():
        files.write_whole(target / name, text)
    lines = [
        f'<li><a href="{name}">{html.escape(heading(chapter))}</a></li>'
        for name, chapter in zip(pages, chapters)
    ]
    files.write_whole(target / "index.html", INDEX.format(decks="\n".join(lines)))
    return target


def main(paths: Sequence[Path], target: Path = BUILD / "slides") -> int:
    target = write(paths, target)
    print(f"{len(paths)} decks: {target.relative_to(ROOT) / 'index.html'}")
    return 0
