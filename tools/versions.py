"""Install the package's wheel beside one torch, import every module, run README's example and chapters: what happens?

    python3.13 -m tools.versions --torch 2.11
    python3 -m tools.versions --torch newest --chapters 01-minibatch-sgd --record

Makes a fresh environment for the Python that runs it, and deletes it. Chapters run at smoke scale, README's example
with fewer epochs and seeds; `labsupport doctor` must answer too. ``--record`` puts the row into the table of
`constraints/README.md`. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.address import ROOT
from tools.wheel import wheel

PAGE = ROOT / "constraints" / "README.md"
START, END = "<!-- tried: written by python -m tools.versions --record -->\n", "<!-- end -->"
SHOWN = ["torch", "numpy", "pandas", "matplotlib", "ipywidgets"]
_IMPORT = """
import importlib, importlib.metadata as m, json, pkgutil, labsupport
assert "site-packages" in labsupport.__file__, labsupport.__file__
names = [i.name for i in pkgutil.walk_packages(labsupport.__path__, "labsupport.") if not i.name.endswith("__main__")]
left_out = []
for name in names:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name.split(".")[0] == "labsupport":
            raise
        left_out.append(f"{name} ({error.name})")
versions = {d.name.lower(): d.version for d in m.distributions()}
print(json.dumps({"modules": len(names) - len(left_out), "left_out": left_out, "versions": versions}))
"""
_RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
NotebookClient(notebook, timeout=1800, kernel_name="python3").execute()
"""
#: README's example as it stands, less its length.
SHORTER = {"epochs=120": "epochs=3", "seeds=5": "seeds=2"}


def example() -> str:
    """README's example with fewer epochs and seeds: a training and its sharpness."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.S)[0]
    for long, short in SHORTER.items():
        assert long in code, f"README's example has no {long} any more"
        code = code.replace(long, short)
    return code


def python_in(folder: Path) -> Path:
    """The Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def outside(**more: str) -> dict[str, str]:
    """This process's environment, without the way to this tree."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more


def tell(command: list, folder: Path, **more: str) -> str:
    """What a command prints. Raises RuntimeError with its last lines if it fails."""
    told = subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=outside(**more),
    )
    if told.returncode:
        last = "\n".join((told.stderr or told.stdout).strip().splitlines()[-12:])
        raise RuntimeError(last)
    return told.stdout


def install(folder: Path, torch: str) -> Path:
    """Install the wheel of this tree and ``torch`` ("newest" or the beginning of a version) in a fresh environment.

    With uv where it is there, which fetches several files at a time.
    """
    python, uv = python_in(folder / "env"), shutil.which("uv")
    here = sys.executable
    make = [uv, "venv", "-q", "--python", here] if uv else [here, "-m", "venv"]
    pip = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    tell([*make, folder / "env"], folder)
    wanted = "torch" if torch == "newest" else f"torch=={torch}.*"
    tell([*pip, "-q", wheel(folder), wanted, "nbclient", "ipykernel"], folder)
    return python


def attempt(torch: str, chapters: list[str]) -> dict:
    """One row: what was installed and imported, which chapters ran; or what failed, in its own words."""
    row: dict = {
        "python": platform.python_version(),
        "system": platform.system(),
        "asked": torch,
        "ran": [],
        "failed": "",
    }
    with tempfile.TemporaryDirectory(prefix="versions-") as name:
        folder = Path(name)
        try:
            python = install(folder, torch)
            row |= json.loads(tell([python, "-c", _IMPORT], folder))
            settings = {
                "LABSUPPORT_SCALE": "smoke",
                "LABSUPPORT_STORE": str(folder / "store"),
                "TQDM_DISABLE": "1",
            }
            start = time.perf_counter()
            tell([python, "-c", example()], folder, **settings)
            row["example"] = round(time.perf_counter() - start)
            tell([python, "-m", "labsupport", "doctor"], folder, **settings)
            for chapter in chapters:
                start = time.perf_counter()
                tell([python, "-c", _RUN, ROOT / "book" / f"{chapter}.ipynb"], folder, **settings)
                row["ran"].append([chapter, round(time.perf_counter() - start)])
        except (RuntimeError, subprocess.CalledProcessError) as error:
            row["failed"] = str(error)
    row["result"] = result(row)
    return row


def result(row: dict) -> str:
    """What came of it, in a few words."""
    if row["failed"]:
        return row["failed"].splitlines()[-1][:90]
    ran = f", chapters {seconds_each(row['ran'])}" if row["ran"] else ""
    return f"{row['modules']} modules, README's example ({row['example']} s){ran}"


def seconds_each(ran: list) -> str:
    """The notebooks and how long each took.

    >>> seconds_each([("01-minibatch-sgd", 61.2), ("your-own-network", 70)])
    '01 (61 s), your-own-network (70 s)'
    """
    short = [(name[:2] if name[:2].isdigit() else name, seconds) for name, seconds in ran]
    return ", ".join(f"{name} ({seconds:.0f} s)" for name, seconds in short)


def line(row: dict) -> str:
    """The row of the table: the system, the Python, versions, the result, today."""
    versions = row.get("versions", {})
    shown = [row["system"], row["python"], *(versions.get(name, "") for name in SHOWN)]
    return f"| {' | '.join(shown)} | {row['result']} | {time.strftime('%Y-%m-%d')} |\n"


def record(row: dict, page: Path = PAGE) -> None:
    """Put the row into the page's table, in the place of an older one of the same system, Python and torch."""
    before, rest = page.read_text(encoding="utf-8").split(START)
    table, after = rest.split(END, 1)
    new = line(row)
    same = "|".join(new.split("|")[:4]) + "|"
    lines = [old for old in table.splitlines(keepends=True) if not old.startswith(same)]
    head, body = lines[:2], sorted([*lines[2:], new])
    page.write_text(before + START + "".join([*head, *body]) + END + after, encoding="utf-8")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch", default="newest", help="`newest`, or the beginning of a version: 2.6"
    )
    parser.add_argument(
        "--chapters", nargs="*", default=["01-minibatch-sgd"], help="chapters to run at smoke scale"
    )
    parser.add_argument(
        "--record", action="store_true", help="put the row into constraints/README.md"
    )
    given = parser.parse_args(argv)
    row = attempt(given.torch, given.chapters)
    print(line(row), end="")
    for left_out in row.get("left_out", []):
        print(f"not imported, its library is an extra: {left_out}")
    if row["failed"]:
        print(row["failed"], file=sys.stderr)
    if given.record:
        record(row)
    return int(bool(row["failed"]))


if __name__ == "__main__":
    sys.exit(main())
