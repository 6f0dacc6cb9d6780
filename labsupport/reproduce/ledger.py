"""The folder in which results are kept: a file of rows per finished unit, and the points that other units need.

A file is there whole or not at all, and carries a digest of its content: one that was damaged is
said, put aside, and its unit is done again. So a run may be stopped, killed or moved to another
machine (a folder on Drive, say) at any moment.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from labsupport import files
from labsupport.reproduce.units import Result, Unit


class Ledger:
    """Results of units in a folder, which is made when there is none.

    ``writable=False`` is for a folder that is only read: it may lie where nothing can be written.

    Raises
    ------
    OSError
        A folder that cannot be written, in one sentence, before any work is done.
    """

    def __init__(self, folder: Path | str, *, writable: bool = True):
        self.folder = Path(folder).expanduser().absolute()
        self.writable = writable
        if writable:
            files.require_writable(self.folder / "rows", "--out")

    def _rows(self, name: str) -> Path:
        return self.folder / "rows" / f"{name}.json"

    def _points(self, name: str) -> Path:
        return self.folder / "points" / f"{name}.npz"

    def scratch(self, unit: Unit) -> Path:
        """A folder for what a unit needs to go on after it was stopped."""
        return self.folder / "scratch" / unit.id

    def lock(self, unit: Unit) -> Path:
        """The file that a process locks while it does a unit."""
        folder = self.folder / "locks"
        folder.mkdir(exist_ok=True)
        return folder / f"{unit.id}.lock"

    def write(self, unit: Unit, result: Result, provenance: dict) -> None:
        """Keep a result. Points first: a unit is done when its rows are there."""
        digest = None
        if result.points:
            held = io.BytesIO()
            arrays: dict[str, Any] = dict(result.points)
            np.savez(held, **arrays)
            digest = hashlib.sha256(held.getvalue()).hexdigest()
            files.write(self._points(unit.id), held.getvalue())
        body = {
            "unit": unit.id,
            "rows": result.rows,
            "history": result.history,
            "points_sha256": digest,
            "provenance": provenance,
        }
        files.write(
            self._rows(unit.id),
            json.dumps({"sha256": _digest(body), **body}, indent=1, allow_nan=True) + "\n",
        )

    def read(self, name: str) -> dict | None:
        """What is known of a unit: rows, history, provenance; None where there is nothing, or nothing whole."""
        path = self._rows(name)
        if not path.is_file():
            return None
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            said = body.pop("sha256")
            if said != _digest(body) or body["unit"] != name:
                raise ValueError("its digest is another")
        except (ValueError, KeyError, AttributeError) as error:
            self._put_aside(path, str(error))
            return None
        return body

    def points(self, name: str) -> dict[str, np.ndarray] | None:
        """The points of a finished training, or None where they are missing or damaged."""
        body, path = self.read(name), self._points(name)
        if body is None or not path.is_file():
            return None
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != body["points_sha256"]:
            self._put_aside(path, "its digest is another")
            self._put_aside(self._rows(name), "its points are damaged")
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {key: file[key] for key in file.files}

    def done(self, unit: Unit, code: str | None = None) -> bool:
        """Whether a unit's rows are there, whole, and made by the code that runs now (where ``code`` is given)."""
        body = self.read(unit.id)
        return body is not None and (code is None or body["provenance"].get("code") == code)

    def _put_aside(self, path: Path, why: str) -> None:
        if not self.writable:
            warnings.warn(f"{path.name} is damaged ({why}): it is left out.", stacklevel=3)
            return
        aside = self.folder / "damaged" / path.name
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.replace(aside)
        warnings.warn(
            f"{path.name} is damaged ({why}): it was put aside in {aside.parent}, and its unit is done again.",
            stacklevel=3,
        )

    def bodies(self) -> Iterator[dict]:
        """All that is kept, in the order of names."""
        for path in sorted((self.folder / "rows").glob("*.json")):
            body = self.read(path.stem)
            if body is not None:
                yield body

    def tables(self) -> dict[str, pd.DataFrame]:
        """{training, sharpness, line, history: one tidy table of all rows of that kind}, with
        commit and code beside each row.
        """
        rows: dict[str, list[dict]] = {"training": [], "sharpness": [], "line": [], "history": []}
        for body in self.bodies():
            kind = body["unit"].split("-")[0]
            origin = {
                key: body["provenance"].get(key)
                for key in ("commit", "code", "machine", "torch", "edition", "scale_of")
            }
            rows["line" if kind == "curve" else kind] += [{**row, **origin} for row in body["rows"]]
            rows["history"] += body["history"]
        return {kind: pd.DataFrame(found) for kind, found in rows.items()}


def _digest(body: dict) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
