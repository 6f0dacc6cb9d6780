"""Gather what a release attaches: the book on paper, the notebooks, the package, the minima that the chapters share.

    python -m tools.release                     what is there, into _build/release
    python -m tools.release --minima STORE      and the results in STORE, a store that was filled under Colab's versions

The PDF is `_build/book.pdf`, by `make pdf`. Beside the files lies SHA256SUMS, and the notes are the version's part of
CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from tools import colab, publish, published
from tools.address import ROOT
from tools.files import MARK, fresh

#: An entry above this is quicker computed than fetched.
LARGEST_ENTRY = 20_000_000


def version(root: Path = ROOT) -> str:
    """The package's version, as its source says it."""
    source = (root / "labsupport" / "__init__.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "(.+)"', source, re.M)[0]


def notes(text: str, of: str) -> str:
    """The part of a changelog that is about version ``of``.

    >>> notes("# Changes\\n\\n## 1.1.0\\n\\nNew.\\n\\n## 1.0.0\\n\\nFirst.\\n", "1.1.0")
    'New.'
    """
    found = re.search(rf"^## {re.escape(of)}\b.*?\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    if not found:
        raise SystemExit(f"CHANGELOG.md has no part `## {of}`. Write one before the release.")
    return found.group(1).strip()


def notebooks_zip(target: Path, name: str, place: published.Place, root: Path) -> None:
    """The notebooks with the address in them, in one zip, in a folder ``name``-notebooks."""
    name = f"{name}-notebooks"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        for path, text in publish.all_notebooks(place, root).items():
            file.writestr(f"{name}/{Path(path).name}", text)
        for licence in ("LICENSE", "LICENSE-text.md"):
            file.write(root / licence, f"{name}/{licence}")


def sums(folder: Path) -> str:
    """SHA-256 and name of every file, as `sha256sum --check` reads them."""
    files = sorted(
        path for path in folder.iterdir() if path.name not in ("SHA256SUMS", "notes.md", MARK)
    )
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
    )


def gather(
    target: Path, place: published.Place, store: Path | None = None, root: Path = ROOT
) -> None:
    """Fill ``target`` anew with everything that a release of this tree attaches."""
    home = place.home  # nothing is made without an address
    fresh(target)
    (target / "notes.md").write_text(
        notes((root / "CHANGELOG.md").read_text(encoding="utf-8"), version(root)) + "\n"
    )
    if store:
        from labsupport.cache import archive

        archive.pack(target / "minima-colab.zip", store, LARGEST_ENTRY)
        place = published.with_minima(place, target / "minima-colab.zip")
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        wheel = colab.wheel(Path(folder))
        shutil.copy2(wheel, target / wheel.name)
    notebooks_zip(target / "notebooks.zip", home.name, place, root)
    book = root / "_build" / "book.pdf"
    if book.is_file():
        shutil.copy2(book, target / "book.pdf")
    else:
        print(
            "There is no _build/book.pdf, so the release goes without. Run: make book pdf",
            file=sys.stderr,
        )
    (target / "SHA256SUMS").write_text(sums(target), encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--minima",
        type=Path,
        metavar="STORE",
        help="a store filled by `python -m tools.colab --store`",
    )
    given = parser.parse_args(argv)
    target = ROOT / "_build" / "release"
    gather(target, published.Place.here(), given.minima)
    for path in sorted(path for path in target.iterdir() if path.name != MARK):
        print(f"  {path.stat().st_size / 1e6:8.2f} MB  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
