"""What a report of a surprise needs: versions, machine, folders. ``labsupport doctor`` prints it.

Nothing in it names the reader: the home folder is written ``~``.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path

from labsupport.settings import environment

LIBRARIES = [
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "IPython",
    "ipykernel",
    "mnist1d",
]
#: What is set in the environment and changes what the package does, or how fast.
SETTINGS = [
    "LABSUPPORT_SCALE",
    "LABSUPPORT_WORKERS",
    "LABSUPPORT_COMMIT",
    "LABSUPPORT_MEASURE",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
]


def report() -> str:
    """A dozen lines about this machine and what is installed, ready to be pasted."""
    from labsupport import __version__, cache, data, device

    lines = {
        "labsupport": __version__,
        "runs on": device.describe(),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": f"{processor()}, {os.cpu_count()} cores, {memory()} of memory",
        "libraries": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "set here": ", ".join(
            f"{name}={value}" for name, value in environment.said(SETTINGS).items()
        )
        or "nothing",
        "front end": front_end(),
        "results": state(cache.folder()),
        "data": state(data.folder()),
    }
    return "\n".join(f"{name + ':':<12} {value}" for name, value in lines.items())


def version(name: str) -> str:
    """The installed version of a library, or that it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown"
    names = [
        line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or "unknown"


def memory() -> str:
    """The machine's memory, in gigabytes, where the system says it."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"
    except (AttributeError, ValueError, OSError):
        return "unknown size"


def front_end() -> str:
    """Where the code runs: Colab, a notebook, or a terminal."""
    if "google.colab" in sys.modules:
        return "Colab"
    return "a notebook" if "ipykernel" in sys.modules else "a terminal"


def state(folder: Path) -> str:
    """A folder with the reader's home as ``~``, and whether it can be used."""
    home = os.path.expanduser("~")
    path = Path(folder)
    name = str(path)
    if home not in ("", "/", "~") and name.startswith(home):
        name = f"~{name[len(home) :]}"
    near = next((place for place in [path, *path.parents] if place.exists()), Path("."))
    free = shutil.disk_usage(near).free / 2**30
    can = "can be written" if os.access(near, os.W_OK) else "cannot be written"
    there = "there" if path.exists() else "not made yet"
    return f"{name} ({there}, {can}, {free:.0f} GB free)"
