"""Predictions in the rendered book: each option of each one can be clicked, is answered, and is remembered."""

import pytest
from trial import NAME as TRIAL
from visit import CHAPTERS, Visit, address

GROUP = ".lab-prediction"


@pytest.mark.parametrize("name", [*CHAPTERS, TRIAL])
def test_every_option_of_every_prediction_gets_its_reply(html, browser, name):
    with Visit(browser, address(html, name), 390) as visit:
        page = visit.page
        asked = (
            page.locator("section > :is(h2, h3)").filter(has_text="Predict before you run").count()
        )
        groups = page.locator(GROUP)
        assert groups.count() == asked > 0
        for group in groups.all():
            options = group.locator("input")
            replies = set()
            for option in options.all():
                option.check()
                replies.add(group.locator(".lab-reply").inner_text())
            assert len(replies) == options.count() >= 3
            assert sum("is what happened here" in reply for reply in replies) == 1
        assert visit.faults == []


def test_what_a_reader_chose_is_there_when_the_page_is_opened_again(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        page.locator(f"{GROUP} input[value=b]").check()
        page.reload()
        assert page.locator(f"{GROUP} input[value=b]").is_checked()
        assert "A line does not fall." in page.locator(f"{GROUP} .lab-reply").inner_text()
        page.locator("summary", has_text="Answer").click()
        assert page.locator(".lab-chosen").inner_text() == "You predicted (b)."


def test_the_keyboard_alone_chooses(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        page.locator(f"{GROUP} input").first.focus()
        page.keyboard.press("ArrowDown")
        assert page.locator(f"{GROUP} input[value=b]").is_checked()
        page.keyboard.press("ArrowUp")
        assert "is what happened here" in page.locator(f"{GROUP} .lab-reply").inner_text()


def test_without_scripts_the_options_and_the_answer_read_as_they_stand(html, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address(html, TRIAL))
    assert page.get_by_text("(a) It rises by").is_visible()
    page.locator("summary", has_text="Answer").click()
    assert page.get_by_text("A line does not fall.").is_visible()
    context.close()
