"""Find or make the Python environment that the commands work in.

    python3 tools/environment.py --python book    prints the Python to use, and makes .venv if there is none
    python3 tools/environment.py --missing dev    prints what this Python lacks

An environment that is active and has everything is used as it is; else .venv in the clone. Uses the standard library
alone: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 10)
#: where torch's makers keep it, a version `+cpu` of each
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
#: {tier: the extras of pyproject.toml that it installs}. A reader needs the book; the tests need everything.
TIERS = {"book": ("book",), "dev": ("book", "dev", "teach")}


def active() -> bool:
    """Whether this Python belongs to a virtual or conda environment."""
    return sys.prefix != sys.base_prefix or bool(os.environ.get("CONDA_PREFIX"))


def python_of(venv: Path) -> Path:
    """The Python in a virtual environment."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def torch_source() -> list[str]:
    """pip's options for the torch that was asked for: ``TORCH=cpu`` is the one without libraries for GPUs.

    Raises SystemExit for another word.
    """
    asked = (os.environ.get("COURSE_TORCH") or os.environ.get("TORCH", "")).strip().lower()
    if asked == "cpu":
        return ["--extra-index-url", CPU_INDEX]
    if asked not in ("", "gpu"):
        sys.exit(
            f"TORCH is {asked!r}. Possible: cpu, for a torch without libraries for GPUs; or nothing."
        )
    if not asked and sys.platform == "linux" and not shutil.which("nvidia-smi"):
        print(
            "This machine shows no NVIDIA GPU. With TORCH=cpu, as in `make TORCH=cpu book`, torch comes without "
            "several gigabytes of libraries for one.",
            file=sys.stderr,
            flush=True,
        )
    return []


def numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version.

    >>> numbers("1.0.4.post1")
    (1, 0, 4)
    """
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found.group().split(".")) if found else ()


def wanted(tier: str) -> list[str]:
    """The requirements of a tier as they stand in pyproject.toml, and the package itself."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = ["labsupport"]
    for name in ("dependencies", *TIERS[tier]):
        block = re.search(rf"^{name} = \[(.*?)\]$", text, re.S | re.M)
        lines = re.sub(r"^\s*#.*$", "", block.group(1), flags=re.M) if block else ""
        found += re.findall(r'"([^"]+)"', lines)
    return list(dict.fromkeys(found))


def missing(requirements: list[str]) -> list[str]:
    """Those of ``requirements`` that this Python does not satisfy."""
    from importlib import metadata

    absent = []
    for requirement in requirements:
        found = re.match(r"([\w.-]+)\s*(?:\[.*?\])?\s*([^;]*)", requirement)
        name, bounds = found.groups() if found else (requirement, "")
        try:
            have = numbers(metadata.version(name))
        except metadata.PackageNotFoundError:
            absent.append(requirement)
            continue
        for sign, bound in re.findall(r"(>=|<|!=)\s*([\d.]+)", bounds):
            limit = numbers(bound)
            kept = {">=": have >= limit, "<": have < limit, "!=": have[: len(limit)] != limit}[sign]
            if not kept:
                absent.append(requirement)
                break
    return absent


def lacks(python: Path, tier: str) -> list[str]:
    """What the Python at ``python`` lacks for a tier; everything if it cannot be run."""
    if python == Path(sys.executable):
        return missing(wanted(tier))
    command = [str(python), str(Path(__file__).resolve()), "--missing", tier]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
    try:
        told = subprocess.run(command, capture_output=True, text=True, env=environ)
    except OSError:
        return wanted(tier)
    return wanted(tier) if told.returncode else told.stdout.split("\n")[:-1]


def python(tier: str) -> Path:
    """The Python that the commands of a tier use: an active and complete environment's, else .venv's, made if need be.

    Raises SystemExit with a sentence if there is none and none can be made.
    """
    if sys.version_info < OLDEST:
        sys.exit(
            f"This book needs Python 3.10 or newer, and this one is {sys.version.split()[0]}. "
            "Name another one: make PYTHON3=python3.12 book"
        )
    own = Path(sys.prefix).resolve() == VENV.resolve()
    if active() and not own:
        absent = missing(wanted(tier))
        if not absent:
            return Path(sys.executable)
        print(f"The active environment lacks {', '.join(absent)}: using .venv.", file=sys.stderr)
    there = python_of(VENV)
    if not there.exists() or lacks(there, tier):
        create(VENV, tier)
    return there


def create(folder: Path, tier: str) -> None:
    """Make the environment at ``folder`` if need be and install what a tier needs, with uv where it is there.

    ``CONSTRAINTS`` may name a file of versions to hold to, such as constraints/book.txt.

    Raises SystemExit with a sentence if that fails.
    """
    uv = shutil.which("uv")
    there = python_of(folder)
    if not there.exists():
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "pyvenv.cfg").is_file():
            sys.exit(
                f"{folder} is not empty and is no virtual environment: move it away, and run this again."
            )
        print(f"Making the virtual environment {folder} ...", file=sys.stderr, flush=True)
        make = [uv, "venv", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
        if subprocess.run([*make, str(folder)], stdout=sys.stderr).returncode:
            sys.exit("Python made no virtual environment. On Debian: apt-get install python3-venv")
    said = (
        "Installing the requirements. The first time this fetches several GB, most of it torch ..."
    )
    print(said, file=sys.stderr, flush=True)
    pip = (
        [uv, "pip", "install", "--python", str(there)]
        if uv
        else [str(there), "-m", "pip", "install"]
    )
    limits = os.environ.get("COURSE_CONSTRAINTS") or os.environ.get("CONSTRAINTS", "")
    if limits and not (ROOT / limits).is_file():
        sys.exit(
            f"CONSTRAINTS is {limits!r}, and there is no such file. For example: constraints/book.txt."
        )
    held = [*(["-c", limits] if limits else []), *torch_source()]
    if uv and "--extra-index-url" in held:
        held += ["--index-strategy", "unsafe-best-match"]  # as pip does: the newest of either index
    package = f".[{','.join(TIERS[tier])}]"
    if subprocess.run(
        [*pip, "--quiet", *held, "-e", package], cwd=ROOT, stdout=sys.stderr
    ).returncode:
        sys.exit("The installation failed, see above. Run the same command again to go on.")
    if absent := lacks(there, tier):
        sys.exit(
            f"After the installation {', '.join(absent)} is still missing. Delete {folder} and run this again."
        )


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Find or make the Python environment that the commands work in."
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--python", choices=TIERS, help="print the Python to use, making .venv if need be"
    )
    choice.add_argument("--missing", choices=TIERS, help="print what this Python lacks")
    given = parser.parse_args()
    for line in [python(given.python)] if given.python else missing(wanted(given.missing)):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
