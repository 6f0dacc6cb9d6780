"""A site that leads to somebody else's code is found, whatever kind of file it stands in."""

from __future__ import annotations

import pytest

from tools import site
from tools.address import Address

HERE = Address("https://github.com/some-one/their-fork")
OLD_NAME = "sharp-minima" + "/large-batch-course"


@pytest.fixture
def html(tmp_path):
    """A site without a fault."""
    (tmp_path / "_sources").mkdir()
    (tmp_path / ".nojekyll").touch()
    (tmp_path / "index.html").write_text(f'<a href="{HERE.colab("book/02-x.ipynb")}">Colab</a>')
    (tmp_path / "_sources" / "02-x.ipynb").write_text(f'PACKAGE = "{HERE.archive("v1.0.0")}"')
    return tmp_path


def test_a_sound_site_has_no_fault(html):
    assert site.faults(html, HERE) == []


@pytest.mark.parametrize(
    "text, says",
    [
        (f"git clone https://github.com/{OLD_NAME}", "has the placeholder sharp-minima"),
        ("git clone REPOSITORY_ADDRESS", "has the placeholder REPOSITORY_ADDRESS"),
        (
            "https://colab.research.google.com/github/a/b/blob/published/x.ipynb",
            "opens a/b/published in Colab",
        ),
        (
            "https://colab.research.google.com/github/some-one/their-fork/blob/main/x.ipynb",
            "their-fork/main in Colab",
        ),
        (
            'PACKAGE = "https://github.com/a/b/archive/v1.zip"',
            "installs from https://github.com/a/b",
        ),
        ("https://github.com/some-one/their-fork-2/archive/v1.zip", "installs from"),
        ("pip install git+https://github.com/a/b", "installs from git+https"),
    ],
)
@pytest.mark.parametrize("file", ["page.html", "_sources/page.md", "searchindex.js"])
def test_a_link_that_leads_elsewhere_is_found(html, file, text, says):
    (html / file).write_text(text)
    (fault,) = site.faults(html, HERE)
    assert fault.startswith(file) and says in fault


def test_without_an_address_nothing_may_lead_to_a_repository(html):
    assert len(site.faults(html, None)) == 2


def test_a_site_that_pages_would_cut_is_found(html):
    (html / ".nojekyll").unlink()
    assert site.faults(html, HERE) == [
        "There is no .nojekyll, so Pages would leave out folders with a _."
    ]


def test_where_there_is_no_book_one_sentence_says_so(tmp_path):
    assert site.faults(tmp_path, HERE) == [f"There is no book in {tmp_path}. Run: make book"]
