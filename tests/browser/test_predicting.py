"""Predictions in the rendered book: a result waits for its prediction; each option can be clicked, is answered, and is
remembered."""

import re

import pytest
from trial import NAME as TRIAL
from visit import CHAPTERS, Visit, address, barriers

from tools import notebooks
from tools.execute import ROOT

GROUP = ".lab-prediction"
ASKED = f"section:has(> {GROUP})"
BUTTON = ".lab-curtain button"
#: On the trial page: what the code printed, what is said of it, and what follows the answer.
TOLD = ("It rose by 42", "As we see, it rose.", "So it goes on rising.")
#: What a reader meets in a section, as text.
SEEN = "(section) => section.innerText.replace(/\\s+/g, ' ')"


def printed(name: str) -> list[list[str]]:
    """Of each prediction of a chapter, the lines and rows with numbers between its question and its answer."""
    found, asked = [], False
    for cell in notebooks.read(ROOT / "book" / f"{name}.ipynb").cells:
        if cell.cell_type == "markdown":
            asked = asked and "<summary>Answer" not in cell.source
        if cell.cell_type == "markdown" and "### Predict before you run" in cell.source:
            asked = True
            found.append([])
        for output in cell.outputs if asked and cell.cell_type == "code" else []:
            table = re.sub(
                "(?s)<style.*?</style>|\n", "", output.get("data", {}).get("text/html", "")
            )
            text = output.get("text", "") + re.sub("<[^>]*>", " ", table.replace("</tr>", "\n"))
            lines = [" ".join(line.split()) for line in text.splitlines()]
            code = " ".join(cell.source.split())  # which stands open
            found[-1] += [
                line
                for line in lines
                if re.search(r"\d\.\d", line) and len(line) > 11 and line not in code
            ]
    return found


def outputs(page) -> list[int]:
    """How many outputs are seen in each section that asks, whatever follows its answer."""
    return [
        sum(output.is_visible() for output in section.locator(".cell_output").all())
        for section in page.locator(ASKED).all()
    ]


@pytest.mark.parametrize("name", [*CHAPTERS, TRIAL])
def test_every_option_of_every_prediction_gets_its_reply(html, browser, name):
    with Visit(browser, address(html, name), 390) as visit:
        page = visit.page
        asked = (
            page.locator("section > :is(h2, h3)").filter(has_text="Predict before you run").count()
        )
        groups = page.locator(GROUP)
        assert groups.count() == asked > 0
        sections = page.locator(ASKED)
        assert outputs(page) == [0] * asked, "a result stands open below its question"
        before = [section.evaluate(SEEN) for section in sections.all()]
        for group in groups.all():
            options = group.locator("input")
            replies = set()
            for option in options.all():
                option.check()
                replies.add(group.locator(".lab-reply").inner_text())
            assert len(replies) == options.count() >= 3
            assert sum("is what happened here" in reply for reply in replies) == 1
        assert page.locator(f"{BUTTON}, .lab-hidden").count() == 0
        assert min(outputs(page)) > 0
        if name != TRIAL:
            after = [section.evaluate(SEEN) for section in sections.all()]
            for lines, closed, opened in zip(printed(name), before, after, strict=True):
                shown = [line for line in lines if line in opened]
                assert len(shown) >= 0.9 * len(lines), "what is looked for is not what is shown"
                assert [line for line in shown if line in closed] == []
        assert visit.faults == []


def told(page) -> list[bool]:
    """Which of the trial's results are seen."""
    return [page.get_by_text(text).is_visible() for text in TOLD]


CLOSED, OPEN = [False] * len(TOLD), [True] * len(TOLD)


