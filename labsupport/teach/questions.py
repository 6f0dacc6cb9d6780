"""The questions on paper: what is asked, without cells, as HTML and, printed by a browser, as PDF.

Formulas become MathML, which browsers set by themselves: no script, no network, no LaTeX.
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from labsupport.teach import strip
from labsupport.teach.needs import need
from labsupport.teach.source import Assignment, Question

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)
_STYLE = """
@page { size: A4; margin: 20mm }
body { font: 11pt/1.5 Georgia, "DejaVu Serif", serif; max-width: 42em; margin: auto; color: #111 }
h1, h2 { font-family: Helvetica, "DejaVu Sans", sans-serif; line-height: 1.2; break-after: avoid }
code, pre { font: 9.5pt/1.4 "DejaVu Sans Mono", monospace; background: #f4f4f4 }
pre { padding: 0.6em; white-space: pre-wrap; break-inside: avoid }
math[display=block] { margin: 0.6em 0 }
"""


def page(assignment: Assignment) -> str:
    """One HTML page with the text of every question, and the lines of code that a student begins with."""
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(assignment.title)}</title>"
        f"<style>{_STYLE}</style>"
    ]
    for part in assignment.parts:
        if isinstance(part, Question):
            parts += [_html(cell.source) for cell in part.text if cell.cell_type == "markdown"]
            if not part.manual:
                parts += [
                    f"<pre>{html.escape(strip.without_solution(cell.source))}</pre>"
                    for cell in part.solution
                    if cell.cell_type == "code"
                ]
        elif part.cell_type == "markdown":
            parts.append(_html(part.source))
    return "\n".join(parts) + "\n"


def _html(markdown: str) -> str:
    parser = need("markdown_it").MarkdownIt("commonmark").enable("table")
    dollar = need("mdit_py_plugins.dollarmath").dollarmath_plugin
    parser.use(
        dollar,
        renderer=lambda formula, options: _mathml(formula, options.get("display_mode", False)),
    )
    return parser.render(re.sub(r"\[Open in Colab\]\([^)]*\)", "", markdown))


def _mathml(formula: str, block: bool) -> str:
    return need("latex2mathml.converter").convert(formula, display="block" if block else "inline")


def write(assignment: Assignment, target: Path, *, browser: str | None = "auto", say=print) -> Path:
    """Write ``target`` with the suffix .pdf; with .html and a remark where no browser can print it."""
    content = page(assignment)
    program = find_browser() if browser == "auto" else browser
    if program is None:
        path = target.with_name(target.name + ".html")
        path.write_text(content, encoding="utf-8")
        if browser is not None:
            say(
                "No PDF: no Chromium or Chrome was found (name one with --browser). The questions are in "
                f"{path.name}; any browser prints them."
            )
        return path
    return _printed(content, target.with_name(target.name + ".pdf"), program)


def find_browser() -> str | None:
    """A browser that can print."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def _printed(content: str, path: Path, program: str) -> Path:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "questions.html"
        source.write_text(content, encoding="utf-8")
        words = [
            program,
            *_SWITCHES,
            f"--user-data-dir={folder}/profile",
            f"--print-to-pdf={path.resolve()}",
            source.as_uri(),
        ]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RuntimeError(
                f"The questions could not be printed by {program}: {error}."
            ) from None
    if not path.is_file():
        raise RuntimeError(
            f"The questions could not be printed by {program}: {done.stderr.strip()[-200:]}"
        )
    return path
