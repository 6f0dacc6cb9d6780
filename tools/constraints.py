"""The versions that the course was tried with, in files that pip reads with ``-c``.

    python -m tools.constraints colab          constraints/colab.txt: what Colab's image holds, as Colab publishes it
    python -m tools.constraints colab --from pip-freeze.txt --python 3.13.15
    python -m tools.constraints book           constraints/book.txt: what this environment holds

`colab.txt` is what the rehearsal of Colab installs. `book.txt` is for a build that must still work in two years:
``make CONSTRAINTS=constraints/book.txt book``. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import urllib.request
from importlib import metadata
from pathlib import Path

from tools import environment

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "constraints"
#: Where Colab's makers publish what its image holds.
SOURCE = "https://raw.githubusercontent.com/googlecolab/backend-info/main/"
#: Of some hundreds of packages on Colab: those that a chapter imports, that show its outputs, or that install it.
ON_COLAB = [
    "filelock",
    "ipykernel",
    "ipython",
    "ipywidgets",
    "joblib",
    "matplotlib",
    "numpy",
    "pandas",
    "pip",
    "platformdirs",
    "pooch",
    "requests",
    "safetensors",
    "scipy",
    "setuptools",
    "torch",
    "torchvision",
    "tqdm",
    "typer",
    "widgetsnbextension",
]
_PINNED = re.compile(r"^([\w.-]+)==([\w.+!]+)$")
_FETCHED = re.compile(r"^([\w.-]+) @ \S+/[\w.]+?-(\d[\w.]*)(?:%2B|\+|-)\S*\.whl$")


def versions(freeze: str, names: list[str]) -> dict[str, str]:
    """{name: version} of ``names`` in what `pip freeze` printed.

    >>> versions("numpy==2.1.3\\ntorch @ https://x.org/torch-2.11.0%2Bcpu-cp313-x.whl", ["numpy", "torch"])
    {'numpy': '2.1.3', 'torch': '2.11.0'}
    """
    lines = [line.strip() for line in freeze.splitlines()]
    found = [hit.groups() for line in lines if (hit := _PINNED.match(line) or _FETCHED.match(line))]
    known = {canonical(name): version for name, version in found}
    return {name: known[name] for name in sorted(names) if name in known}


def canonical(name: str) -> str:
    """A package's name as indexes compare it.

    >>> canonical("Jupyter_Client")
    'jupyter-client'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def bare(requirement: str) -> str:
    """The name in a requirement.

    >>> bare("jupyter-book>=1.0.4,<2")
    'jupyter-book'
    """
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def read(path: Path) -> dict[str, str]:
    """{name: version} of a constraints file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(
        line.split(";")[0].strip().split("==")
        for line in lines
        if "==" in line and not line.startswith("#")
    )


def python_of(path: Path) -> str:
    """The version of Python that a constraints file is for, as its first lines say."""
    return re.findall(
        r"^# .*\bPython (\d+\.\d+(?:\.\d+)?)", path.read_text(encoding="utf-8"), re.M
    )[0]


def get(name: str) -> str:
    with urllib.request.urlopen(SOURCE + name, timeout=60) as answer:
        return answer.read().decode()


def colab(freeze: str, python: str, source: str) -> str:
    """The text of `constraints/colab.txt`."""
    pinned = versions(freeze, ON_COLAB)
    if lacking := sorted(set(ON_COLAB) - set(pinned)):
        raise SystemExit(f"{source} does not say which {', '.join(lacking)} it holds.")
    head = (
        f"# What Colab's image holds: Python {python}. Read from {source}.\n"
        "# Refreshed by: python -m tools.constraints colab\n"
    )
    return head + "".join(f"{name}=={version}\n" for name, version in pinned.items())


def needs(names: list[str]) -> list[str]:
    """The distributions ``names`` and all that they need here, with the extras that one asks of another."""
    seen: set[str] = set()
    left = list(names)
    while left:
        asked = left.pop().replace(" ", "")
        name, extras = canonical(bare(asked)), re.findall(r"\[(.*?)\]", asked)
        key = f"{name}[{''.join(extras)}]"
        if key in seen:
            continue
        try:
            wanted = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # a need of another platform
        seen.add(key)
        chosen = {canonical(extra) for extra in ",".join(extras).split(",")}
        for line in wanted:
            of_extra = re.findall(r"""extra == ['"]([\w.-]+)""", line)
            if not of_extra or chosen & set(map(canonical, of_extra)):
                left.append(line.split(";")[0])
    return sorted({key.split("[")[0] for key in seen})


def book() -> str:
    """The text of `constraints/book.txt`: what this environment holds of the package's and the book's needs."""
    wanted = [bare(line) for line in environment.wanted("book")]
    names = [name for name in needs(wanted) if name != "labsupport"]
    # The libraries that torch brings for one kind of GPU belong to the torch that was chosen.
    kept = [name for name in names if not re.match(r"(nvidia|cuda|triton)", name)]
    here = ".".join(map(str, sys.version_info[:2]))
    lines = [f"{name}=={metadata.version(name).split('+')[0]}\n" for name in kept]
    return (
        f"# What the book was last built with: Python {here}.\n"
        "# Refreshed by: python -m tools.constraints book\n" + "".join(lines)
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("which", choices=["colab", "book"])
    parser.add_argument(
        "--from", dest="freeze", type=Path, help="a file that `pip freeze` wrote on Colab"
    )
    parser.add_argument("--python", help="the version of Python there")
    given = parser.parse_args(argv)
    if given.which == "book":
        text = book()
    elif given.freeze:
        if not given.python:
            parser.error(
                "--from needs --python too: the version of Python where the file was written"
            )
        text = colab(given.freeze.read_text(encoding="utf-8"), given.python, given.freeze.name)
    else:
        python = re.findall(r"^Python (\S+)", get("os-info.txt"), re.M)[0]
        text = colab(get("pip-freeze.txt"), python, f"{SOURCE}pip-freeze.txt")
    path = FOLDER / f"{given.which}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"Wrote {path.relative_to(ROOT)}: {len(read(path))} packages.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