def test_what_a_reader_chose_is_there_when_the_page_is_opened_again(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        assert told(page) == CLOSED
        page.locator(f"{GROUP} input[value=b]").check()
        assert told(page) == OPEN
        page.reload()
        assert page.locator(f"{GROUP} input[value=b]").is_checked()
        assert "A line does not fall." in page.locator(f"{GROUP} .lab-reply").inner_text()
        assert told(page) == OPEN and page.locator(BUTTON).count() == 0
        page.locator("summary", has_text="Answer").click()
        assert page.locator(".lab-chosen").inner_text() == "You predicted (b)."


def test_a_result_is_shown_to_who_does_not_predict_and_stays(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        page.locator(f"{GROUP} input").first.focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == (
            "Show the result without predicting"
        )
        above = page.locator(GROUP).bounding_box()["y"]
        page.keyboard.press("Enter")
        assert told(page) == OPEN and page.locator(BUTTON).count() == 0
        assert page.locator(GROUP).bounding_box()["y"] == above, "the page jumped"
        reply = page.locator(f"{GROUP} .lab-reply")
        assert reply.inner_text() == "The result is shown below."
        assert reply.get_attribute("role") == "status"
        assert reply.evaluate("(reply) => reply === document.activeElement")
        figure = page.locator(f"{ASKED} .lab-explore")
        image = figure.locator(".lab-frame img")
        assert image.bounding_box()["width"] > 200 and image.bounding_box()["height"] > 100
        assert figure.locator(".noUi-target").bounding_box()["width"] > 100
        before = image.get_attribute("src")
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement.closest('.cell')?.textContent.includes('It rose by')"
        ), "the next stop is not the first cell below the question"
        figure.locator(".noUi-handle").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "([image, before]) => !image.isConnected || image.src !== before",
            arg=[image.element_handle(), before],
        )
        page.reload()
        assert told(page) == OPEN and page.locator(f"{GROUP} input:checked").count() == 0
        assert visit.faults == []


def test_the_answer_may_be_unfolded_at_once_and_stays_under_the_finger(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        answer = page.locator("summary", has_text="Answer")
        answer.scroll_into_view_if_needed()
        page.evaluate("window.scrollBy(0, 100)")
        before = answer.bounding_box()["y"]
        answer.click()
        page.wait_for_selector(BUTTON, state="detached")
        assert told(page) == OPEN
        assert abs(answer.bounding_box()["y"] - before) < 3


@pytest.mark.parametrize("link", ["#risen", "#:~:text=It%20rose%20by%2042"])
def test_a_link_into_a_result_opens_it(html, browser, link):
    with Visit(browser, f"{address(html, TRIAL)}{link}", 390) as visit:
        visit.page.wait_for_selector(BUTTON, state="detached")
        assert told(visit.page) == OPEN
        visit.page.wait_for_function("window.scrollY > 0")


def test_a_link_to_another_place_opens_no_result(html, browser):
    with Visit(browser, f"{address(html, TRIAL)}#elsewhere", 390) as visit:
        assert told(visit.page) == CLOSED
        assert visit.page.locator("#elsewhere h2").is_visible()
        visit.page.evaluate("location.hash = 'risen'")
        visit.page.wait_for_selector(BUTTON, state="detached")
        assert told(visit.page) == OPEN


def test_on_paper_every_result_is_seen(html, browser):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        page = visit.page
        page.emulate_media(media="print")
        assert told(page) == OPEN
        assert page.locator(f"{ASKED} .lab-frame img").bounding_box()["width"] > 200
        assert not page.locator(BUTTON).is_visible()
        assert page.locator(".lab-hidden:visible").count() == 0
        page.emulate_media(media="screen")
        assert told(page) == CLOSED


def test_a_hidden_result_keeps_nobody_out(html, browser, axe):
    with Visit(browser, address(html, TRIAL), 390) as visit:
        visit.page.evaluate(axe)
        for theme in ("light", "dark"):
            visit.page.emulate_media(color_scheme=theme)
            visit.page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            assert barriers(visit.page) == []
        assert told(visit.page) == CLOSED


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
    assert told(page) == OPEN
    page.locator("summary", has_text="Answer").click()
    assert page.get_by_text("A line does not fall.").is_visible()
    context.close()
