"""Print the rendered book to one PDF, `_build/book.pdf`, with headless Chromium.

    python -m tools.pdf

Each page of the book becomes a part with an entry in the outline. Paper cannot be clicked: hints, answers and folded
code are printed open, a figure to explore shows its first frame with its caption. Needs Chromium (named in CHROMIUM
if it is elsewhere) and a book rendered by `make book`.
"""

from __future__ import annotations

import io
from pathlib import Path

import yaml
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter

from tools import arguments
from tools.browser import CHROMIUM, SWITCHES
from tools.files import ROOT, Refused

PAPER = {
    "format": "A4",
    "scale": 0.75,
    "margin": {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
    "print_background": True,
    "display_header_footer": True,
    "header_template": "<span></span>",
    "footer_template": '<p style="width:100%;text-align:center;font:8pt sans-serif"><span class="title"></span>, '
    'page <span class="pageNumber"></span> of <span class="totalPages"></span></p>',
}
OPEN = """() => {
    const still = document.createElement('style');  // what is opened fades in: paper would show its first, empty moment
    still.textContent = '* { animation: none !important; transition: none !important; }';
    document.head.append(still);
    document.querySelectorAll('details').forEach((part) => { part.open = true; });
    document.querySelectorAll('.toggle-hidden').forEach((part) => part.classList.remove('toggle-hidden'));
}"""


def pages(html: Path, contents: Path) -> list[Path]:
    """The pages of the rendered book in the order of its contents."""
    table = yaml.safe_load(contents.read_text(encoding="utf-8"))
    entries = [{"file": table["root"]}] + [
        entry for part in table["parts"] for entry in part["chapters"]
    ]
    found = []
    for entry in entries:
        found += (
            [html / f"{entry['file']}.html"]
            if "file" in entry
            else sorted(html.glob(f"{entry['glob']}.html"))
        )
    return found


def print_page(browser, page: Path) -> tuple[str, bytes]:
    """The title of one page and the page as PDF."""
    tab = browser.new_page(color_scheme="light")
    tab.goto(page.as_uri())
    if tab.locator("script[type='application/vnd.jupyter.widget-view+json']").count():
        tab.wait_for_function("document.querySelector('.lab-explore')")
        tab.wait_for_function(
            "![...document.querySelectorAll('.lab-explore')].some(f => !f.dataset.ready)"
        )
    tab.evaluate("() => window.MathJax?.startup?.promise")
    tab.evaluate(OPEN)
    tab.emulate_media(media="print", color_scheme="light")
    heading = tab.locator("h1").first.evaluate("(h) => h.firstChild.textContent")
    tab.evaluate("(title) => { document.title = title; }", heading)
    pdf = tab.pdf(**PAPER, outline=True, tagged=True)
    tab.close()
    return heading.strip(), pdf


def print_book(html: Path, contents: Path, title: str, target: Path) -> int:
    """Print the book rendered in ``html`` to ``target``; return the number of sheets."""
    whole = PdfWriter()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        for page in pages(html, contents):
            heading, pdf = print_page(browser, page)
            whole.append(PdfReader(io.BytesIO(pdf)), outline_item=heading, import_outline=False)
            print(f"  {heading}", flush=True)
        browser.close()
    whole.add_metadata({"/Title": title})
    whole.compress_identical_objects()
    whole.write(target)
    return len(whole.pages)


def main() -> int:
    html = ROOT / "_build" / "html"
    if not (html / "index.html").is_file():
        raise Refused("There is no book yet. Run: make book")
    if CHROMIUM is None:
        raise Refused("Printing needs Chromium or Chrome. Install one, or name it in CHROMIUM.")
    title = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["title"]
    target = html.parent / "book.pdf"
    sheets = print_book(html, ROOT / "_toc.yml", title, target)
    print(f"The book on paper: {target.relative_to(ROOT)}, {sheets} pages")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
