"""Every page of the book in a real browser, opened from a folder as from a USB stick, with no other host in reach."""

from __future__ import annotations

import functools
import re
import statistics
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from trial import NAME as TRIAL

from tools import notebooks, vendor, weigh
from tools.execute import ROOT

PAGES = [*sorted(path.stem for kind in ("md", "ipynb") for path in (ROOT / "book").glob(f"*.{kind}")), TRIAL]
CHAPTERS = [path.stem for path in notebooks.chapters(ROOT / "book")]
WIDTHS = (1280, 390)
GRAVE = ("serious", "critical")


class Visit:
    """One page in a tab of its own; `faults` collects what went wrong while it was open."""

    def __init__(self, browser, address: str, width: int):
        self.faults = []
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="light")
        self.origin = re.match(r"file://|https?://[^/]+", address).group()
        self.context.route(re.compile("^(?!file:|data:|blob:)"), self._guard)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("requestfailed", lambda request: self.faults.append(f"failed: {request.url[:200]}"))
        self.page.on("response", self._response)
        self.page.goto(address)
        if self.page.locator("script[type='application/vnd.jupyter.widget-view+json']").count():
            self.page.wait_for_function("document.querySelector('.lab-explore')")
            self.page.wait_for_function("![...document.querySelectorAll('.lab-explore')].some(f => !f.dataset.ready)")
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        self.page.add_style_tag(content="* { transition: none !important; animation: none !important; }")

    def _guard(self, route):
        if route.request.url.startswith(self.origin):
            route.continue_()
        else:
            self.faults.append(f"asked another host: {route.request.url[:200]}")
            route.abort()

    def _console(self, message):
        if message.type == "error":
            self.faults.append(f"console: {message.text[:300]}")

    def _response(self, response):
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url[:200]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, which looks for what keeps people out."""
    return (vendor.unpack(vendor.AXE, tmp_path_factory.mktemp("axe")) / "axe.min.js").read_text(encoding="utf-8")


def address(html: Path, name: str) -> str:
    return (html / "book" / f"{name}.html").as_uri()


def barriers(page) -> list[str]:
    """What axe finds serious: rule, element and what would mend it."""
    found = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_well(html, browser, axe, name, width):
    with Visit(browser, address(html, name), width) as visit:
        page = visit.page
        page.evaluate(axe)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            assert barriers(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        wide = "[...document.querySelectorAll('main img')].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
        assert page.evaluate(wide) == [], "pictures that do not show"
        formulas = page.locator(".math").count()
        assert page.locator(".math mjx-container svg").count() >= formulas, "formulas that are not typeset"
        assert page.locator("[data-mjx-error], mjx-merror").count() == 0
        if name in CHAPTERS:
            link = page.locator(".dropdown-launch-buttons a[href*='colab']").get_attribute("href")
            assert link == notebooks.colab_link(name)
        assert visit.faults == []


def drive(page, figure, every_step: bool) -> None:
    """Move every control of the figure from end to end; each step must change what is shown, and its picture."""
    image = figure.locator(".lab-frame img")
    for handle in figure.locator(".noUi-handle").all():
        assert handle.get_attribute("aria-label"), "a slider without a name"
        handle.focus()
        before = image.get_attribute("src")
        start = int(float(handle.get_attribute("aria-valuenow")))
        away = start > 0
        page.keyboard.press("Home")
        if away:
            wait_for_change(figure, before)
        last = int(float(handle.get_attribute("aria-valuemax")))
        looks, texts = [image.screenshot()], [image.get_attribute("alt")]
        for step in range(1, last + 1) if every_step else sorted({1, last}):
            before = image.get_attribute("src")
            page.keyboard.press("ArrowRight" if every_step or step == 1 else "End")
            wait_for_change(figure, before)
            texts.append(image.get_attribute("alt"))
            if step in (1, last // 2, last):
                looks.append(image.screenshot())
        assert len(set(looks)) == len(looks), "the slider moves and the picture looks the same"
        assert len(set(texts)) == len(texts), "two frames that say the same of themselves"
        assert handle.get_attribute("aria-valuetext") in figure.locator(".lab-now b").all_inner_texts()
        # back to the start: at a slider's end the menus may rightly change nothing, as where the batch is all the data
        for _ in range(last - start):
            page.keyboard.press("ArrowLeft")
        page.wait_for_function("([handle, start]) => Number(handle.getAttribute('aria-valuenow')) === start",
                               arg=[handle.element_handle(), start], timeout=20_000)
        page.wait_for_timeout(300)
    for menu in figure.locator("select").all():
        assert menu.get_attribute("aria-label"), "a drop-down without a name"
        choices = menu.locator("option").count()
        seen = set()
        for choice in [*range(menu.evaluate("(m) => m.selectedIndex") + 1, choices), *range(choices)]:
            before = image.get_attribute("src")
            menu.select_option(index=choice)
            wait_for_change(figure, before)
            seen.add(image.screenshot())
        assert len(seen) == choices, "a choice that shows nothing new"


def play(page, figure) -> None:
    """The button steps the frames and, pressed again, stops."""
    button = figure.locator(".lab-play")
    before = figure.locator(".lab-frame img").get_attribute("src")
    button.click()
    wait_for_change(figure, before)
    assert button.inner_text() == "Pause" and button.get_attribute("aria-pressed") == "true"
    wait_for_change(figure, figure.locator(".lab-frame img").get_attribute("src"))
    button.click()
    page.wait_for_timeout(100)
    image = figure.locator(".lab-frame img")
    stopped = image.get_attribute("alt")
    page.wait_for_timeout(1200)
    assert image.get_attribute("alt") == stopped and button.inner_text() == "Play"
    told = figure.locator(".lab-status").element_handle()  # what a screen reader says, once the figure rests
    page.wait_for_function("([told, text]) => told.textContent === text", arg=[told, stopped], timeout=20_000)


def wait_for_change(figure, source: str) -> None:
    figure.page.wait_for_function(
        "([figure, source]) => { const i = figure.querySelector('.lab-frame img'); return i && i.src !== source; }",
        arg=[figure.element_handle(), source],
        timeout=20_000,
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [*CHAPTERS, TRIAL])
def test_every_figure_to_explore_moves(html, browser, name, width):
    with Visit(browser, address(html, name), width) as visit:
        figures = visit.page.locator(".lab-explore").all()
        assert figures, "every chapter has a figure that the reader moves"
        for figure in figures:
            drive(visit.page, figure, every_step=width == max(WIDTHS))
        if width == max(WIDTHS):
            play(visit.page, figures[0])
        assert visit.faults == []


def test_without_scripts_a_picture_remains(html, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(html, TRIAL))
    pictures = page.locator("noscript img")
    assert pictures.count() == 2
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


def test_search_finds_what_the_book_is_about(served, browser):
    with Visit(browser, f"{served}/search.html?q=minima", 1280) as visit:
        visit.page.wait_for_selector("#search-results li a")
        assert visit.faults == []


def test_no_chapter_is_heavy(html, record_property):
    weights = weigh.chapters(html)
    weights.pop(TRIAL)
    record_property("bytes a chapter", weights)
    assert {name: size for name, size in weights.items() if size > weigh.LARGEST} == {}
    if weights:
        assert statistics.median(weights.values()) <= weigh.LARGEST_MEDIAN
