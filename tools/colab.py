"""A rehearsal of Colab: chapters run from their first cell where only what Colab brings is installed.

    python -m tools.colab                            every notebook of the book, in Colab's own versions, at smoke scale
    python -m tools.colab 02-generalization-gap --python python3.13 --scale laptop
    python -m tools.colab --torch borrowed           torch from this environment instead of several GB more
    python -m tools.colab --record                   the outcome goes into the table of constraints/README.md

The environment is a fresh one with the versions of `constraints/colab.txt`. A chapter's setup cell installs a wheel of
this tree, as on Colab it installs the published one; at the end every package that was there has its old version.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement

from tools import constraints, notebooks, versions
from tools.wheel import wheel

__all__ = ["Colab", "make", "outside", "pip", "row", "run", "wheel"]

ROOT = Path(__file__).resolve().parent.parent
KERNEL = "rehearsal"
TORCH = {"torch", "torchvision"}
#: A Python that looks in no folder but its own: the folder it is started in may hold a package's metadata too, as a
#: clone does after an editable install.
ALONE = ["-I"]
#: What leads from this process to this tree or to its own settings: nothing of it is on Colab.
OURS = {"PYTHONPATH", "IPYTHONDIR"}
PINS = constraints.FOLDER / "colab.txt"
_VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"


@dataclass(frozen=True)
class Colab:
    """An environment like Colab's: its Python, the folder with its kernel, and the versions that it must keep."""

    python: Path
    jupyter: Path
    brought: dict[str, str]

    def versions(self) -> dict[str, str]:
        """{name: version} of everything that is installed there now."""
        told = subprocess.run(
            [self.python, *ALONE, "-c", _VERSIONS],
            check=True,
            capture_output=True,
            text=True,
            env=outside(),
        )
        return {
            constraints.canonical(name): version
            for name, version in json.loads(told.stdout).items()
        }

    def changed(self) -> dict[str, tuple[str, str | None]]:
        """{name: (before, now)} of the packages that Colab brought and that are not as they were."""
        now = self.versions()
        return {
            name: (old, now.get(name)) for name, old in self.brought.items() if now.get(name) != old
        }


def outside(**more: str) -> dict[str, str]:
    """This process's environment without the ways to this tree and its settings."""
    return {key: value for key, value in os.environ.items() if key not in OURS} | more


def pip(python: Path, *words: str) -> None:
    """Run pip in the environment of ``python``."""
    command = [str(python), *ALONE, "-m", "pip", "-q", "--disable-pip-version-check", *words]
    subprocess.run(command, check=True, env=outside())


def make(home: Path, python: str = sys.executable, *, borrow_torch: bool = False) -> Colab:
    """An environment at ``home`` with the versions of Colab's image, for the Python called ``python``.

    borrow_torch : link torch and torchvision of this environment, which must be of the same Python version; what they
        need besides is installed in Colab's version where it pins one that will do
    """
    subprocess.run([python, "-m", "venv", str(home / "env")], check=True, env=outside())
    there = home / "env" / "bin" / "python"
    pinned = constraints.read(PINS)
    wanted = {name: f"{name}=={version}" for name, version in pinned.items()}
    if borrow_torch:
        wanted |= instead(pinned)
        for name in TORCH:
            del wanted[name]
    pip(there, "install", "--no-compile", *wanted.values())  # what is imported is compiled then
    if borrow_torch:
        link(sorted(TORCH), home / "borrowed", there)
    kernel = home / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True)
    argv = [str(there), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"})
    )
    fresh = Colab(there, home / "jupyter", {})
    return Colab(there, home / "jupyter", fresh.versions())


def instead(pinned: dict[str, str]) -> dict[str, str]:
    """{name: requirement} of what this environment's torch needs in another version than ``pinned`` has.

    pip would bring it when a chapter installs the package, and Colab's own torch needs no such thing.
    """
    found = {}
    for line in [line for name in sorted(TORCH) for line in metadata.requires(name) or []]:
        need = Requirement(line)
        name = constraints.canonical(need.name)
        applies = need.marker is None or need.marker.evaluate({"extra": ""})
        if not applies or name in TORCH or name not in pinned:
            continue
        if not need.specifier.contains(pinned[name], prereleases=True):
            found[name] = f"{name}{need.specifier}"
    return found


