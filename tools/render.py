"""Render the executed copy of the book, `_build/src`, to `_build/html`.

    python -m tools.render
    python -m tools.render --base-url https://someone.github.io/their-fork/

Fetches the scripts that the pages need first (`tools.vendor`), so that no page asks another host, and writes the
repository's address into a second copy, `_build/pages`, which is what is rendered. A warning is a defect and fails the
command in CI; elsewhere a newer library's warning is shown and the book is there all the same.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools import arguments, files, published, running, vendor
from tools.address import PUBLISHED
from tools.files import BUILD, ROOT, Refused


def place_copy(source: Path, target: Path, place: published.Place, base: str = "") -> None:
    """Copy the book in ``source`` to ``target``, which must be ours or empty, with the repository's address in it."""
    files.fresh(target)
    ignored = shutil.ignore_patterns(".ipynb_checkpoints", "_build", files.MARK)
    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
    published.write_into(target, place, base)


def render(
    source: Path,
    output: Path,
    place: published.Place | None = None,
    *,
    base: str = "",
    strict: bool = False,
) -> int:
    """Render the book in ``source`` to ``output``/_build/html; the scripts lie beside ``source``, in `vendor`.

    ``strict`` makes a warning a failure, as in CI. Returns the exit code.
    """
    vendor.fill(source.parent / "vendor")
    place = published.Place.here() if place is None else place
    pages = source.parent / "pages"
    place_copy(source, pages, place, base)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        str(pages),
    ]
    fatal = ["-W"] if strict or os.environ.get("CI") else []
    rendering = files.fresh(source.parent / "rendering")  # put in its place when it is whole
    options = ["--path-output", str(rendering), *fatal, "--keep-going", "--all", "-q"]
    log = source.parent / "render.log"
    # a page is made of the package's docstrings
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with log.open("w", encoding="utf-8") as said:
        failed = running.call(
            [*command, *options], stdout=said, stderr=subprocess.STDOUT, env=environ
        )
    words = log.read_text(encoding="utf-8", errors="replace")
    if failed and "No space left on device" in words:
        raise Refused(
            "The disk is full: make room and run the command again. The chapters that were run are kept."
        )
    print(words, end="", file=sys.stderr if failed else sys.stdout)
    if not failed:
        finish(rendering / "_build" / "html", place)
        files.put_in_place(rendering / "_build" / "html", output / "_build" / "html")
    return failed


def finish(html: Path, place: published.Place) -> None:
    """Point the buttons for Colab at the published branch, and tell GitHub Pages to serve every folder as it is."""
    (html / ".nojekyll").touch()
    if not (place.address and place.address.on_colab):
        return
    opened = f"colab.research.google.com/github/{place.address.path}/blob/"
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if opened in text:
            path.write_text(
                text.replace(f"{opened}{place.address.branch}/", f"{opened}{PUBLISHED}/"),
                encoding="utf-8",
            )


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    parser.add_argument(
        "--base-url", default=os.environ.get("BASE_URL", ""), help="where the pages will be served"
    )
    given = parser.parse_args(argv)
    if not (BUILD / "src" / "_config.yml").is_file():
        raise Refused("There is no book to render yet. Run: make book")
    return render(BUILD / "src", ROOT, base=given.base_url)


if __name__ == "__main__":
    arguments.command_line(main)
