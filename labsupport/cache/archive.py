"""Stored results in one file, so that a machine that was just started need not train what others trained.

An archive is a zip of the store's entries (`.npz`, in which nothing can run) and a list of their SHA-256.
It is fetched by an address and the SHA-256 of the whole; a reader's own results are never replaced.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import urllib.request
import zipfile
from pathlib import Path

from labsupport import files
from labsupport.settings import environment

LIST = "SHA256SUMS"
_ENTRY = re.compile(r"[\w-]{1,200}\.npz")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same results are the same archive
SECONDS = 120


class Refused(ValueError):
    """An archive that is not what it should be; the message says why."""


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pack(archive: Path, folder: Path | None = None, largest: int | None = None) -> str:
    """Write the entries of the store at ``folder`` (this machine's, without one) to ``archive``; return its SHA-256.

    largest : bytes; an entry above it is left out

    Raises Refused if there is nothing to pack.
    """
    folder = folder or environment.store_folder()
    paths = sorted(
        path
        for path in Path(folder).glob("*.npz")
        if path.is_file() and _ENTRY.fullmatch(path.name)
    )
    kept = [path for path in paths if largest is None or path.stat().st_size <= largest]
    if not kept:
        raise Refused(f"There are no stored results in {folder}. Run a chapter first.")
    sums = {}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in kept:
            content = path.read_bytes()
            sums[path.name] = digest(content)
            file.writestr(zipfile.ZipInfo(path.name, _EPOCH), content, zipfile.ZIP_DEFLATED)
        lines = "".join(f"{value}  {name}\n" for name, value in sums.items())
        file.writestr(zipfile.ZipInfo(LIST, _EPOCH), lines)
    return digest(Path(archive).read_bytes())


def unpack(content: bytes, sha256: str, folder: Path | None = None) -> int:
    """Put the entries of an archive into the store at ``folder``; return how many were new.

    Everything is looked at before anything is written. Raises Refused if the archive, or one entry, is not what its
    digest says, or if it holds anything but entries.
    """
    if digest(content) != sha256.lower():
        raise Refused("the archive is not the one that was published: its SHA-256 differs")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            entries = {name: file.read(name) for name in file.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Refused(f"the archive cannot be read ({error})") from error
    listed = entries.pop(LIST, b"").decode("utf-8", "replace").split("\n")
    pairs = [line.split("  ", 1) for line in listed if "  " in line]
    sums = {name: value for value, name in pairs}
    for name, entry in entries.items():
        if not _ENTRY.fullmatch(name):
            raise Refused(f"the archive holds {name!r}, which is no stored result")
        if sums.get(name) != digest(entry):
            raise Refused(f"{name} in the archive is not what the list says")
    folder = folder or environment.store_folder()
    folder.mkdir(parents=True, exist_ok=True)
    new = [name for name in entries if not (folder / name).exists()]
    for name in new:
        files.write(folder / name, entries[name], beside=Path(name).stem)
    return len(new)


def bring(address: str, sha256: str, folder: Path | None = None) -> int:
    """Fetch an archive over https and `unpack` it; return how many results are new.

    Never raises for what a reader cannot mend: without the archive a chapter trains its networks itself, and one line
    says so.
    """
    if not address.startswith("https://"):
        raise ValueError(f"The address of an archive begins with https://, not {address!r}.")
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            content = answer.read()
        new = unpack(content, sha256, folder)
    except (OSError, Refused) as error:
        said = f"The released results could not be used ({error}): what this chapter needs is trained here."
        print(said, file=sys.stderr)
        return 0
    print(f"{new} released results are here: what they hold need not be trained again.")
    return new
