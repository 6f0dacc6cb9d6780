"""The reader's machine: a foreign home changes no output, and an odd folder, no git and no home stop nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools import isolation, notebooks, vendor
from tools.files import BUILD, MARK, ROOT

#: What a reader may have set for every Python, notebook and figure on the machine.
STARTUP = """
import numpy, pandas, warnings
pandas.set_option("display.precision", 1, "display.max_rows", 3)
numpy.set_printoptions(precision=1)
warnings.simplefilter("error")
print("Good morning")
"""
SENSITIVE = """\
import warnings
import matplotlib.pyplot as plt, numpy as np, pandas as pd
strict = any(f[0] == "error" and f[2] is Warning for f in warnings.filters)
print(np.array([1 / 3]), pd.Series(np.arange(6) / 7), strict, __debug__)
plt.plot([1, 3, 2]); plt.title("A title"); plt.show()
pd.DataFrame({"seed": range(5), "gap": np.arange(5) / 7})
"""


@pytest.fixture
def foreign(tmp_path) -> dict[str, str]:
    """The environment of somebody with settings for everything."""
    home = tmp_path / "foreign home"
    matplotlibrc = (
        "figure.figsize: 2, 2\nfont.size: 30\nlines.linewidth: 9\naxes.facecolor: black\n"
    )
    kernel = {
        "argv": ["/bin/false", "{connection_file}"],
        "display_name": "mine",
        "language": "python",
    }
    written = {
        ".config/matplotlib/matplotlibrc": matplotlibrc,
        ".ipython/profile_default/startup/00-mine.py": STARTUP,
        ".ipython/profile_default/ipython_config.py": "get_config().InteractiveShell.colors = 'linux'\n",
        ".local/share/jupyter/kernels/python3/kernel.json": json.dumps(kernel),
        ".jupyter/jupyter_client_config.py": "raise SystemExit('mine')\n",
        "startup.py": STARTUP,
    }
    for name, text in written.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return {
        "HOME": str(home),
        "IPYTHONDIR": str(home / ".ipython"),
        "JUPYTER_CONFIG_DIR": str(home / ".jupyter"),
        "JUPYTER_DATA_DIR": str(home / ".local/share/jupyter"),
        "MATPLOTLIBRC": str(home / ".config/matplotlib/matplotlibrc"),
        "MPLBACKEND": "svg",
        "MPLCONFIGDIR": str(home / ".config/matplotlib"),
        "PYTHONOPTIMIZE": "1",
        "PYTHONSTARTUP": str(home / "startup.py"),
        "PYTHONWARNINGS": "error",
    }


def run(path: Path, **environ: str) -> list:
    """The outputs of a notebook that the runner ran in a program of its own."""
    line = [
        sys.executable,
        "-m",
        "tools.execute",
        "--jobs",
        "1",
        "--scale",
        "smoke",
        "--in-place",
        str(path),
    ]
    told = subprocess.run(
        line, cwd=ROOT, env={**os.environ, **environ}, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    return [cell.get("outputs", []) for cell in notebooks.read(path).cells]


def test_the_same_chapter_under_a_foreign_home_prints_and_draws_the_same(foreign, tmp_path):
    whole = notebooks.read(ROOT / "book" / "02-generalization-gap.ipynb")
    whole.cells = whole.cells[:4]  # up to its first figure: nothing is trained
    whole.cells.append(new_code_cell(SENSITIVE))
    store = str(tmp_path / "store")  # shared: this is about what is shown, not about training twice
    outputs = []
    for name, environ in (("ours", {}), ("theirs", foreign)):
        path = tmp_path / name / "02-generalization-gap.ipynb"
        notebooks.write(whole, path)
        outputs.append(run(path, LABSUPPORT_STORE=store, **environ))
    ours, theirs = outputs
    kinds = [kind for cell in ours for output in cell for kind in output.get("data", {})]
    assert theirs == ours and {"image/png", "text/html"} <= set(kinds)
    assert "0.33333333" in ours[-1][0].text and "False True" in ours[-1][0].text


def test_isolation_keeps_what_is_not_about_outputs(tmp_path):
    environ = {
        "PATH": "/bin",
        "PYTHONPATH": "/mine",
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "svg",
        "JUPYTER_PATH": "/j",
    }
    isolation.isolate(tmp_path, ROOT, environ)
    assert environ["PATH"] == "/bin" and environ["PYTHONHASHSEED"] == "0"
    assert environ["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/mine"])
    assert "MPLBACKEND" not in environ and "JUPYTER_PATH" not in environ
    isolation.isolate(tmp_path, ROOT, environ)
    assert environ["PYTHONPATH"] == os.pathsep.join([str(ROOT), "/mine"]), "twice is as once"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="not an x86 processor")
def test_isolated_kernels_take_the_instructions_that_every_x86_processor_has(tmp_path):
    environ = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    isolation.isolate(tmp_path, ROOT, environ)
    asked = [sys.executable, "-c", "import torch; print(torch.backends.cpu.get_cpu_capability())"]
    ran = subprocess.run(asked, env=environ, capture_output=True, text=True)
    assert ran.stdout == "AVX2\n", ran.stderr


# The whole of `make book`, small: one page, one chapter


@pytest.fixture
def unpacked(tmp_path) -> Path:
    """The project as a zip without .git, below a repository that ignores it, in a folder with an odd name."""
    (tmp_path / ".gitignore").write_text("*\n")
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    root = tmp_path / "Meine Bücher [neu] & 'alt' $5" / "large batches"
    ignored = shutil.ignore_patterns("__pycache__", "*.ipynb")
    for name in ("tools", "labsupport", "book"):
        shutil.copytree(ROOT / name, root / name, ignore=ignored)
    for name in ("_config.yml", "Makefile", "pyproject.toml"):
        shutil.copy2(ROOT / name, root)
    for page in (root / "book").glob("*.md"):
        page.unlink()
    (root / "book" / "intro.md").write_text(
        "# A small book\n\n[Chapter 1](01-first.ipynb)\n\n```{bibliography}\n```\n"
    )
    contents = {"format": "jb-book", "root": "book/intro", "chapters": [{"glob": "book/0*"}]}
    (root / "_toc.yml").write_text(yaml.safe_dump(contents))
    title = new_markdown_cell(f"# First\n\n{notebooks.RUN_IT.replace('setup.md', 'intro.md')}")
    cells = [title, new_code_cell(notebooks.setup_cell("import os")), new_code_cell("print(6 * 7)")]
    cells[1].source = cells[1].source.partition("\n\nimport os")[
        0
    ]  # no more than the package itself
    notebooks.write(new_notebook(cells=cells), root / "book" / "01-first.ipynb")
    notebooks.write(new_notebook(cells=cells), root / "book" / "01-first-Copy1.ipynb")
    shutil.copytree(vendor.fill(BUILD / "vendor"), root / "_build" / "vendor")
    return root


def test_a_zip_in_an_odd_folder_without_git_without_home_and_without_network_becomes_a_book(
    unpacked, tmp_path
):
    programs = tmp_path / "bin"  # no git, no npm
    programs.mkdir()
    for name in ("sh", "make", "uname"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    environ = {
        **kept,
        "PATH": str(programs),
        "COURSE_ENVIRONMENT": "1",
        "XDG_CACHE_HOME": "",
        "https_proxy": "http://127.0.0.1:9",
    }
    python = tmp_path / "a python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    line = ["make", f"PYTHON3={python}", "JOBS=1", "SCALE=smoke", "book"]
    if not shutil.which("make"):
        line = [sys.executable, "-m", "tools", "book", "--jobs", "1", "--scale", "smoke"]
    told = subprocess.run(line, cwd=unpacked, env=environ, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Left out: 01-first-Copy1.ipynb is a second copy of 01-first.ipynb." in told.stdout
    html = unpacked / "_build" / "html" / "book"
    assert "42" in (html / "01-first.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in html.glob("*.html")) == ["01-first.html", "intro.html"]
    record = json.loads((unpacked / "_build" / "run-times.json").read_text())
    assert record["provenance"]["commit"] == "unknown"
    assert (unpacked / "_build" / "html" / "offline" / "mathjax").is_dir()
    assert (
        not (unpacked / "_build" / "html" / "complete").exists()
        and (unpacked / "_build" / "src" / MARK).is_file()
    )


def test_scripts_that_cannot_be_had_end_the_command_before_the_first_chapter(unpacked, tmp_path):
    shutil.rmtree(unpacked / "_build")
    environ = {**os.environ, "COURSE_ENVIRONMENT": "1", "XDG_CACHE_HOME": str(tmp_path / "empty")}
    environ |= {"npm_config_registry": "http://127.0.0.1:9", "PYTHONPATH": str(unpacked)}
    line = [sys.executable, "-m", "tools", "book", "--scale", "smoke"]
    told = subprocess.run(line, cwd=unpacked, env=environ, capture_output=True, text=True)
    assert told.returncode == 2 and "Running" not in told.stdout
    assert told.stderr.startswith("The book needs mathjax") and told.stderr.count("\n") == 1


def test_a_store_that_is_no_whole_path_is_refused_before_long_work(tmp_path):
    notebook = new_notebook(cells=[new_code_cell("1")])
    notebooks.write(notebook, tmp_path / "01-first.ipynb")
    line = [sys.executable, "-m", "tools.execute", "--in-place", str(tmp_path / "01-first.ipynb")]
    environ = {**os.environ, "LABSUPPORT_STORE": "runs"}
    told = subprocess.run(line, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert (
        told.returncode == 2
        and told.stderr.startswith("LABSUPPORT_STORE is 'runs'")
        and told.stderr.count("\n") == 1
    )
    assert nbformat.read(tmp_path / "01-first.ipynb", as_version=4) == notebook
