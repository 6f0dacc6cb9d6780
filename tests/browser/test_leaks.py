"""The rendered book gives nothing away: not in its pages, not in its sources, not in its search index."""

from __future__ import annotations

from tests.assignments import secrets


def test_pages_sources_and_search_index_hold_no_solution_no_hidden_test_and_no_key(html):
    known, seen = secrets.everything(), set()
    for path in sorted(html.rglob("*")):
        if (
            path.suffix in (".html", ".ipynb", ".md", ".txt", ".js", ".json")
            and "offline" not in path.parts
        ):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert secrets.leaked(text, known) == [], path.relative_to(html)
            seen.add(path.relative_to(html).parts[0])
    assert {"book", "_sources", "searchindex.js"} <= seen


def test_the_page_of_the_inventory_is_there_and_assignments_are_not(html):
    assert (html / "book" / "concept-inventory.html").is_file()
    assert not list(html.rglob("*assignments*"))
