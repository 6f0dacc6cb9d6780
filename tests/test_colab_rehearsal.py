"""A rehearsal of Colab: every chapter from its first cell, where only what Colab brings is installed.

The environment is a fresh one that sees, of the packages here, those that Colab has and what they need, through links
in a folder of their own: pip takes them for installed and cannot change them. The setup cell's install is pointed at a
build of this tree. At the end every package that was there has its old version.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tools import notebooks
from tools.execute import ROOT

# fmt: off
BROUGHT = ["torch", "torchvision", "numpy", "scipy", "pandas", "matplotlib", "ipywidgets", "ipykernel", "tqdm",
           "joblib", "requests", "pip"]
# fmt: on
KERNEL = "rehearsal"
VERSIONS = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in %r}))"

pytestmark = pytest.mark.slow


def with_needs(names: list[str]) -> set[str]:
    """The distributions called `names` and all that they need here."""
    seen, left = set(), list(names)
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in seen:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # a need of another platform
        seen.add(name)
        left += [re.match(r"[\w.-]+", need).group() for need in needs if "extra ==" not in need]
    return seen


def link(names: set[str], folder: Path) -> None:
    """Make the distributions `names` importable from `folder`."""
    for name in names:
        distribution = metadata.distribution(name)
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__") and not (folder / top).exists():
                (folder / top).symlink_to(distribution.locate_file(top))


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """The package of this tree, built as a wheel."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, tree)
    shutil.copytree(ROOT / "labsupport", tree / "labsupport", ignore=shutil.ignore_patterns("__pycache__"))
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tree),
        str(tree),
    ]
    subprocess.run(command, check=True)
    return next(tree.glob("labsupport-*.whl"))


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """The environment's Python, registered as a kernel, and the versions that it must keep."""
    home = tmp_path_factory.mktemp("colab")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "env")], check=True)
    python = home / "env" / "bin" / "python"
    brought = home / "brought"
    brought.mkdir()
    names = with_needs(BROUGHT)
    link(names, brought)
    (site,) = (home / "env" / "lib").glob("python*/site-packages")
    (site / "brought.pth").write_text(f"{brought}\n")
    kernel = home / "jupyter" / "kernels" / KERNEL
    kernel.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": KERNEL, "language": "python"}))
    return home, python, versions(python, names)


def versions(python: Path, names) -> dict[str, str]:
    """What the environment says of the versions of `names`."""
    told = subprocess.run(
        [python, "-c", VERSIONS % sorted(names)], check=True, capture_output=True, text=True, env=env()
    )
    return json.loads(told.stdout)


def env(**more: str) -> dict[str, str]:
    """This process's environment without the way to this tree."""
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | more


@pytest.mark.parametrize("path", notebooks.chapters(ROOT / "book"), ids=lambda path: path.stem)
def test_a_chapter_runs_as_on_colab(path, colab, package, tmp_path, monkeypatch):
    home, python, before = colab
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name, value in env(JUPYTER_PATH=str(home / "jupyter"), LABSUPPORT_SCALE="smoke", TQDM_DISABLE="1").items():
        monkeypatch.setenv(name, value)
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", "labsupport"], check=True, env=env())
    assert subprocess.run([python, "-c", "import labsupport"], capture_output=True, cwd=tmp_path, env=env()).returncode

    notebook = nbformat.read(path, as_version=4)
    setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert 'PACKAGE = ""' in setup.source, "the first code cell installs the package"
    setup.source = setup.source.replace('PACKAGE = ""', f'PACKAGE = "{package}"')
    notebook.metadata.kernelspec = {"name": KERNEL, "display_name": KERNEL, "language": "python"}
    client = NotebookClient(notebook, timeout=600, kernel_name=KERNEL, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()

    where = [python, "-c", "import labsupport; print(labsupport.__file__)"]
    found = subprocess.run(where, check=True, capture_output=True, text=True, cwd=tmp_path, env=env()).stdout
    assert found.startswith(str(home)), "the chapter ran on the installed package"
    assert versions(python, before) == before, "the install changed what Colab brings"
