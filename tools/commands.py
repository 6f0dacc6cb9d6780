"""What each command of the book does, with make or without: ``python -m tools COMMAND``.

Values may be given as options, ``--jobs 1``, or as make passes them on, ``COURSE_JOBS=1`` in the environment: there
they are data, and no shell reads them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import arguments, files, running
from tools.arguments import Parser
from tools.files import BUILD, ROOT, Refused

COMMANDS: dict[str, tuple[Callable[..., int], str, tuple[str, ...]]] = {}
PYTHON = sys.executable


def command(says: str, *takes: str) -> Callable:
    """Enter a function among the commands, with its line in the list and the values that it takes."""

    def enter(function: Callable[..., int]) -> Callable[..., int]:
        COMMANDS[function.__name__.replace("_", "-")] = (function, says, takes)
        return function

    return enter


def one_of(*words: str) -> Callable[[str], str]:
    """A reader of one word out of a few."""

    def read(text: str) -> str:
        if text not in words:
            raise argparse.ArgumentTypeError(f"SCALE is {text!r}; possible are {', '.join(words)}")
        return text

    return read


#: {value: (how it is read, what it is without, what it is)}
VALUES: dict[str, tuple[Callable, str | list, str]] = {
    "jobs": (arguments.jobs, "2", "notebooks at a time"),
    "scale": (one_of(*arguments.SCALES), "laptop", "smoke, laptop or gpu"),
    "port": (arguments.port, "8000", "where the book is served"),
    "nb": (
        lambda text: arguments.notebooks_named([text]),
        [],
        "notebooks: a path, several, or a pattern (default: all chapters)",
    ),
    "base-url": (str, "", "where the pages will be served"),
}


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Hold the folders of one command in this clone. Raises Refused if the command is running here already."""
    from filelock import FileLock, Timeout

    BUILD.mkdir(exist_ok=True)
    lock = FileLock(BUILD / f"{name}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Refused(
            f"`{name}` is running in this folder already: wait until it is through, or end it."
        ) from None
    try:
        yield
    finally:
        lock.release()


@command(
    "run the chapters here (again only what has changed), render the book to _build/html (SCALE=gpu)",
    "jobs",
    "scale",
    "base-url",
)
def book(jobs: int, scale: str, base_url: str) -> int:
    from tools import execute, render, vendor

    with alone("book"):
        vendor.fill(
            BUILD / "vendor"
        )  # first: what needs the network should fail before ten minutes have gone by
        paths = execute.copy_book(BUILD / "src")
        if failed := execute.run_these(
            paths, jobs, scale, again=True, times=BUILD / "run-times.json"
        ):
            return failed
        if failed := render.render(BUILD / "src", ROOT, base=base_url):
            return failed
    print("The book: _build/html/index.html (or: make serve)")
    return 0


@command("the pages alone, from the results that are committed: no chapter is run", "base-url")
def render(base_url: str) -> int:
    from tools import execute, render, vendor

    with alone("book"):
        vendor.fill(BUILD / "vendor")
        execute.copy_book(BUILD / "src")
        if failed := render.render(BUILD / "src", ROOT, base=base_url):
            return failed
    print("The book, with the committed results: _build/html/index.html (or: make serve)")
    return 0


@command("unit tests, doctests and every cell of every chapter, from an empty run store", "jobs")
def test(jobs: int) -> int:
    with alone("test"):
        os.environ["COURSE_TEST_STORE"] = str(files.fresh(BUILD / "test-store"))
        line = [PYTHON, "-m", "pytest", "-n", str(jobs), "--dist", "loadfile"]
        return running.call(line, cwd=ROOT, grace=5)


@command("does every cell run? at the smallest scale, in a minute or so", "jobs")
def smoke(jobs: int) -> int:
    from tools import execute

    with alone("smoke"):
        return execute.run_these(execute.copy_book(BUILD / "smoke"), jobs, "smoke", cold=True)


@command("show _build/html at http://localhost:8000 (PORT=8000)", "port")
def serve(port: int) -> int:
    from tools import serving

    return serving.serve(BUILD / "html", port)


@command(
    "for authors: run in place and refresh the committed outputs (NB=book/02-*.ipynb)",
    "nb",
    "jobs",
    "scale",
)
def outputs(nb: list[Path], jobs: int, scale: str) -> int:
    from tools import execute

    return execute.run_these(nb or arguments.notebooks_named([]), jobs, scale)


