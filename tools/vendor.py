"""Fetch the scripts that the pages need, so that the book makes no request to another host.

    python -m tools.vendor _build/vendor     the rendered book finds them in its folder `offline`
    python -m tools.vendor --hashes          prints the hash of each package as the registry serves it

Packages come from the npm registry that this machine is set up for (`npm_config_registry`, ~/.npmrc, else the
public one), each as one archive whose SHA-512 stands below; npm itself is asked only when that fails. Archives are
kept in the user's cache folder, so that later builds need no network. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

PUBLIC = "https://registry.npmjs.org/"
SECONDS = 60


@dataclass(frozen=True)
class Package:
    """One pinned npm package; `files` are patterns of what the book takes from it."""

    name: str
    version: str
    sha512: str
    files: tuple[str, ...]

    @property
    def archive(self) -> str:
        return f"{self.name.split('/')[-1]}-{self.version}.tgz"

    @property
    def folder(self) -> str:
        return self.name.split("/")[-1]


MATHJAX = Package(
    "mathjax",
    "3.2.2",
    "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
    # Formulas become SVG: one file, no fonts, which browsers do not load from a folder on a stick.
    ("LICENSE", "es5/tex-svg.js", "es5/input/tex/extensions/.*"),
)
REQUIREJS = Package(
    "requirejs",
    "2.3.7",
    "DouTG8T1WanGok6Qjg2SXuCMzszOo0eHeH9hDZ5Y4x8Je+9JB38HdTLT4/VA8OaUhBa0JPVHJ0pyBkM1z+pDsw==",
    ("require.js",),
)
HTML_MANAGER = Package(
    "@jupyter-widgets/html-manager",
    "1.0.14",
    "wglgQQ+VMj+MBKkTttdeoMtOah/H2A1w5GU1OAVXmDQqZYTK6C+oHZjQMxcNezIpiqUjC1YHKOo5XdP3ENvBng==",
    ("LICENSE", "dist/embed-amd.js", r"dist/[^/]*\.woff2"),
)
BOOK = (MATHJAX, REQUIREJS, HTML_MANAGER)
#: For the tests in a browser; the book does not carry it.
AXE = Package(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    ("LICENSE", r"axe\.min\.js"),
)


class Unavailable(RuntimeError):
    """A package that is neither in the cache nor to be had, or that is not what it should be."""


def cache() -> Path:
    """The folder that keeps archives between builds."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "labsupport" / "vendor"


def registry() -> str:
    """The address of the npm registry that this machine is set up for, with a slash at its end."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/") + "/"
    settings = Path(os.environ.get("npm_config_userconfig") or Path.home() / ".npmrc")
    if settings.is_file():
        found = re.search(r"^\s*registry\s*=\s*(\S+)", settings.read_text(encoding="utf-8"), re.M)
        if found:
            return found.group(1).rstrip("/") + "/"
    return PUBLIC


def digest(archive: bytes) -> str:
    """SHA-512 in base64, as npm writes it.

    >>> digest(b"")[:12]
    'z4PhNX7vuL3x'
    """
    return base64.b64encode(hashlib.sha512(archive).digest()).decode()


def download(package: Package) -> bytes:
    """The package's archive from the registry, over https."""
    with urllib.request.urlopen(f"{registry()}{package.name}/-/{package.archive}", timeout=SECONDS) as answer:
        return answer.read()


def npm_pack(package: Package) -> bytes:
    """The package's archive as npm fetches it, with npm's own proxies, certificates and passwords."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", f"{package.name}@{package.version}", "--pack-destination", folder]
        subprocess.run(command, check=True, capture_output=True, timeout=3 * SECONDS)
        return next(Path(folder).glob("*.tgz")).read_bytes()


def fetch(package: Package) -> bytes:
    """The archive of `package`, checked, from the cache or the registry.

    Raises Unavailable when it cannot be had or is altered; nothing is kept then.
    """
    kept = cache() / package.archive
    if kept.is_file():
        archive = kept.read_bytes()
        if digest(archive) == package.sha512:
            return archive
        kept.unlink()
    troubles = []
    for source in (download, npm_pack):
        try:
            archive = source(package)
        except (OSError, StopIteration, subprocess.SubprocessError) as error:
            troubles.append(f"{source.__name__}: {error}")
            continue
        if digest(archive) == package.sha512:
            _write_whole(kept, archive)
            return archive
        troubles.append(f"{source.__name__}: the archive is not the one that was pinned")
    raise Unavailable(
        f"The book needs {package.name} {package.version} from the npm registry once, and could not get it "
        f"({'; '.join(troubles)}). Connect and run the command again, or put {package.archive} into {kept.parent}."
    )


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def unpack(package: Package, target: Path) -> Path:
    """Put the files that the book takes from `package` into `target`; return their folder."""
    folder = target / package.folder
    found = 0
    with tarfile.open(fileobj=io.BytesIO(fetch(package))) as archive:
        for member in archive.getmembers():
            path = member.name.removeprefix("package/")
            if member.isfile() and any(re.fullmatch(pattern, path) for pattern in package.files):
                _write_whole(folder / path, archive.extractfile(member).read())
                found += 1
    if found < len(package.files):
        raise Unavailable(f"{package.archive} lacks some of {', '.join(package.files)}.")
    return folder


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("target", nargs="?", type=Path, help="the folder to fill, anew")
    choice.add_argument("--hashes", action="store_true")
    given = parser.parse_args(argv)
    if given.hashes:
        for package in (*BOOK, AXE):
            print(package.name, package.version, digest(download(package)))
        return 0
    try:
        shutil.rmtree(given.target, ignore_errors=True)
        for package in BOOK:
            unpack(package, given.target / "offline")
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
