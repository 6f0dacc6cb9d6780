"""The page *How this book is tested* says what the tests do: its figures are theirs, and its files are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "book" / "how-tested.md").read_text(encoding="utf-8")


def source(name: str) -> str:
    return (ROOT / "tests" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_a_file_that_the_page_names_is_there(name):
    assert list(ROOT.glob(f"{name}*")), f"the page names {name}, which is not there"


@pytest.mark.parametrize(
    "said, where",
    [
        ("75 kills", ("test_kills.py", r"for number in range\(75\)")),
        ("200 flips", ("test_damage.py", r"for number in range\(200\)")),
    ],
)
def test_a_figure_of_the_page_is_the_tests_own(said, where):
    assert said in PAGE and re.search(where[1], source(where[0]))


def test_as_many_kinds_of_damage_and_poison_as_the_page_says():
    import test_damage

    assert (
        f"{len(test_damage.DAMAGES)} kinds of damage on each of {len(test_damage.MAKE)} kinds of entry"
        in PAGE
    )
    assert f"{len(test_damage.planted())} kinds of poison" in PAGE
