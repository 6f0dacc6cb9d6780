"""The address of this repository, written into copies: the rendered book's, and the branch that Colab opens.

What is committed holds no address (`tools.address` says why). Here a notebook learns where its package is and how Colab
opens it, and a page learns what to clone. Where there is no address, the copies say how to do without one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
import yaml

from tools import address as addresses
from tools import notebooks
from tools.address import Address

#: In pages: the address and name of the repository, and a passage for readers of a copy without address.
URL, NAME = "REPOSITORY_ADDRESS", "REPOSITORY_NAME"
MEASURED = addresses.ROOT / "book" / "run-times.json"
_WITHOUT = re.compile(r"<!-- without an address -->\n(.*?)<!-- end -->\n\n?", re.S)
_WITH = re.compile(r"<!-- with an address\n(.*?)-->\n", re.S)
_COLAB = re.compile(r"<!-- on Colab\n(.*?)-->\n", re.S)
_LINK = re.compile(r"(\]\()(?!https?:|mailto:|#)([^)\s]+)(\))")


@dataclass(frozen=True)
class Place:
    """Where a copy will be: the repository's address, what names its commit for ever, and the minima of a release."""

    address: Address | None
    ref: str = ""
    minima: str = ""  #: a setup cell's lines that fetch the released minima

    @classmethod
    def here(cls, root: Path = addresses.ROOT) -> Place:
        """The place of the clone in ``root``."""
        found = addresses.find(root)
        return cls(found, addresses.pin(root) if found else "")

    @property
    def home(self) -> Address:
        """The address. Raises SystemExit where there is none, since what is published must lead somewhere."""
        if self.address is None:
            raise SystemExit(
                "This copy has no address, so its notebooks cannot be published. "
                "Possible: git remote add origin ADDRESS, or REPOSITORY=ADDRESS."
            )
        return self.address

    @property
    def package(self) -> str:
        """What pip installs the package from; empty where that is not known."""
        return self.address.archive(self.ref) if self.address and self.ref else ""


def with_minima(place: Place, archive: Path) -> Place:
    """``place``, where setup cells fetch the results of the release that ``archive`` is attached to."""
    there = place.address.release(place.ref, archive.name) if place.address else ""
    sha = hashlib.sha256(archive.read_bytes()).hexdigest()
    lines = f'from labsupport.cache import archive\n\narchive.bring("{there}", "{sha}")'
    return replace(place, minima=lines) if there else place


def seconds_alone(name: str, measured: Path = MEASURED) -> float | None:
    """How long a chapter takes when it is opened alone, from nothing, where that was measured on a laptop's CPU."""
    entries = json.loads(measured.read_text(encoding="utf-8")) if measured.exists() else []
    known = [entry["alone"][name] for entry in entries if name in entry.get("alone", {})]
    return known[0] if known else None


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(34.7), duration(95), duration(290)
    ('35 seconds', '2 minutes', '5 minutes')
    """
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def set_up(notebook, name: str, place: Place, alone: float | None = None) -> None:
    """Write into a notebook, in place, where its package is, what opens it in Colab, how long it takes ``alone``."""
    setup = notebook.cells[1]
    setup.source = setup.source.replace('PACKAGE = ""', f'PACKAGE = "{place.package}"', 1)
    if place.minima:
        before, last, after = setup.source.rpartition("print(device.describe())")
        setup.source = f"{before}{place.minima}\n{last}{after}"
    if place.address and place.address.on_colab:
        colab = f"[Open in Colab]({place.address.colab(f'book/{name}.ipynb')})"
        title = notebook.cells[0]
        title.source = title.source.replace(notebooks.RUN_IT, f"{colab} · {notebooks.RUN_IT}", 1)
    if alone is not None:
        said = f"*Opened alone, it takes about {duration(alone)} (measured on two CPU cores).*"
        notebook.cells[0].source += f"\n\n{said}"


def leads_home(source: str, address: Address) -> str:
    """Markdown whose links to other files of the book work wherever the notebook is opened.

    >>> leads_home("[2](02-x.ipynb#gap), [set up](setup.md)", Address("https://gitlab.com/a/b"))
    '[2](https://gitlab.com/a/b/-/blob/published/book/02-x.ipynb#gap), [set up](https://gitlab.com/a/b/-/blob/main/book/setup.md)'
    """

    def absolute(link: re.Match) -> str:
        file, hash_mark, heading = link[2].partition("#")
        chapter = file.endswith(".ipynb")
        if chapter and address.on_colab:
            target = address.colab(f"book/{file}")
        elif address.pages and file.endswith(".md"):
            target = f"{address.pages}book/{file.removesuffix('.md')}.html"
        else:
            target = address.blob(f"book/{file}", addresses.PUBLISHED if chapter else "")
        return f"{link[1]}{target}{hash_mark}{heading}{link[3]}"

    return _LINK.sub(absolute, source)


def page(text: str, place: Place) -> str:
    """A page with the address in place of `REPOSITORY_ADDRESS`, less the passages that do not concern this copy.

    >>> page("git clone REPOSITORY_ADDRESS\\n", Place(Address("https://codeberg.org/a/b")))
    'git clone https://codeberg.org/a/b\\n'
    """
    if place.address is None:
        return text
    text = _WITHOUT.sub("", text)
    text = _WITH.sub(r"\1", text)
    text = _COLAB.sub(r"\1" if place.address.on_colab else "", text)
    text = text.replace(URL, place.address.url).replace(NAME, place.address.name)
    return text.replace("PACKAGE_ADDRESS", place.package or f"git+{place.address.url}")


def configure(text: str, place: Place, base: str = "") -> str:
    """`_config.yml` with the buttons that this place has: none, those of its host, and Colab's if it opens there."""
    config = yaml.safe_load(text)
    html = config.setdefault("html", {})
    config.pop("repository", None)
    config.pop("launch_buttons", None)
    for button in ("use_repository_button", "use_issues_button", "use_edit_page_button"):
        html.pop(button, None)
    here = place.address
    if here and here.kind in ("github", "gitlab", "bitbucket"):
        config["repository"] = {"url": here.url, "branch": here.branch, "path_to_book": ""}
        html["use_repository_button"] = html["use_edit_page_button"] = True
        html["use_issues_button"] = (
            here.kind != "bitbucket"
        )  # the theme knows no form for its issues
    elif here:
        html["extra_footer"] = (
            html.get("extra_footer", "") + f'<p>Sources: <a href="{here.url}">{here.url}</a></p>\n'
        )
    if here and here.on_colab:
        config["launch_buttons"] = {"colab_url": "https://colab.research.google.com"}
    if base:
        html["baseurl"] = base
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def write_into(book: Path, place: Place, base: str = "") -> None:
    """Write the place into a copy of the book: its `_config.yml`, pages and notebooks."""
    config = book / "_config.yml"
    config.write_text(configure(config.read_text(encoding="utf-8"), place, base), encoding="utf-8")
    for path in sorted((book / "book").glob("*.md")):
        path.write_text(page(path.read_text(encoding="utf-8"), place), encoding="utf-8")
    for path in notebooks.every(book / "book"):
        notebook = nbformat.read(path, as_version=4)
        set_up(notebook, path.stem, place)
        notebooks.write(notebook, path)
