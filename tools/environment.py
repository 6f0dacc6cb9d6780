"""Find or make the Python environment that the Makefile works in.

    python3 tools/environment.py --active          prints the Python of an active and complete environment
    python3 tools/environment.py --create .venv    makes one there and installs requirements.txt

Uses the standard library alone: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 10)


def active() -> bool:
    """Whether this Python belongs to a virtual or conda environment."""
    return sys.prefix != sys.base_prefix or bool(os.environ.get("CONDA_PREFIX"))


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: '1.0.4.post1' is (1, 0, 4)."""
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", version).group().split("."))


def wanted() -> list[str]:
    """The requirements of the book, its tests and the package, as they stand in their files."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^dependencies = \[(.*?)^\]", project, re.S | re.M).group(1)
    lines += re.findall(r'"([^"]+)"', block)
    return [line.strip() for line in lines if re.match(r"\s*[A-Za-z]", line)]


def missing(requirements: list[str]) -> list[str]:
    """Those of ``requirements`` that this Python does not satisfy."""
    absent = []
    for requirement in requirements:
        name, bounds = re.match(r"([\w.-]+)\s*(.*)", requirement).groups()
        try:
            have = numbers(metadata.version(name))
        except metadata.PackageNotFoundError:
            absent.append(requirement)
            continue
        for sign, bound in re.findall(r"(>=|<)\s*([\d.]+)", bounds):
            if (have >= numbers(bound)) != (sign == ">="):
                absent.append(requirement)
                break
    return absent


def report_active() -> int:
    """Print this Python's path if its environment has everything; say on stderr what it lacks."""
    if not active():
        return 0
    lacks = missing(wanted())
    if not lacks and sys.version_info >= OLDEST:
        print(sys.executable)
    elif Path(sys.prefix) != ROOT / ".venv":
        print(f"The active environment lacks {', '.join(lacks) or 'a recent Python'}: using .venv.", file=sys.stderr)
    return 0


def create(folder: Path) -> int:
    """Make the environment at ``folder`` if need be, install everything, and stamp it complete."""
    if sys.version_info < OLDEST:
        print(
            f"This book needs Python 3.10 or newer, and python3 is {sys.version.split()[0]}.\n"
            "Name another one: make PYTHON3=python3.12 book",
            file=sys.stderr,
        )
        return 1
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"Making the virtual environment {folder} ...", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", str(folder)]).returncode:
            print("Python made no virtual environment. On Debian: apt-get install python3-venv", file=sys.stderr)
            return 1
    print("Installing the requirements. The first time this fetches several GB, most of it torch ...", flush=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    if subprocess.run(install, cwd=ROOT).returncode:
        print("The installation failed, see above. Run the same command again to go on.", file=sys.stderr)
        return 1
    (folder / ".complete").touch()
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--active", action="store_true")
    choice.add_argument("--create", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    sys.exit(report_active() if given.active else create(given.create.resolve()))
