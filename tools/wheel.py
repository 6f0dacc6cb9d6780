"""A wheel of this tree's package. Uses the standard library alone, with uv where it is there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tools.address import ROOT


def wheel(folder: Path) -> Path:
    """Build the wheel in ``folder`` and return its path.

    It is built from a copy of what belongs to it, so that nothing is left in this tree, and nothing that an earlier
    build left comes in. Raises CalledProcessError if it cannot be built.
    """
    tree = folder / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "labsupport", tree / "labsupport", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree)
    pip = [sys.executable, "-I", "-m", "pip", "-q", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    build = [uv, "build", "-q", "--wheel", "-o"] if uv else [*pip, "wheel", "--no-deps", "-w"]
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([*build, str(folder), str(tree)], check=True, env=outside)
    return next(folder.glob("labsupport-*.whl"))
