"""What each page of the rendered book weighs: its own HTML and pictures, without what all pages share.

    python -m tools.weigh            the book in _build/html, heaviest page first, and the median of the chapters

A reader's browser fetches styles, MathJax and the widgets' library once for the whole book; they are not counted.
"""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools import arguments
from tools.files import ROOT, Refused

CHAPTER = re.compile(r"\d\d-.+\.html")
LARGEST, LARGEST_MEDIAN = 2_000_000, 1_200_000  # bytes a chapter


def weight(page: Path) -> int:
    """Bytes of the page and of the local pictures it shows, each counted once."""
    text = page.read_text(encoding="utf-8")
    shown = {
        unquote(urlsplit(source).path)
        for source in re.findall(r'<img[^>]+src="(?!data:|https?:)([^"]+)"', text)
    }
    files = {(page.parent / source).resolve() for source in shown}
    return page.stat().st_size + sum(file.stat().st_size for file in files if file.is_file())


def chapters(html: Path) -> dict[str, int]:
    """Bytes of each chapter in the rendered book ``html``, by name."""
    pages = sorted((html / "book").glob("*.html"))
    return {page.stem: weight(page) for page in pages if CHAPTER.fullmatch(page.name)}


def main() -> int:
    weights = chapters(ROOT / "_build" / "html")
    if not weights:
        raise Refused("There is no rendered chapter in _build/html. Run: make book")
    for name, size in sorted(weights.items(), key=lambda item: -item[1]):
        print(f"{size / 1e6:6.2f} MB  {name}")
    print(f"{statistics.median(weights.values()) / 1e6:6.2f} MB  median of {len(weights)} chapters")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
