"""One run for everything: the package's tests and doctests, and every cell of every chapter.

Chapters are executed live from an empty run store. With `-n 2` (pytest-xdist) each chapter stays on one worker and
the one that gathers the others' claims starts when they are done.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

import nbval.kernel
import pytest

from tools import execute, files, isolation

ROOT = Path(__file__).resolve().parent

# Each kernel runs this first. nbval executes cells without history, which is where IPython looks for the semicolon
# that silences a cell's last value; so a chapter that is quiet everywhere else would not be quiet here.
STARTUP = """
_shell = get_ipython()
_shell.events.register("pre_run_cell", lambda info: setattr(_shell, "cell_running", info.raw_cell))
_shell.displayhook.quiet = lambda: _shell.displayhook.semicolon_at_end_of_expression(_shell.cell_running)
"""
CHAPTERS_STORE = "COURSE_TEST_STORE"  # `python -m tools test` names a fresh folder there
PATIENCE = (
    15 * 60
)  # seconds the gathering chapter waits for the others before it goes on without them
MINUTES = "COURSE_TEST_MINUTES"  # where a clock ends the run: later tests are skipped, and counted
BEGAN = "COURSE_TEST_BEGAN"
OUT_OF_TIME = f"the time of this run ({MINUTES}) is over"
RESERVE = 0.75  # a rehearsal that takes minutes needs the last quarter of that time
# In a run that the clock may cut short, what every number rests on comes first; what rehearses whole commands, pages
# and classes comes last.
ORDER = (
    re.compile(
        r"test_(book|guide|exercises|scorecards|house|objective|training|sharpness|subspace|written_out|stacked"
        r"|curvature|landscape|reproduce|check)\b"
    ),
    re.compile(
        r"test_(?!teach|tools|colab|installing|publishing|readme|site|slides|vendor|workflows|archive)"
    ),
)


def pytest_addoption(parser):
    parser.addoption(
        "--keep-store",
        action="store_true",
        help="use the run store of this machine instead of an empty one (quick, for authors)",
    )


def pytest_configure(config):
    """Give kernels and workers their environment, and this run its own folder."""
    start = nbval.kernel.start_new_kernel
    nbval.kernel.start_new_kernel = lambda *args, **options: execute.once_more(
        lambda: start(*args, **{"env": chapters_environment(), **options})
    )
    if hasattr(config, "workerinput"):
        return
    config.run_folder = Path(tempfile.mkdtemp(prefix="test-run-"))
    isolation.isolate(
        config.run_folder, ROOT
    )  # no settings of this user change a chapter or a test
    if os.environ.get("LABSUPPORT_TEST_RUN"):  # tests that a test runs: not with its store
        os.environ.pop(CHAPTERS_STORE, None)
    os.environ["LABSUPPORT_TEST_RUN"] = str(config.run_folder)
    if not re.fullmatch(r"(\d+\.?\d*)?", os.environ.get(MINUTES, "")):
        pytest.exit(
            f"{MINUTES} is {os.environ[MINUTES]!r}; a number of minutes is needed, or leave it out.",
            2,
        )
    os.environ[BEGAN] = str(time.time())
    if config.getoption("--keep-store"):
        os.environ.pop(CHAPTERS_STORE, None)
    else:
        os.environ["LABSUPPORT_STORE"] = str(config.run_folder / "store")
        given = Path(os.environ.setdefault(CHAPTERS_STORE, os.environ["LABSUPPORT_STORE"]))
        if left := [path.name for path in given.glob("*") if path.name != files.MARK]:
            pytest.exit(
                f"The tests start from an empty store, and {given} holds {left[0]}.", returncode=2
            )
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "semicolon.py").write_text(STARTUP)
    (profile / "ipython_kernel_config.py").write_text(
        "get_config().IPKernelApp.log_level = 'ERROR'\n"
    )
    os.environ["LABSUPPORT_SCALE"] = "laptop"  # what the committed outputs were made at
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is no output
    os.environ["OMP_NUM_THREADS"] = "1"  # two chapters at a time, one core each
    os.environ["LABSUPPORT_WORKERS"] = "1"


def chapters_environment() -> dict[str, str]:
    """What a chapter's kernel gets: ours, with the store that `make book` may read afterwards.

    Unit tests have another one, since they store what they have spoiled.
    """
    store = os.environ.get(CHAPTERS_STORE) or os.environ.get("LABSUPPORT_STORE")
    return {**os.environ, **({"LABSUPPORT_STORE": store} if store else {})}


def pytest_unconfigure(config):
    if folder := getattr(config, "run_folder", None):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The smallest scale, one process, and one run store for all tests that ask for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABSUPPORT_SCALE", "smoke")
        patch.setenv("LABSUPPORT_WORKERS", "1")
        patch.setenv("LABSUPPORT_STORE", str(tmp_path_factory.getbasetemp() / "smoke-store"))
        yield


@pytest.fixture
def set_threads():
    """`torch.set_num_threads`, put back after the test."""
    import torch

    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def chapter_of(nodeid: str) -> str:
    """The chapter a test belongs to, `09-what-still-stands`; empty if it is no cell of one."""
    path = Path(nodeid.split("::")[0])
    return path.stem if path.suffix == ".ipynb" and path.parent.name == "book" else ""


def gathers(chapter: str) -> bool:
    """Whether the chapter gathers the others' claims."""
    return chapter.startswith("09-")


