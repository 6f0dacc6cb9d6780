"""The picture of the first page in a real browser: moved by the keyboard, played, and at rest without scripts."""

from __future__ import annotations

import pytest
from visit import WIDTHS, Visit, address

from tools import opening

LAST = round(opening.REACH / opening.STEP)


def seen(page) -> tuple[str, ...]:
    """What the picture shows now: its view, the box's width, the two values and where the marks stand."""
    return tuple(
        page.evaluate(
            """() => {
              const picture = document.querySelector("svg.opening");
              const of = (kind, read) => ["SB", "LB"].map((name) => read(picture.querySelector(`.${kind}.${name}`)));
              return [picture.dataset.view, picture.querySelector(".box").getAttribute("width"),
                ...of("value", (one) => one.textContent), ...of("mark", (one) => one.getAttribute("transform"))];
            }"""
        )
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_the_keyboard_moves_the_picture_and_the_picture_says_what_it_shows(html, browser, width):
    with Visit(browser, address(html, "intro"), width) as visit:
        page = visit.page
        page.locator(".lab-opening input[type=range]").focus()
        steps = [seen(page)]
        for _ in range(LAST):
            page.keyboard.press("ArrowRight")
            steps.append(seen(page))
        assert len(set(steps)) == LAST + 1, "a step that shows nothing new"
        told = page.locator("svg.opening title")
        for view, label in opening.VIEWS.items():
            page.locator(f".lab-opening input[value={view}]").check()
            now = seen(page)
            assert now[0] == view and now[2] != steps[0][2]
            text = told.text_content()
            assert label in text and f"SB {now[2]}, LB {now[3]}." in text
            assert page.locator(f"svg.opening .view.{view}").is_visible()
            assert page.locator("svg.opening .view:visible").count() == 1
        page.wait_for_function(
            "() => document.querySelector('.lab-opening-status').textContent"
            " === document.querySelector('svg.opening title').textContent"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator("svg.opening").bounding_box()
        assert box["width"] <= width and box["y"] < 600, "it is seen without scrolling"
        assert visit.faults == []


def test_play_tells_the_argument_in_ten_seconds_and_then_rests(html, browser):
    with Visit(browser, address(html, "intro"), max(WIDTHS)) as visit:
        button = visit.page.locator(".lab-opening button")
        button.click()
        assert button.inner_text() == "Pause" and button.get_attribute("aria-pressed") == "true"
        views = []
        for view in ("trained", "longer", "equal"):
            visit.page.wait_for_function(
                "(view) => document.querySelector('svg.opening').dataset.view === view",
                arg=view,
                timeout=12_000,
            )
            views.append((view, visit.page.locator(".lab-opening-says").inner_text()))
        assert len({says for _, says in views}) == 3
        visit.page.wait_for_function(
            "() => document.querySelector('.lab-opening button').textContent === 'Play'",
            timeout=12_000,
        )
        rests = seen(visit.page)
        visit.page.wait_for_timeout(1200)
        assert seen(visit.page) == rests
        assert visit.faults == []


def test_a_reader_who_moves_something_stops_the_play(html, browser):
    with Visit(browser, address(html, "intro"), max(WIDTHS)) as visit:
        visit.page.locator(".lab-opening button").click()
        visit.page.locator(".lab-opening input[value=equal]").check()
        assert visit.page.locator(".lab-opening button").inner_text() == "Play"
        visit.page.wait_for_timeout(1500)
        assert seen(visit.page)[0] == "equal"


def test_without_scripts_the_picture_stands_in_the_page(html, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(html, "intro"))
    picture = page.locator("svg.opening")
    assert picture.is_visible() and picture.locator(".mark").count() == 2
    assert picture.locator("title").text_content() == opening.ALT
    assert page.locator(".lab-opening").count() == 0
    context.close()
