"""Chapters that `make book` ran before: where nothing that a chapter reads has changed, its outputs are used again.

What is kept lies in `_build/chapters`, one file a notebook, named by a digest of its code cells, the package, the
installed versions, the settings and the data at hand. A file that was altered, or whose claims are no longer in the run
store as the chapter left them, counts for nothing: then the chapter runs.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nbformat import from_dict

from tools import files

FOLDER = files.BUILD / "chapters"
#: Settings in the environment that a chapter's outputs may depend on.
SETTINGS = ("LABSUPPORT_", "OMP_", "MKL_", "CUDA_", "TORCH_", "TQDM_")


@dataclass(frozen=True)
class Kept:
    """The outputs that are kept in ``folder`` for a run whose claims lie in ``claims``, with its data in ``data``."""

    folder: Path
    claims: Path
    data: Path

    def name(
        self, path: Path, notebook, kernel: tuple[str, ...] = (), gathers: bool = False
    ) -> str:
        """Where the outputs of a notebook that is not run yet are kept: it says all that they depend on.

        One that ``gathers`` claims depends on those of the other chapters.
        """
        given = {
            "cells": [cell.source for cell in notebook.cells if cell.cell_type == "code"],
            **self._code,
            "python": sys.version,
            "machine": [
                platform.platform(),
                os.cpu_count(),
                *map(str, Path("/dev").glob("nvidia*")),
            ],
            "settings": {k: v for k, v in sorted(os.environ.items()) if k.startswith(SETTINGS)},
            "kernel": kernel,
            "data": _listed(self.data),
            "claims": self._claims(path.name, others=True) if gathers else None,
        }
        return f"{path.stem}-{_digest(given)}.json"

    def fill(self, notebook, name: str) -> bool:
        """Give the notebook the outputs kept by this name; False, and nothing is changed, if there are none."""
        try:
            kept = json.loads((self.folder / name).read_text(encoding="utf-8"))
            whole = kept["digest"] == _digest(kept["result"])
        except (OSError, ValueError, TypeError, KeyError):
            return False
        if not whole or kept["result"]["claims"] != self._claims(name):
            return False
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell, (count, outputs) in zip(code, kept["result"]["cells"], strict=True):
            cell.execution_count, cell.outputs = count, [from_dict(one) for one in outputs]
        if kept["result"]["widgets"]:
            notebook.metadata["widgets"] = from_dict(kept["result"]["widgets"])
        return True

    def save(self, notebook, name: str) -> None:
        """Keep the outputs of a notebook that was run; older ones of the same notebook go."""
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        result = {
            "cells": [[cell.execution_count, cell.outputs] for cell in code],
            "widgets": notebook.metadata.get("widgets"),
            "claims": self._claims(name),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        for older in self.folder.glob(f"{name.rpartition('-')[0]}-*.json"):
            older.unlink()
        content = {"digest": _digest(result), "result": result}
        files.write_whole(self.folder / name, json.dumps(content))

    @functools.cached_property
    def _code(self) -> dict:
        """What all notebooks of one run share: read once, not for each."""
        return {"package": _package(), "installed": _installed()}

    def _claims(self, name: str, others: bool = False) -> dict[str, str]:
        """The chapter's claims in the run store, or those of all ``others``, each with a digest of its record."""
        number = f"{int(name[:2])}." if name[:2].isdigit() else "none"
        return {
            path.relative_to(self.claims).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.claims.glob("*/*.json"))
            if path.name.startswith(number) != others
        }


def here() -> Kept:
    """What is kept in this clone, for the run store and the data that the environment names."""
    from labsupport.settings import environment

    return Kept(FOLDER, environment.store_folder() / "claims", environment.data_folder())


def _digest(given) -> str:
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:40]


def _package() -> str:
    """A digest of every file of the package, its committed results among them."""
    found = hashlib.sha256()
    for path in sorted((files.ROOT / "labsupport").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(
                path.relative_to(files.ROOT).as_posix().encode() + b"\0" + path.read_bytes()
            )
    return found.hexdigest()


def _installed() -> list[str]:
    return sorted(f"{one.metadata['Name']} {one.version}" for one in metadata.distributions())


def _listed(folder: Path) -> list[list]:
    """The files below a folder, with their sizes and times."""
    found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [[str(path), about.st_size, about.st_mtime_ns] for path, about in found]