def pytest_collection_modifyitems(items):
    """Chapters first, since they take longest, the one that gathers claims last of them; then by `ORDER`, rehearsals of
    many minutes at the very end.
    """

    def place(item):
        chapter, file = chapter_of(item.nodeid), item.nodeid.split("::")[0]
        slow = item.get_closest_marker("slow") is not None
        rank = next((k for k, names in enumerate(ORDER) if names.search(file)), len(ORDER))
        return not chapter, gathers(chapter), chapter, slow, rank

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Whole files to one worker; the gathering chapter not before the others are through, if there is other work."""
    from xdist.scheduler import LoadFileScheduling

    class ChapterScheduling(LoadFileScheduling):
        def _assign_work_unit(self, node):
            head = next(iter(self.workqueue))
            if gathers(chapter_of(head)) and len(self.workqueue) > 1:
                running = (
                    scope
                    for units in self.assigned_work.values()
                    for scope, unit in units.items()
                    if chapter_of(scope) and not all(unit.values())
                )
                if any(running):
                    self.workqueue.move_to_end(head)
                    super()._assign_work_unit(node)
                    self.workqueue.move_to_end(head, last=False)
                    return
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False
    return ChapterScheduling(config, log)


def marker(chapter: str) -> Path:
    """The file that says a chapter's last cell was run, by whichever worker."""
    return Path(os.environ["LABSUPPORT_TEST_RUN"]) / f"{chapter}.done"


def out_of_time(item) -> bool:
    """Whether the clock of this run is past the last start of this test; never without `MINUTES`."""
    minutes = float(os.environ.get(MINUTES) or "inf")
    spent = (time.time() - float(os.environ[BEGAN])) / 60
    return spent > minutes * (RESERVE if item.get_closest_marker("slow") else 1)


def pytest_terminal_summary(terminalreporter):
    """Which files the clock cut short, if any: nobody should take them for tested."""
    late = Counter(
        report.nodeid.split("::")[0]
        for report in terminalreporter.stats.get("skipped", [])
        if OUT_OF_TIME in str(report.longrepr)
    )
    if late:
        terminalreporter.section("out of time")
        for file, count in late.items():
            terminalreporter.line(f"{file}: {count} not run")
        terminalreporter.line(
            f"Not run: {late.total()} tests. `make test` without {MINUTES} runs them all."
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    chapter = chapter_of(item.nodeid)
    if not chapter and out_of_time(item):
        pytest.skip(OUT_OF_TIME)
    if not gathers(chapter) or item.name != "Cell 0":
        return
    others = {chapter_of(other.nodeid) for other in item.session.items} - {"", chapter}
    deadline = time.monotonic() + PATIENCE
    while not all(marker(other).exists() for other in others) and time.monotonic() < deadline:
        time.sleep(0.2)


def pytest_runtest_teardown(item, nextitem):
    chapter = chapter_of(item.nodeid)
    if chapter and (nextitem is None or chapter_of(nextitem.nodeid) != chapter):
        marker(chapter).touch()
