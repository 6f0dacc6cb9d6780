"""Readers with a narrow window, with colors that the system forces, and with paper."""

from __future__ import annotations

from trial import NAME as TRIAL
from visit import CHAPTERS, PAGES, address


def contrast(one: str, other: str) -> float:
    """The contrast of two CSS colors, as the accessibility guidelines define it."""

    def light(color: str) -> float:
        parts = [int(part) / 255 for part in color.split("(")[1].split(")")[0].split(",")[:3]]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_no_page_scrolls_sideways_at_400_percent(html, browser):
    """A window of 1,280 pixels at 400 percent is one of 320."""
    page = browser.new_page(viewport={"width": 320, "height": 800})
    wide = {}
    for name in PAGES:
        page.goto(address(html, name))
        page.evaluate("() => window.MathJax?.startup?.promise")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[name] = width
    page.close()
    assert wide == {}


def test_a_slider_is_seen_in_forced_colors(html, browser):
    page = browser.new_page(forced_colors="active")
    page.goto(address(html, TRIAL))
    page.wait_for_selector(".noUi-target")
    for part in (".noUi-target", ".noUi-handle"):
        border = page.evaluate(
            "(part) => [getComputedStyle(document.querySelector(part))].flatMap("
            "s => [s.borderTopWidth, s.borderTopStyle])",
            part,
        )
        assert border == ["2px", "solid"], part
    page.close()


def test_the_dark_theme_prints_black_on_white(html, browser):
    page = browser.new_page(color_scheme="dark")
    page.goto(address(html, CHAPTERS[1]))
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.emulate_media(media="print", color_scheme="dark")
    colors = page.evaluate(
        """() => [...document.querySelectorAll('main :is(p, li, a, td, th, code, pre, pre span, h1, h2)')].map(e => {
             const s = getComputedStyle(e); return [s.color, s.backgroundColor]; })"""
    )
    assert len(colors) > 100
    assert min(contrast(ink, ground) for ink, ground in set(map(tuple, colors))) >= 4.5
    page.close()
