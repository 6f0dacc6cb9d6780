"""Look at every link that leaves the book: is its form right, does its host answer?

    python -m tools.links          the form of every link, and each address asked once where there is network

A link goes to one of the hosts in `HOSTS`, over https, in the form that host's addresses have: a typo in an arXiv
number is found without network. The book's own address stands in no source (`tools.address`).
"""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request

from tools.execute import ROOT

#: Hosts the book may link to, and what the rest of an address must look like.
HOSTS = {
    "arxiv.org": r"/(abs|pdf)/\d{4}\.\d{4,5}(v\d+)?",
    "colab.research.google.com": r"/?",
    "github.com": r"/[\w.-]+/[\w.-]+(/\S*)?",
    "creativecommons.org": r"/licenses/[\w.-]+/[\d.]+/(legalcode(\.\w+)?)?",
}
_LINK = re.compile(r"https?://[^\s)>\]\"'`|\\}]+")
_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1)")


def texts() -> dict[str, str]:
    """{file: what a reader reads} of the pages, the chapters' Markdown and the repository's own pages."""
    found = {}
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "book").glob("*.md")), *sorted((ROOT / "book").glob("*.bib"))]:
        found[str(path.relative_to(ROOT))] = path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "book").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        found[str(path.relative_to(ROOT))] = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return found


def links(text: str) -> list[str]:
    """The addresses in a text, without a sentence's own full stop, and without links to the reader's own machine."""
    return [link.rstrip(".,;:") for link in _LINK.findall(text) if not _LOCAL.match(link) and "OWNER" not in link]


def fault(link: str) -> str | None:
    """What is wrong with the form of a link, or None.

    >>> fault("https://arxiv.org/abs/1609.04836")
    >>> fault("http://arxiv.org/abs/1609.04836")
    'is not https'
    >>> fault("https://arxiv.org/abs/16090.4836")
    'is not the form of an address at arxiv.org'
    """
    if not link.startswith("https://"):
        return "is not https"
    host, slash, rest = link.removeprefix("https://").partition("/")
    if host not in HOSTS:
        return f"goes to {host}, which tools/links.py does not list"
    return None if re.fullmatch(HOSTS[host], slash + rest) or not rest else f"is not the form of an address at {host}"


def answer(link: str) -> str | None:
    """Ask once; None if the page is there, else what happened. A host that refuses robots counts as there."""
    request = urllib.request.Request(link, method="HEAD", headers={"User-Agent": "Mozilla/5.0 (link check)"})
    try:
        with urllib.request.urlopen(request, timeout=20):
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in (403, 405, 429) else f"answered {error.code}"
    except OSError as error:
        return f"did not answer: {error}"


def main() -> int:
    bad, asked = [], {}
    for file, text in texts().items():
        for link in links(text):
            asked.setdefault(link, file)
    bad += [f"{file}: {link} {fault(link)}" for link, file in asked.items() if fault(link)]
    found = {link: answer(link) for link in asked}
    silent = [said for said in found.values() if said and said.startswith("did not answer")]
    if found and len(silent) == len(found):
        print(f"No host answers from here, so only the form of {len(asked)} links was checked.")
    else:
        bad += [f"{asked[link]}: {link} {said}" for link, said in found.items() if said]
    print("\n".join(bad) or f"{len(asked)} links are in order.")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
