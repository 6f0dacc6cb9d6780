"""Links out of the book have a form that can be right; whether they answer is `make links`, where there is network."""

from __future__ import annotations

import json
import re

import pytest

from tools import links
from tools.files import ROOT, Refused

#: Hosts the book may link to, and what the rest of an address must look like: a typo is found without network.
HOSTS = {
    "doi.org": r"/10\.\d{4,9}/\S+",
    "arxiv.org": r"/(abs|pdf)/\d{4}\.\d{4,5}(v\d+)?",
    "github.com": r"/[\w.-]+/[\w.-]+(/\S*)?",
    "colab.research.google.com": r"/",
    "creativecommons.org": r"/licenses/[\w.-]+/[\d.]+/(legalcode(\.\w+)?)?",
}
LINK = re.compile(r"https?://[^\s)>\]\"'`|\\}]+")
LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1)")


def texts() -> dict[str, str]:
    """{file: what a reader reads} of the pages, the chapters' Markdown and the repository's own pages."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "book").glob("*.md"), *(ROOT / "book").glob("*.bib")]
    found = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(pages)
    }
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        found[str(path.relative_to(ROOT))] = "\n\n".join(prose)
    return found


def addresses(text: str) -> list[str]:
    """The addresses in a text, without a sentence's own full stop, and without those of the reader's own machine."""
    return [
        link.rstrip(".,;:")
        for link in LINK.findall(text)
        if not LOCAL.match(link) and "OWNER" not in link
    ]


def fault(link: str) -> str | None:
    """What is wrong with the form of a link, or None."""
    if not link.startswith("https://"):
        return "is not https"
    host, slash, rest = link.removeprefix("https://").partition("/")
    if host not in HOSTS:
        return f"goes to {host}, which tests/test_links.py does not list"
    return (
        None if re.fullmatch(HOSTS[host], slash + rest) or not rest else f"is no address at {host}"
    )


@pytest.mark.parametrize("file", texts())
def test_links_have_a_possible_form(file):
    faults = {link: fault(link) for link in addresses(texts()[file])}
    assert not {link: said for link, said in faults.items() if said}


def test_a_link_is_found_where_it_ends():
    text = "See [one](https://arxiv.org/abs/1609.04836), <https://doi.org/10.1162/neco.1> and http://localhost:8000."
    assert addresses(text) == ["https://arxiv.org/abs/1609.04836", "https://doi.org/10.1162/neco.1"]


@pytest.mark.parametrize(
    "link",
    ["https://example.com/x", "https://arxiv.org/abs/1609", "http://arxiv.org/abs/1609.04836"],
)
def test_a_wrong_form_is_seen(link):
    assert fault(link)


def answer(uri: str, status: str, info: str = "") -> dict:
    return {"filename": "book/intro.md", "lineno": 3, "uri": uri, "status": status, "info": info}


def test_what_does_not_answer_is_listed_with_its_place():
    answers = [
        answer("https://a.org", "working"),
        answer("https://b.org", "broken", "404 Client Error"),
    ]
    lines, asked = links.report(
        [*answers, answer("#here", "unchecked"), answer("http://localhost:8000", "ignored")]
    )
    assert lines == ["book/intro.md:3: https://b.org 404 Client Error"] and asked == 2


def test_a_machine_without_network_is_told_so_in_one_sentence():
    with pytest.raises(Refused, match="None of 2 addresses answers: this machine reaches no host"):
        links.report([answer("https://a.org", "broken"), answer("https://b.org", "timeout")])
