"""Ask every address in the rendered book whether it answers, with Sphinx's linkcheck.

    python -m tools.links

What no host answers, and why, is listed; the rules (what is not asked, how long to wait) stand in _config.yml. That an
address has a possible form is checked without network, by tests/test_links.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tools import arguments, execute, files, published, running
from tools.files import BUILD, ROOT, Refused

#: What linkcheck says of an address that is wrong; the rest is right, was not asked, or only moved for a while.
WRONG = {"broken", "timeout"}


def ask(pages: Path, rendering: Path) -> list[dict]:
    """What linkcheck says of every address in the book ``pages``: filename, lineno, uri, status, info."""
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(pages),
    ]
    options = ["--builder", "linkcheck", "--path-output", str(rendering), "--all", "-q"]
    running.call([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = sorted(rendering.rglob("output.json"))
    if not found:
        raise Refused("The book could not be read for its links. Run: make book")
    return [json.loads(line) for line in found[0].read_text(encoding="utf-8").splitlines()]


def report(answers: Iterable[dict]) -> tuple[list[str], int]:
    """A line for each address that is wrong, and how many were asked.

    Raises Refused if none answers: then this machine has no network, and nothing is known.
    """
    asked = [
        answer
        for answer in answers
        if answer["uri"].startswith("http") and answer["status"] != "ignored"
    ]
    wrong = [answer for answer in asked if answer["status"] in WRONG]
    if asked and len(wrong) == len(asked):
        raise Refused(
            f"None of {len(asked)} addresses answers: this machine reaches no host, so nothing was checked."
        )
    return [
        f"{one['filename']}:{one['lineno']}: {one['uri']} {one['info'] or one['status']}"
        for one in wrong
    ], len(asked)


def main() -> int:
    source = BUILD / "link-pages"
    execute.copy_book(source)
    published.write_into(source, published.Place.here(ROOT))
    lines, asked = report(ask(source, files.fresh(BUILD / "linkcheck")))
    print("\n".join(lines) or f"{asked} links are in order.")
    return int(bool(lines))


if __name__ == "__main__":
    arguments.command_line(main)
