"""Every page of the book in a real browser: nothing fails, nobody is kept out, nothing is cut off."""

from __future__ import annotations

import functools
import re
import statistics
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

import pytest
from trial import NAME as TRIAL
from visit import NOTEBOOKS, PAGES, WIDTHS, Visit, address, barriers

from tools import weigh
from tools.execute import ROOT


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_well(html, browser, axe, name, width):
    with Visit(browser, address(html, name), width) as visit:
        page = visit.page
        visit.open_results()
        page.evaluate(axe)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            "the page scrolls sideways"
        )
        wide = "[...document.querySelectorAll('main img')].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
        assert page.evaluate(wide) == [], "pictures that do not show"
        formulas = page.locator(".math").count()
        assert page.locator(".math mjx-container svg").count() >= formulas, (
            "formulas that are not typeset"
        )
        assert page.locator("[data-mjx-error], mjx-merror").count() == 0
        if name in NOTEBOOKS:
            link = page.locator(".dropdown-launch-buttons a[href*='colab']").get_attribute("href")
            assert link.endswith(f"/github/some-one/their-fork/blob/published/book/{name}.ipynb")
            inside = page.locator("main article a[href*='colab']").first.get_attribute("href")
            assert inside == link
        assert visit.faults == []


def test_without_scripts_a_picture_remains(html, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(html, TRIAL))
    pictures = page.locator("noscript img")
    assert pictures.count() == 3
    assert pictures.first.is_visible() and pictures.first.bounding_box()["width"] > 100
    assert "Height and color can be chosen." in pictures.first.get_attribute("alt")
    context.close()


@pytest.fixture
def served(html):
    """The book's address on a server, since browsers let no page search a folder."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=html)
    handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_search_finds_every_term_of_the_glossary(served, browser):
    glossary = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^(\S.*)\n  \S", glossary, re.M)
    assert len(terms) > 40 and "Sharpness" in terms
    missed = []
    with Visit(browser, f"{served}/search.html", 1280) as visit:
        for term in terms:
            visit.page.goto(f"{served}/search.html?q={quote(term)}")
            visit.page.wait_for_function(
                "/finished|did not match/.test(document.querySelector('#search-results').innerText)"
            )
            if not visit.page.locator("#search-results li a[href*='glossary']").count():
                missed.append(term)
        # what the last search still fetched when the next began was cut off by us
        assert [fault for fault in visit.faults if not fault.startswith("failed")] == []
    assert missed == []


def test_no_chapter_is_heavy(html, record_property):
    weights = weigh.chapters(html)
    weights.pop(TRIAL)
    record_property("bytes a chapter", weights)
    assert {name: size for name, size in weights.items() if size > weigh.LARGEST} == {}
    if weights:
        assert statistics.median(weights.values()) <= weigh.LARGEST_MEDIAN
