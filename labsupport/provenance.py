"""Results too long for a chapter: measured once, committed in ``labsupport/results`` with where they come from."""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import torch

from labsupport import __version__, files
from labsupport.errors import choose
from labsupport.settings import environment

FOLDER = Path(__file__).resolve().parent / "results"
#: The variable that names what `once` is to measure again, and the scale of what is committed.
MEASURE, COMMITTED_SCALE = "LABSUPPORT_MEASURE", "laptop"


def commit(folder: Path = FOLDER) -> str:
    """The commit of the sources: what ``$LABSUPPORT_COMMIT`` says of a copy that was brought to another machine, else
    git's word where it knows these files, else "unknown".
    """
    if said := environment.commit():
        return said
    try:
        # empty for files that git does not track
        asked = ["git", "log", "-1", "--format=%h", "--", str(folder)]
        found = subprocess.run(
            asked, cwd=folder, capture_output=True, text=True, check=False
        ).stdout.strip()
        asked = ["git", "rev-parse", "--short", "HEAD"]
        head = subprocess.run(
            asked, cwd=folder, capture_output=True, text=True, check=False
        ).stdout.strip()
    except OSError:
        return "unknown"
    return head if found and head else "unknown"


def here(**about) -> dict:
    """Date, commit, kind of machine and versions, and what else is to be known ``about`` the measurement."""
    cores = os.cpu_count()
    machine = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"{cores} CPU core{'s' * (cores != 1)}"
    )
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine,
        "scale": environment.scale(),
        "labsupport": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        **about,
    }


def write(name: str, rows: pd.DataFrame, provenance: dict, folder: Path = FOLDER) -> Path:
    """Write ``name``.json, whole or not at all; a missing number is null, which every reader of JSON takes."""
    return _write(folder / f"{name}.json", rows.round(6), provenance)


def _write(path: Path, rows: pd.DataFrame, provenance: dict) -> Path:
    rows = rows.astype(object)
    content = {
        "provenance": provenance,
        "rows": rows.where(rows.notna(), None).to_dict("records"),
    }
    files.write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path


def read(name: str, folder: Path = FOLDER) -> tuple[pd.DataFrame, dict]:
    """The rows and the provenance of a committed result. Raises UnknownName if there is none of that name."""
    choose("committed result", name, sorted(path.stem for path in folder.glob("*.json")))
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return pd.DataFrame(content["rows"]), content["provenance"]


def once(
    name: str, folder: Path = FOLDER
) -> Callable[[Callable[[], pd.DataFrame]], Callable[[], pd.DataFrame]]:
    """Decorate a measurement that takes minutes: where its result is committed for this scale, it is read.

    The function takes no arguments and returns a table. A chapter shows how it measures, and need not do it again::

        @provenance.once("epsilon-curve")
        def measure_curve():
            return pd.concat(...)

        curve = measure_curve()  # prints where its rows come from

    ``LABSUPPORT_MEASURE=epsilon-curve`` (several names with commas between them, or ``all``) measures it here and, at
    the scale of the committed result, writes it anew; what was never committed is measured so with ``all``.
    """

    def decorate(measure: Callable[[], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
        @functools.wraps(measure)
        def found() -> pd.DataFrame:
            path, repeat = folder / f"{name}.json", f"{MEASURE}={name}"
            known, about = None, {"scale": COMMITTED_SCALE}
            if path.exists():
                known, about = read(name, folder)
            asked, committed_here = _asked(name, folder), about["scale"] == environment.scale()
            if known is not None and committed_here and not asked:
                print(
                    f"{name}: measured {about['date']} on {about['machine']}, commit {about['commit']}; "
                    f"{repeat} repeats it"
                )
                return known
            rows = measure().reset_index(drop=True)
            if asked and committed_here:
                _write(path, rows, about | here(repeat=repeat))
            print(f"{name}: measured here")
            return rows

        return found

    return decorate


def _asked(name: str, folder: Path) -> bool:
    """Whether the environment asks for this measurement. Raises UnknownName for a name that no measurement has."""
    wanted = environment.measured_again()
    for one in wanted - {"all", name}:
        choose(f"measurement for {MEASURE}", one, ["all", *_repeatable(folder)])
    return bool(wanted & {"all", name})


def _repeatable(folder: Path) -> list[str]:
    """The committed results that `once` wrote."""
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")
    }
    return sorted(
        name for name, content in found.items() if "repeat" in content.get("provenance", {})
    )
