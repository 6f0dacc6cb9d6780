"""Fetch the scripts that the pages need, so that the book makes no request to another host.

    python -m tools.vendor _build/vendor     the rendered book takes its folder `html` whole
    python -m tools.vendor --hashes          prints the hash of each archive as the registry serves it now

`vendor.json` pins each package with the SHA-512 of its archive. Archives come from the npm registry that this machine
is set up for (`npm_config_registry`, ~/.npmrc, else the public one); npm itself is not needed. They are kept in the
user's cache folder, so that later builds need no network.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests

from tools import arguments
from tools.files import Refused, fresh, ours, write_whole

LOCK = Path(__file__).with_name("vendor.json")
PUBLIC = "https://registry.npmjs.org/"
SECONDS = 60
pooch.get_logger().setLevel(logging.WARNING)


@dataclass(frozen=True)
class Package:
    """One pinned npm package; ``files`` are patterns of what the book takes from it."""

    name: str
    version: str
    sha512: str
    files: tuple[str, ...]

    @property
    def folder(self) -> str:
        return self.name.split("/")[-1]

    @property
    def archive(self) -> str:
        return f"{self.folder}-{self.version}.tgz"

    @property
    def address(self) -> str:
        return f"{registry()}{self.name}/-/{self.archive}"


def _pinned(use: str) -> tuple[Package, ...]:
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    chosen = {name: entry for name, entry in lock.items() if entry["for"] == use}
    return tuple(
        Package(n, e["version"], e["sha512"], tuple(e["files"])) for n, e in chosen.items()
    )


BOOK = _pinned("book")
(REVEAL,) = _pinned("slides")
(AXE,) = _pinned("tests")


class Unavailable(Refused):
    """A package that is neither in the cache nor to be had, or that is not what it should be."""


def cache() -> Path | None:
    """The folder that keeps archives between builds; None where this user has none."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = given if given.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # no HOME, and no entry for this user
        return None
    return base / "labsupport" / "vendor"


def registry() -> str:
    """The address of the npm registry that this machine is set up for, with a slash at its end."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/") + "/"
    try:
        settings = Path(os.environ.get("npm_config_userconfig") or Path.home() / ".npmrc")  # noqa: SIM112
        text = settings.read_text(encoding="utf-8", errors="replace")
    except (OSError, RuntimeError):
        return PUBLIC
    found = re.search(r"^\s*registry\s*=\s*(\S+)", text, re.M)
    return found.group(1).rstrip("/") + "/" if found else PUBLIC


def digest(archive: bytes) -> str:
    """SHA-512 in hexadecimal.

    >>> digest(b"")[:12]
    'cf83e1357eef'
    """
    return hashlib.sha512(archive).hexdigest()


def fetch(package: Package) -> bytes:
    """The archive of ``package``, checked, from the cache or the registry.

    Where nothing can be kept it is fetched all the same, and that is said. Raises Unavailable when it cannot be had or
    is altered; nothing is kept then.
    """
    kept = cache()
    if kept:
        path = kept / package.archive
        try:
            archive = path.read_bytes() if path.is_file() else b""
        except OSError:
            archive = b""
        if digest(archive) == package.sha512:
            return archive
    with tempfile.TemporaryDirectory(prefix="vendor-") as folder:
        archive = _download(package, Path(folder))
    if kept:
        try:
            write_whole(kept / package.archive, archive)
        except OSError as error:
            kept = None
            print(f"{package.archive} is used without being kept ({error}).", file=sys.stderr)
    return archive


def _download(package: Package, folder: Path) -> bytes:
    download = pooch.HTTPDownloader(timeout=SECONDS)
    try:
        path = pooch.retrieve(
            package.address,
            f"sha512:{package.sha512}",
            package.archive,
            folder,
            downloader=download,
        )
    except ValueError:
        trouble = "the archive is not the one that was pinned"
    except (OSError, requests.RequestException) as error:
        trouble = f"{type(error).__name__}: {error}"
    else:
        return Path(path).read_bytes()
    place = cache() or "the user's cache folder"
    raise Unavailable(
        f"The book needs {package.name} {package.version} from {registry()} once, and could not get it ({trouble}). "
        f"Connect and run the command again, or put {package.archive} into {place}."
    )


def unpack(package: Package, target: Path) -> Path:
    """Put the files that the book takes from ``package`` into ``target``; return their folder."""
    folder = target / package.folder
    found = 0
    with tempfile.TemporaryFile() as file:
        file.write(fetch(package))
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            for member in archive.getmembers():
                path = member.name.removeprefix("package/")
                content = archive.extractfile(member) if member.isfile() else None
                if content and any(re.fullmatch(pattern, path) for pattern in package.files):
                    write_whole(folder / path, content.read())
                    found += 1
    if found < len(package.files):
        raise Unavailable(f"{package.archive} lacks some of {', '.join(package.files)}.")
    return folder


def fill(target: Path) -> Path:
    """Make the folder ``target`` hold every script of the book; nothing is done if it does already.

    Raises Refused if it holds what no tool put there, Unavailable if a script cannot be had.
    """
    complete = target / "complete"
    wanted = digest(LOCK.read_bytes())
    if ours(target) and complete.is_file() and complete.read_text(encoding="utf-8") == wanted:
        return target
    target = fresh(target)
    for package in BOOK:
        unpack(package, target / "html" / "offline")
    write_whole(complete, wanted)
    return target


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("target", nargs="?", type=Path, help="the folder to fill, anew")
    choice.add_argument("--hashes", action="store_true")
    given = parser.parse_args(argv)
    if given.hashes:
        for package in (*BOOK, REVEAL, AXE):
            answer = requests.get(package.address, timeout=SECONDS)
            answer.raise_for_status()
            print(package.name, package.version, digest(answer.content))
        return 0
    fill(given.target)
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
