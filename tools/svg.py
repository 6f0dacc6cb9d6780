"""What the two pictures that the tools draw have in common: words, the card they stand on, and their command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from labsupport import provenance
from tools.files import ROOT

INK = "#222222"


def text(x: float, y: float, words: str, **more) -> str:
    """Words at a place; ``more`` are attributes, with _ for -."""
    style = {"font-size": 15, "fill": INK} | {
        key.replace("_", "-"): value for key, value in more.items()
    }
    said = " ".join(f'{key}="{value}"' for key, value in style.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" {said}>{words}</text>'


def card(
    width: int,
    height: int,
    alt: str,
    head: Iterable[str],
    parts: Iterable[str],
    /,
    **more: object,
) -> str:
    """The picture on a white card. ``head``: style and metadata; ``more``: attributes of the whole, with _ for -."""
    own = "".join(f'{key.replace("_", "-")}="{value}" ' for key, value in more.items())
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'{own}font-family="Helvetica, Arial, sans-serif">',
        f"<title>{alt}</title>",
        *head,
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def command(
    about: str,
    name: str,
    target: Path,
    measure: Callable[[], None],
    draw: Callable[[pd.DataFrame], str],
    argv: list[str] | None = None,
) -> int:
    """Draw ``target`` from the committed result ``name``; with ``--measure`` it is measured first."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="measure first")
    if parser.parse_args(argv).measure:
        measure()
    table, _ = provenance.read(name)
    target.write_text(draw(table), encoding="utf-8")
    print(f"Wrote {target.relative_to(ROOT)}, {target.stat().st_size / 1000:.0f} KB.")
    return 0
