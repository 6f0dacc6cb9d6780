"""Every figure of the book as SVG and PNG, for slides and papers of one's own.

    python -m tools figures --nb 'book/02-*.ipynb'      writes _build/figures

The committed outputs hold PNG only, so a copy of the chapters is run, with finished training runs taken from the store.
Each file carries its title and its description; a figure to explore is its first picture, in PNG alone.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from tools import execute, files, notebooks, slides
from tools.chapters import Chapter
from tools.files import BUILD, ROOT, Refused

#: What asks a kernel for both forms of each figure.
FORMATS = ("--InlineBackend.figure_formats=png", "--InlineBackend.figure_formats=svg")
SVG, PNG = "image/svg+xml", "image/png"
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Figures</title>
<style>body {{ font: 1rem/1.5 sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem }}
img {{ max-width: 100% }} figure {{ margin: 0 0 3rem }}</style>
</head>
<body>
<main>
<h1>Figures</h1>
{figures}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Figure:
    """One figure: its file's name without an ending, title, description, and {ending: content}."""

    name: str
    title: str
    description: str
    content: dict[str, bytes]


def figures(chapter: Chapter) -> Iterator[Figure]:
    """The figures in a chapter's outputs, in order."""
    count = 0
    for _, cell in chapter.code:
        title = slides.title(cell)
        described = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell.outputs:
            data = output.get("data", {})
            if PNG not in data:
                continue
            count += 1
            shown = title or f"Figure {chapter.number}.{count}"
            content = {"png": named_png(base64.b64decode(data[PNG]), shown, described)}
            if SVG in data:
                content["svg"] = named_svg(data[SVG], shown, described).encode()
            words = re.sub(r"[^a-z0-9]+", "-", shown.lower()).strip("-")[:60].strip("-")
            yield Figure(f"{chapter.number:02d}-{count:02d}-{words}", shown, described, content)


def named_svg(svg: str, title: str, description: str) -> str:
    """The drawing with its title and description in the place where readers' programs look for them.

    >>> named_svg('<svg width="1"><g/></svg>', "A & B", "")
    '<svg width="1"><title>A &amp; B</title><g/></svg>'
    """
    said = f"<title>{html.escape(title)}</title>"
    said += f"<desc>{html.escape(description)}</desc>" if description else ""
    return re.sub(r"<svg\b[^>]*>", lambda opening: opening.group() + said, svg, count=1)


def named_png(png: bytes, title: str, description: str) -> bytes:
    """The same picture with its title and description among its texts."""
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Title", title)
    if description:
        texts.add_itxt("Description", description)
    target = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.save(target, "PNG", pnginfo=texts, dpi=image.info.get("dpi", (72, 72)))
    return target.getvalue()


def write(chapters: Sequence[Chapter], target: Path) -> int:
    """Write the figures of ``chapters`` and the page that lists them to ``target``; return how many there are.

    Raises Refused if the folder holds what no tool put there.
    """
    target = files.fresh(target)
    rows = []
    for chapter in chapters:
        for figure in figures(chapter):
            for ending, content in figure.content.items():
                files.write_whole(target / f"{figure.name}.{ending}", content)
            rows.append(_row(figure))
    files.write_whole(target / "index.html", PAGE.format(figures="\n".join(rows)))
    return len(rows)


def _row(figure: Figure) -> str:
    best = "svg" if "svg" in figure.content else "png"
    links = " ".join(f'<a href="{figure.name}.{end}">{end.upper()}</a>' for end in figure.content)
    return (
        f'<figure><img loading="lazy" src="{figure.name}.{best}" alt="{html.escape(figure.description)}">'
        f"<figcaption>{figure.name[:5]} {html.escape(figure.title)}: {links}</figcaption></figure>"
    )


def main(paths: Sequence[Path], jobs: int, scale: str, target: Path = BUILD / "figures") -> int:
    """Run a copy of the chapters ``paths`` and write their figures; return the exit code."""
    copied = execute.copy_book(BUILD / "figures-src")
    copies = {path.name: path for path in copied if path.stem not in notebooks.PAGES}
    if strange := [path.name for path in paths if path.name not in copies]:
        raise Refused(f"{strange[0]} is no chapter of this book; figures are made of chapters.")
    chosen = [copies[path.name] for path in paths]
    if failed := execute.run_these(chosen, jobs, scale, kernel=FORMATS):
        return failed
    count = write([Chapter.read(path) for path in chosen], target)
    print(f"{count} figures, as SVG and PNG: {target.relative_to(ROOT) / 'index.html'}")
    return 0