def link(names: list[str], folder: Path, python: Path) -> None:
    """Make ``names``, and what they need and ``python`` lacks, importable there through links in ``folder``."""
    here = Colab(python, folder, {}).versions()
    folder.mkdir()
    for name in constraints.needs(names):
        if name in here:
            continue
        distribution = metadata.distribution(name)
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(Path(str(distribution.locate_file(top))))
    (site,) = (python.parent.parent / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(f"{folder}\n", encoding="utf-8")


def run(
    chapter: Path,
    colab: Colab,
    package: Path,
    folder: Path,
    scale: str = "smoke",
    store: Path | None = None,
) -> float:
    """Run ``chapter`` in ``folder`` as on a machine of Colab's that was just started; return the seconds it took.

    store : where its results are kept; without one, in ``folder``, so that the chapter finds none

    Raises CellExecutionError if a cell fails, and AssertionError if the chapter did not run on the installed package.
    """
    pip(colab.python, "uninstall", "-y", "labsupport")
    notebook = nbformat.read(chapter, as_version=4)
    setup = notebook.cells[1]
    assert 'PACKAGE = ""' in setup.source, "the first code cell installs the package"
    setup.source = setup.source.replace('PACKAGE = ""', f"PACKAGE = {str(package)!r}")
    notebook.metadata.kernelspec = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    kept = str((store or folder / "store").resolve())
    set_here = {
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_PATH": str(colab.jupyter),
        "LABSUPPORT_SCALE": scale,
        "LABSUPPORT_STORE": kept,
        "TQDM_DISABLE": "1",
    }
    before = dict(os.environ)
    for name in OURS:
        os.environ.pop(name, None)
    os.environ.update(set_here)
    try:
        start = time.perf_counter()
        where = {"metadata": {"path": str(folder)}}
        NotebookClient(notebook, timeout=1800, kernel_name=KERNEL, resources=where).execute()
        seconds = time.perf_counter() - start
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert colab.versions().get("labsupport"), "the chapter ran on the installed package"
    return seconds


def row(colab: Colab, ran: list[tuple[str, float]], failed: list[str], alone: bool) -> dict:
    """What came of a rehearsal, for the table of `constraints/README.md`.

    alone : no notebook had another's results
    """
    asks = "import platform; print(platform.python_version())"
    told = subprocess.run(
        [colab.python, *ALONE, "-c", asks], check=True, capture_output=True, text=True
    )
    how = "each alone" if alone else "with one store"
    result = f"Colab's versions, {how}: {versions.seconds_each(ran) or 'none'}"
    result += f"; FAILED: {', '.join(failed)}" if failed else ""
    known = {"system": platform.system(), "python": told.stdout.strip()}
    return known | {"versions": colab.brought, "result": result}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="names of notebooks; without any, all")
    pinned = constraints.python_of(PINS)
    parser.add_argument(
        "--python", default=sys.executable, help=f"the Python to use; Colab has {pinned}"
    )
    parser.add_argument("--torch", choices=["installed", "borrowed"], default="installed")
    parser.add_argument("--scale", choices=["smoke", "laptop"], default="smoke")
    parser.add_argument(
        "--store",
        type=Path,
        help="keep the results here, for a release, and let chapters share them",
    )
    parser.add_argument(
        "--record", action="store_true", help="put the outcome into constraints/README.md"
    )
    given = parser.parse_args(argv)
    known = {path.stem: path for path in notebooks.every(ROOT / "book")}
    if unknown := sorted(set(given.chapters) - set(known)):
        print(f"No chapter is called {unknown[0]!r}. Known: {', '.join(known)}.", file=sys.stderr)
        return 1
    failed, ran = [], []
    with tempfile.TemporaryDirectory(prefix="colab-") as folder:
        home = Path(folder)
        colab = make(home, given.python, borrow_torch=given.torch == "borrowed")
        package = wheel(home)
        for name in given.chapters or known:
            (home / name).mkdir()
            try:
                seconds = run(known[name], colab, package, home / name, given.scale, given.store)
                ran.append((name, seconds))
                print(f"  {name:<28}{seconds:6.0f} s", flush=True)
            except CellExecutionError as error:
                failed.append(name)
                print(f"  {name:<28}FAILED\n{error}", flush=True)
        changed = colab.changed()
        if given.record:
            versions.record(row(colab, ran, failed, alone=given.store is None))
    for name, (before, now) in changed.items():
        print(f"The install changed {name}: {before} before, {now} now.")
    return int(bool(failed or changed))


if __name__ == "__main__":
    sys.exit(main())
