"""Nothing leaks: no solution line, hidden test, rubric or key where students can see it.

The rendered book, its sources and its search index are searched in tests/browser/test_leaks.py.
"""

from __future__ import annotations

import zipfile

import pytest

from labsupport.teach import notebooks, questions
from tests.assignments import secrets
from tools import colab

ASSIGNMENTS = secrets.all_assignments()


@pytest.fixture(scope="module")
def known():
    return secrets.everything()


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_every_assignment_has_secrets_to_look_for(known, name):
    assert len(known[name]) >= 20
    for question in ASSIGNMENTS[name].questions:
        hidden = [test.name for test in question.tests if test.hidden]
        assert all(test in known[name] for test in hidden)


def test_a_leak_is_found_as_it_is_as_html_and_as_json(known):
    line = next(line for line in known["04-the-measure"] if "2.776 * growth.std()" in line)
    code = '<span class="n">half</span> <span class="o">=</span> <span>2.776</span> * growth.std() / math.sqrt(5)'
    for text in (f"x = 1\n    {line}\n", code, f'{{"source": ["{line}\\n"]}}'):
        assert secrets.leaked(text, known), text
    assert not secrets.leaked("x = 1", known)


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_what_students_get_holds_none(known, name):
    cells = notebooks.student(ASSIGNMENTS[name], "0" * 12).cells
    assert secrets.leaked("\n".join(cell.source for cell in cells), known) == []
    assert secrets.leaked(questions.page(ASSIGNMENTS[name]), known) == []


def test_the_sources_of_the_book_hold_none(known):
    for path in sorted((secrets.ROOT / "book").rglob("*")):
        if path.suffix in (".md", ".ipynb", ".py", ".js"):
            assert secrets.leaked(path.read_text(encoding="utf-8"), known) == [], path.name


def test_the_built_package_holds_no_assignment(known, tmp_path):
    with zipfile.ZipFile(colab.wheel(tmp_path)) as wheel:
        assert not [name for name in wheel.namelist() if name.startswith(("assignments", "tests"))]
        text = "\n".join(wheel.read(name).decode(errors="replace") for name in wheel.namelist())
    assert secrets.leaked(text, known) == []


def test_assignments_are_no_part_of_the_book():
    contents = (secrets.ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert "assignments" not in contents and "inventory/key" not in contents
