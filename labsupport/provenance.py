"""Results too long for a chapter: measured once, committed in ``labsupport/results`` with where they come from."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import torch

from labsupport import __version__, files
from labsupport.errors import choose
from labsupport.settings import environment

FOLDER = Path(__file__).resolve().parent / "results"


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
    path = folder / f"{name}.json"
    rounded = rows.round(6).astype(object)
    content = {
        "provenance": provenance,
        "rows": rounded.where(rounded.notna(), None).to_dict("records"),
    }
    files.write(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    return path


def read(name: str, folder: Path = FOLDER) -> tuple[pd.DataFrame, dict]:
    """The rows and the provenance of a committed result. Raises UnknownName if there is none of that name."""
    choose("committed result", name, sorted(path.stem for path in folder.glob("*.json")))
    content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return pd.DataFrame(content["rows"]), content["provenance"]
