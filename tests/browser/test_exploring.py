"""Every figure to explore in a real browser without a kernel: each control is moved, and the picture must change."""

from __future__ import annotations

import pytest
from trial import NAME as TRIAL
from visit import CHAPTERS, WIDTHS, Visit, address


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
        assert (
            handle.get_attribute("aria-valuetext") in figure.locator(".lab-now b").all_inner_texts()
        )
        # back to the start: at a slider's end the menus may rightly change nothing, as where the batch is all the data
        for _ in range(last - start):
            page.keyboard.press("ArrowLeft")
        page.wait_for_function(
            "([handle, start]) => Number(handle.getAttribute('aria-valuenow')) === start",
            arg=[handle.element_handle(), start],
            timeout=20_000,
        )
        page.wait_for_timeout(300)
    for menu in figure.locator("select").all():
        assert menu.get_attribute("aria-label"), "a drop-down without a name"
        choices = menu.locator("option").count()
        seen = {}
        for choice in [
            *range(menu.evaluate("(m) => m.selectedIndex") + 1, choices),
            *range(choices),
        ]:
            before = image.get_attribute("src")
            menu.select_option(index=choice)
            wait_for_change(figure, before)
            seen[choice] = image.screenshot()
        assert len(set(seen.values())) == choices, "a choice that shows nothing new"


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
    # what a screen reader says, once the figure rests
    told = figure.locator(".lab-status").element_handle()
    page.wait_for_function(
        "([told, text]) => told.textContent === text", arg=[told, stopped], timeout=20_000
    )


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
        visit.open_results()
        figures = visit.page.locator(".lab-explore").all()
        assert figures, "every chapter has a figure that the reader moves"
        for figure in figures:
            drive(visit.page, figure, every_step=width == max(WIDTHS))
        if width == max(WIDTHS):
            play(visit.page, figures[0])
        assert visit.faults == []
