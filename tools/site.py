"""Look at a rendered book as it will be served: does it lead to its own repository, and nowhere else?

    python -m tools.site _build/html

Fails with one line for each fault: a placeholder, a link to another repository's code, a button for Colab where Colab
opens nothing, a missing `.nojekyll`.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from tools import address, published
from tools.address import Address

_COLAB = re.compile(
    r"https://colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob/([\w.-]+)/"
)
_CODE = re.compile(
    r"https?://[\w.-]+/[\w./-]+/(?:archive|releases/download)/[^\s\"'&<\\]+|git\+https?://[^\s\"'&<\\]+"
)
TEXT = {".html", ".ipynb", ".md", ".js", ".txt", ".json"}


def placeholders() -> list[str]:
    """What stands for an address in a source and must not be in a served page."""
    names = ["/".join(words) for words in sorted(address.PLACEHOLDERS)]
    return [*names, "OWNER/NAME", published.URL, published.NAME, "PACKAGE_ADDRESS"]


def faults(html: Path, here: Address | None) -> list[str]:
    """What is wrong with the site in ``html`` for a repository at ``here``, a sentence each."""
    if not (html / "index.html").is_file():
        return [f"There is no book in {html}. Run: make book"]
    found = (
        []
        if (html / ".nojekyll").is_file()
        else ["There is no .nojekyll, so Pages would leave out folders with a _."]
    )
    for path in sorted(
        path for path in html.rglob("*") if path.suffix in TEXT and "offline" not in path.parts
    ):
        text = path.read_text(encoding="utf-8", errors="replace")
        name = path.relative_to(html)
        if here is not None:
            found += [
                f"{name} has the placeholder {word}." for word in placeholders() if word in text
            ]
        for hit in {hit.groups() for hit in _COLAB.finditer(text)}:
            if here is None or hit != (here.path, address.PUBLISHED):
                found.append(f"{name} opens {'/'.join(hit)} in Colab.")
        for hit in set(_CODE.findall(text)):
            if here is None or not hit.removeprefix("git+").startswith(f"{here.url}/"):
                found.append(f"{name} installs from {hit}.")
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("html", type=Path)
    given = parser.parse_args(argv)
    here = address.find()
    wrong = faults(given.html, here)
    print(
        "\n".join(wrong)
        or f"Every link leads home: {here.url if here else 'no address, so none to a repository'}."
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
