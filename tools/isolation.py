"""Kernels without the reader's own settings, so that a chapter prints the same on every machine.

A matplotlibrc, IPython's startup files, a kernel called "python3" that is another Python, warnings switched on: all of
these change outputs, and none is the chapter's. Programs started after `isolate` find folders of ours instead.
A processor changes them, too: with AVX-512 torch sums in another order than with AVX2, and after 10,000 updates one
seed's test accuracy has moved by half a point. So every x86 processor runs chapters with AVX2.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import MutableMapping
from pathlib import Path

#: Variables that change what a cell shows; whole families end in a star.
DROPPED = (
    "IPYTHON*",
    "JUPYTER*",
    "MATPLOTLIBRC",
    "MPL*",
    "PYTEST_ADDOPTS",
    "PYTHONDEVMODE",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONOPTIMIZE",
    "PYTHONSTARTUP",
    "PYTHONVERBOSE",
    "PYTHONWARNINGS",
)
PYTHONPATH = "PYTHONPATH"
#: How torch is told to take the instructions that every x86 processor of today has.
INSTRUCTIONS = {"ATEN_CPU_CAPABILITY": "avx2"}


def isolate(folder: Path, root: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Point ``environ`` at settings of our own in ``folder``, and Python at the package in ``root``."""
    for name in list(environ):
        if any(_fits(name, pattern) for pattern in DROPPED):
            del environ[name]
    places = {
        "IPYTHONDIR": folder / "ipython",
        "JUPYTER_CONFIG_DIR": folder / "jupyter" / "config",
        "JUPYTER_DATA_DIR": folder / "jupyter" / "data",
        "JUPYTER_RUNTIME_DIR": folder / "jupyter" / "runtime",
        "MPLCONFIGDIR": folder / "matplotlib",
    }
    for name, place in places.items():
        place.mkdir(parents=True, exist_ok=True)
        environ[name] = str(place)
    environ["JUPYTER_PREFER_ENV_PATH"] = (
        "0"  # or an environment's own "python3" would come before ours
    )
    _name_kernel(places["JUPYTER_DATA_DIR"])
    if platform.machine() in ("x86_64", "AMD64"):
        environ.update(INSTRUCTIONS)
    before = [
        path
        for path in environ.get(PYTHONPATH, "").split(os.pathsep)
        if path not in ("", str(root))
    ]
    environ[PYTHONPATH] = os.pathsep.join([str(root), *before])


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _name_kernel(data: Path) -> None:
    """Say that the kernel "python3" is the Python that runs this."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    folder = data / "kernels" / "python3"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    if not (folder / "kernel.json").is_file() or (folder / "kernel.json").read_text() != text:
        (folder / "kernel.json").write_text(text)
