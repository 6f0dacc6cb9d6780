"""The concept inventory: page and key fit, nothing is given away, and gain is what it should be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labsupport.__main__ import app
from labsupport.teach import inventory

ROOT = Path(__file__).resolve().parent.parent
KEY = ROOT / "assignments" / "inventory" / "key.yaml"
PAGE = (ROOT / "book" / "concept-inventory.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def items():
    return inventory.key(KEY)


def answers(path, items, rows):
    """A class's answers: {student: the letters of all questions}."""
    lines = ["id," + ",".join(item.number for item in items)]
    lines += [student + "," + ",".join(letters) for student, letters in rows.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_page_and_key_have_the_same_twelve_questions(items):
    parts = re.split(r"^## Question (\d+)$", PAGE, flags=re.MULTILINE)[1:]
    assert parts[::2] == [item.number for item in items] == [str(number) for number in range(1, 13)]
    for text in parts[1::2]:
        assert re.findall(r"^\(([a-d])\) ", text, flags=re.MULTILINE) == list("abcd")


def test_the_page_gives_no_answer_away(items):
    assert "key.yaml" not in PAGE and not re.search(r"misconception[^ ]", PAGE)
    for item in items:
        for belief in item.misconceptions.values():
            assert belief not in PAGE
    letters = [item.right for item in items]
    assert all(letters.count(letter) == 3 for letter in "abcd"), (
        "no letter is a better guess than another"
    )


def test_the_right_answer_is_not_told_by_its_length(items):
    parts = re.split(r"^## Question \d+$", PAGE, flags=re.MULTILINE)[1:]
    longest = 0
    for item, text in zip(items, parts):
        options = dict(re.findall(r"^\(([a-d])\) (.+)$", text, flags=re.MULTILINE))
        longest += max(options, key=lambda letter: len(options[letter])) == item.right
    assert longest <= 7, "who always takes the longest option should not pass"


def test_gain_is_the_share_of_what_could_be_gained(items, tmp_path):
    right = [item.right for item in items]
    wrong = [next(iter(item.misconceptions)) for item in items]
    before = answers(
        tmp_path / "before.csv", items, {"anna": right[:6] + wrong[6:], "bo": wrong, "late": right}
    )
    after = answers(
        tmp_path / "after.csv",
        items,
        {"BO ": right[:6] + wrong[6:], "anna": right[:9] + wrong[9:], "gone": wrong},
    )
    said = (
        CliRunner()
        .invoke(app, ["inventory", str(before), str(after)], catch_exceptions=False)
        .output
    )
    assert "2 students in both (3 before, 3 after)" in said
    assert "Right before: 25 percent, after: 62 percent." in said
    assert "gain of the class: 0.50; mean of the students' own: 0.50" in said
    last = next(line for line in said.splitlines() if line.strip().startswith("12 "))
    assert items[-1].misconceptions[wrong[-1]] in last and items[-1].page in last


def test_before_alone_is_scored_too(items, tmp_path):
    before = answers(tmp_path / "b.csv", items, {"anna": [item.right for item in items]})
    said = CliRunner().invoke(app, ["inventory", str(before)], catch_exceptions=False).output
    assert "1 students, 100 percent right." in said


def test_where_everything_was_known_there_is_nothing_to_gain(items):
    everything = {"anna": {item.number: item.right for item in items}}
    assert "none could gain" in inventory.report(items, everything, everything)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id,1,2\nanna,a,b\n", "no column is called 3"),
        ("id,{n}\nanna,e{r}\n", "line 2, column 1: 'e' is no answer; possible: a, b, c, d"),
        ("id,{n}\nanna,a{r}\nAnna,a{r}\n", "line 3, column id: it is there twice"),
        ("id,{n}\n,a{r}\n", "line 2, column id: it is empty"),
        ("id,{n}\n", "holds no answers"),
    ],
)
def test_answers_that_cannot_be_right_are_named(items, tmp_path, text, says):
    path = tmp_path / "x.csv"
    path.write_text(text.format(n=",".join(item.number for item in items), r=",a" * 11))
    with pytest.raises(ValueError, match=says):
        inventory.read(path, items)


def test_without_the_key_it_is_said_where_the_key_is_not():
    with pytest.raises(FileNotFoundError, match="kept out of the book: name it with --key"):
        inventory.key(Path("nowhere.yaml"))