@command("for authors: what a chapter still lacks (NB=book/02-*.ipynb)", "nb")
def check(nb: list[Path]) -> int:
    from tools import skeleton

    return skeleton.main([str(path) for path in nb])


@command(
    "for authors: style, format and types of the package, the tools, the tests and the notebooks' code"
)
def lint() -> int:
    checks = {
        "style": [PYTHON, "-m", "ruff", "check", "."],
        "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
        "types": [PYTHON, "-m", "mypy"],
    }
    failed = [name for name, line in checks.items() if running.call(line, cwd=ROOT)]
    print(
        f"To be mended: {', '.join(failed)}." if failed else "Style, format and types are in order."
    )
    return int(bool(failed))


@command("for authors: commit what the chapters claimed on this machine, for the scorecard")
def claims() -> int:
    from tools import claims

    return claims.main()


@command("does every link that leaves the book answer? with Sphinx's linkcheck")
def links() -> int:
    from tools import links

    return links.main()


@command("print the rendered book to _build/book.pdf, with Chromium")
def pdf() -> int:
    from tools import pdf

    return pdf.main()


@command("one deck of slides for each chapter, in _build/slides; no chapter is run", "nb")
def slides(nb: list[Path]) -> int:
    from tools import decks, notebooks

    with alone("slides"):
        return decks.main(nb or notebooks.chapters(ROOT / "book"))


@command(
    "every figure as SVG and PNG in _build/figures: runs the chapters (NB=book/02-*.ipynb)",
    "nb",
    "jobs",
    "scale",
)
def figures(nb: list[Path], jobs: int, scale: str) -> int:
    from tools import figures, notebooks

    with alone("figures"):
        return figures.main(nb or notebooks.chapters(ROOT / "book"), jobs, scale)


@command("measure how fast this machine trains, print one table and fill book/speed.md")
def bench() -> int:
    return running.call([PYTHON, "-m", "benchmarks"], cwd=ROOT)


@command("on a machine with a GPU: its tests, its benchmarks and its run times, to be committed")
def gpu() -> int:
    failed = running.call([PYTHON, "-m", "pytest", "tests/test_gpu.py", "-v", "-rs"], cwd=ROOT)
    return failed or bench() or run_times(1, "gpu")


@command(
    "for authors: measure the whole book, cold and warm, and fill book/run-times.md",
    "jobs",
    "scale",
)
def run_times(jobs: int, scale: str) -> int:
    from tools import run_times

    with alone("book"):
        return run_times.main(["--measure", "--jobs", str(jobs), "--scale", scale])


@command("which repository the built book's buttons and links will lead to")
def address() -> int:
    from tools import address

    return address.main([])


@command("delete the stored results of this machine")
def forget() -> int:
    return running.call([PYTHON, "-m", "labsupport", "store", "--forget"], cwd=ROOT)


@command("delete everything that was built, but not .venv and not the memoised runs")
def clean() -> int:
    from tools import cleaning

    return cleaning.clean()


def listed() -> int:
    """Print the commands."""
    print("make COMMAND, or python -m tools COMMAND:\n")
    lines = {name: says for name, (_, says, _) in COMMANDS.items()}
    for name, says in {
        **lines,
        "environment": "make the environment if need be, and print its Python",
    }.items():
        print(f"  {name:<13} {says}")
    return 0


def read(argv: list[str]) -> Callable[[], int]:
    """What ``argv`` asks for, its values checked, ready to be called. Raises Refused if one of them will not do."""
    if argv[:1] in ([], ["-h"], ["--help"], ["help"]):
        return listed
    name = argv[0]
    if name not in COMMANDS:
        raise Refused(f"No command is called {name!r}. Possible: {', '.join(COMMANDS)}.")
    function, says, takes = COMMANDS[name]
    parser = Parser(prog=f"python -m tools {name}", description=says)
    for value in takes:
        read, default, meaning = VALUES[value]
        passed_on = os.environ.get(f"COURSE_{value.upper().replace('-', '_')}", "").strip()
        parser.add_argument(f"--{value}", type=read, default=passed_on or default, help=meaning)
    given = vars(parser.parse_args(argv[1:]))
    return lambda: function(**given)
