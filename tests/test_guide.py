"""The guide for instructors says what the chapters say today, and its plans, goals and pages are real."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_markdown_cell, new_notebook

from tools import guide
from tools.chapters import Chapter
from tools.files import Refused

GUIDE = guide.GUIDE.read_text(encoding="utf-8")
CHAPTERS = guide.all_chapters()
ASKED = {
    f"{chapter.number}.{count}"
    for chapter in CHAPTERS
    for count, _ in enumerate(guide.predictions(chapter), start=1)
}
PLANS = re.findall(
    r"^### ([^\n(]+) \((\d+) minutes\)\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL
)


def chapter_of(*sources: str) -> Chapter:
    cells = [new_markdown_cell(source) for source in sources]
    return Chapter(Path("01-made.ipynb"), new_notebook(cells=cells))


# What is made from the chapters


def test_the_page_of_predictions_and_the_table_are_todays():
    told = "the chapters have changed since; run: python -m tools.guide"
    assert guide.PAGE.read_text(encoding="utf-8") == guide.page(CHAPTERS), told
    assert guide.guide(GUIDE, CHAPTERS, guide.measured()) == GUIDE, told


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.path.stem)
def test_every_prediction_of_a_chapter_is_found_with_a_reply_to_each_wrong_option(chapter):
    found = guide.predictions(chapter)
    asked = sum(cell.source.count(guide.ASKED) for _, cell in chapter.markdown)
    assert len(found) == asked > 0
    for one in found:
        assert list(one.options) == list("abcd") and one.question
        assert set(one.options) - {one.right} <= set(one.replies) and all(one.replies.values())


def test_a_prediction_is_read_as_a_chapter_has_it():
    question = (
        "## Made\n\n### Predict before you run\n\nWhat?\n\n(a) this\n\n(b) that\n\nNot part of it."
    )
    answer = "<details>\n<summary>Answer</summary>\n\n**(b)**, for all.\n\n- (a) No.\n\nAfter.\n\n</details>"
    (one,) = guide.predictions(chapter_of("# A title", question, answer))
    assert (one.section, one.question, one.right) == ("Made", "What?", "b")
    assert one.options == {"a": "this", "b": "that"} and one.replies == {"a": "No."}
    assert one.after == "After."


@pytest.mark.parametrize(
    "answer, says",
    [
        ("", "an answer after them"),
        ("(c), surely.\n\n- (a) No.\n\n- (b) No.", "the letter of one of its options"),
        ("(b), surely.", r"no reply is written to option \(a\)"),
    ],
)
def test_a_prediction_without_its_answer_is_named_with_its_cell(answer, says):
    folded = f"<details>\n<summary>Answer</summary>\n\n{answer}\n\n</details>" if answer else "."
    asked = "### Predict before you run\n\nWhat?\n\n(a) this\n\n(b) that"
    with pytest.raises(Refused, match=f"01-made.ipynb, cell 1: .*{says}"):
        guide.predictions(chapter_of("# A title", asked, folded))


def test_a_guide_without_a_place_for_the_table_is_refused():
    with pytest.raises(Refused, match="no place for the table"):
        guide.guide("# For instructors\n", CHAPTERS, [])


# What is written by hand


def test_the_minutes_of_each_plan_add_up():
    assert [name for name, _, _ in PLANS] == [
        "One lecture",
        "One week",
        "Five sessions",
        "Nine sessions",
    ]
    for name, total, text in PLANS:
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if line.startswith("|") and not line.startswith("|--")
        ]
        at = rows[0].index("minutes")
        minutes = [int(row[at]) for row in rows[1:] if row[at]]
        assert sum(minutes) == int(total), name
        for row in rows[1:]:
            if at and (parts := [int(cell) for cell in row[1:at]]):
                assert sum(parts) == int(row[at]), (name, row)


def test_the_plan_of_nine_sessions_has_a_row_for_each_of_the_first_nine_chapters():
    (text,) = [text for name, _, text in PLANS if name == "Nine sessions"]
    assert re.findall(r"^\| (\d+) \|", text, re.MULTILINE) == [str(c.number) for c in CHAPTERS[:9]]


def test_predictions_and_exercises_that_the_guide_names_are_there():
    exercises = {
        found.group(1)
        for chapter in CHAPTERS
        for _, _, text in chapter.headings
        if (found := re.match(r"Exercise (\d+\.\d)", text))
    }
    named = re.findall(
        r"([Pp]rediction|[Ee]xercise)s? (\d+\.\d(?:(?:, | and |, and | to )\d+\.\d)*)", GUIDE
    )
    assert len(named) > 30
    for kind, numbers in named:
        known = ASKED if kind.lower() == "prediction" else exercises
        assert set(re.findall(r"\d+\.\d", numbers)) <= known, (kind, numbers)


def test_every_chapter_has_goals_and_misconceptions_and_each_section_named_is_there():
    by_name = {chapter.path.name: chapter for chapter in CHAPTERS}
    by_number = {chapter.number: chapter for chapter in CHAPTERS}
    answered = re.findall(
        r'^\| ".+" \| \[chapter \d+\]\((.+?)\), \*(.+?)\* \|$', GUIDE, re.MULTILINE
    )
    assert {name for name, _ in answered} == set(by_name) and len(answered) >= 27
    planned = re.findall(r"\| chapter (\d+), \*(.+?)\* \|", GUIDE)
    places = [(by_name[name], section) for name, section in answered]
    for chapter, section in places + [(by_number[int(n)], section) for n, section in planned]:
        assert section in [text for _, _, text in chapter.headings], (chapter.path.name, section)
    goals = GUIDE.partition("## Learning goals")[2].partition("## Misconceptions")[0]
    for chapter in CHAPTERS:
        (row,) = re.findall(rf"^\| {chapter.number} \| (.+)$", goals, re.MULTILINE)
        assert len(re.findall(r"\*\*[a-z]+\*\*", row)) >= 2


def test_commands_of_the_guide_take_what_it_gives_them():
    from typer.main import get_command

    from labsupport.__main__ import app

    commands = get_command(app).commands
    lines = re.findall(r"labsupport ((?:release|grade|inventory)[^`\n|]*)", GUIDE)
    assert len(lines) >= 8
    for line in lines:
        name, *words = line.split()
        options = {
            option
            for parameter in commands[name].params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        given = {word for word in words if word.startswith("--")}
        assert given <= options, (line, given - options)


def test_the_guide_names_neither_the_key_nor_an_answer_of_the_inventory():
    for text in (GUIDE, guide.PAGE.read_text(encoding="utf-8")):
        assert "key.yaml" not in text and not re.search(r"[Qq]uestion \d", text)
