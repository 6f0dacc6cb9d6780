"""Run notebooks, two at a time, and say how long each took.

    python -m tools.execute --copy-to _build/src      copies the book there and runs the copy
    python -m tools.execute --in-place book/02-*.ipynb   refreshes committed outputs

A cell that fails ends the command with the notebook, the cell and the traceback. The chapter that gathers the
other chapters' claims runs after all the others. Ctrl-C ends everything at once; notebooks that are through stay.
"""

from __future__ import annotations

import json
import os
import platform
import queue
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools import arguments, files, isolation, kept, notebooks, running
from tools.files import BUILD, ROOT

CELL_SECONDS = 1800  # a laptop chapter takes seconds; this only ends what hangs
GATHERS_CLAIMS = re.compile(r"09-")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
Anything = TypeVar("Anything")


@dataclass(frozen=True)
class Outcome:
    """One notebook's run: its name, the seconds it took, and what went wrong (empty if nothing did).

    ``as_before``: it was not run, since nothing that it reads has changed.
    """

    name: str
    seconds: float
    failure: str = ""
    as_before: bool = False


@dataclass
class Run:
    """What is to be run, what came of it, and whether to go on."""

    paths: list[Path]
    kernel: tuple[str, ...] = ()  # further words to the kernel, such as the format of figures
    known: kept.Kept | None = None  # outputs of runs before, to be used again
    outcomes: list[Outcome] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def failures(self) -> list[str]:
        return [outcome.failure for outcome in self.outcomes if outcome.failure]


def run(
    path: Path,
    workers: int = 0,
    stopped: threading.Event | None = None,
    kernel: Sequence[str] = (),
    known: kept.Kept | None = None,
) -> Outcome:
    """Execute the notebook at ``path`` and write it back with its outputs, unless a cell failed.

    ``workers`` sets how many processes it may train in, ``kernel`` has further words to its kernel. Outputs that are
    ``known`` are used again. Raises OSError if it cannot be written.
    """
    notebook = notebooks.read(path)
    notebook.metadata.pop("widgets", None)  # the state of widgets that an earlier run showed
    gathers = bool(GATHERS_CLAIMS.match(path.name))
    name = known.name(path, notebook, tuple(kernel), gathers) if known else ""
    if known and known.fill(notebook, name):
        notebooks.write(notebook, path)
        return Outcome(path.stem, 0.0, as_before=True)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        # the kernel's own remarks are not the chapter's
        extra_arguments=["--log-level=ERROR", *kernel],
    )
    environ = {**os.environ, **({"LABSUPPORT_WORKERS": str(workers)} if workers else {})}
    start = time.perf_counter()
    try:
        once_more(lambda: client.execute(env=environ), stopped=stopped)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return Outcome(path.stem, time.perf_counter() - start, explain(path, notebook, error))
    seconds = time.perf_counter() - start
    notebooks.normalize(notebook)
    notebooks.write(notebook, path)
    if known:
        known.save(notebook, name)
    return Outcome(path.stem, seconds)


def once_more(
    start: Callable[[], Anything], tries: int = 3, stopped: threading.Event | None = None
) -> Anything:
    """Call ``start``, which starts a kernel; again if the kernel dies before its first word.

    Two kernels that start in the same moment may choose the same port, and one of them finds it taken.
    """
    for left in reversed(range(tries)):
        try:
            return start()
        except (CellExecutionError, CellTimeoutError, DeadKernelError):
            raise  # a cell's doing
        except RuntimeError:
            if not left or (stopped and stopped.is_set()):
                raise
    raise AssertionError("the last try returns or raises")


def explain(path: Path, notebook, error: Exception) -> str:
    """What a reader of the terminal needs: the notebook, the cell's number and source, and the traceback."""
    done = [i for i, cell in enumerate(notebook.cells) if cell.get("execution_count")]
    failed = [
        i for i in done if any(out.output_type == "error" for out in notebook.cells[i].outputs)
    ]
    index = (failed or done or [0])[-1]
    traceback = ANSI.sub("", getattr(error, "traceback", "") or str(error))
    source = "\n".join("    " + line for line in notebook.cells[index].source.splitlines())
    if "No space left on device" in traceback:
        return f"{path.name}, cell {index}: the disk is full. Make room and run the command again."
    return f"A cell failed in {path.name}, cell {index}:\n\n{source}\n\n{traceback}"


def run_all(this: Run, jobs: int = 2, gather: bool = True) -> None:
    """Run the notebooks ``jobs`` at a time, the longest first, and add what came of each.

    To ``gather`` claims, the one that does so runs after the rest, with all cores.
    Raises what a notebook's run raises, after which no other is started.
    """
    last = [path for path in this.paths if gather and GATHERS_CLAIMS.match(path.name)]
    first = longest_first([path for path in this.paths if path not in last])
    _run_batch(this, first, jobs, workers=0)
    _run_batch(this, last, jobs, workers=jobs)
    this.outcomes.sort(key=lambda outcome: outcome.name)


def _run_batch(this: Run, paths: list[Path], jobs: int, workers: int) -> None:
    waiting: queue.SimpleQueue[Path] = queue.SimpleQueue()
    done: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()
    for path in paths:
        waiting.put(path)

    def work() -> None:
        while not this.stopped.is_set():
            try:
                path = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done.put(run(path, workers, this.stopped, this.kernel, this.known))
            except BaseException as error:  # told by the main thread, in its own words
                done.put(error)

    # Threads that only wait for kernels: signals go to the main thread, which ends the kernels.
    for _ in range(min(jobs, len(paths))):
        threading.Thread(target=work, daemon=True).start()
    left = len(paths)
    while left:
        try:
            outcome = done.get(timeout=running.LOOK_SECONDS)
        except queue.Empty:
            continue
        if isinstance(outcome, BaseException):
            this.stopped.set()
            raise outcome
        how = "   FAILED" if outcome.failure else "   as before" * outcome.as_before
        print(f"  {outcome.name:<28}{outcome.seconds:6.0f} s{how}", flush=True)
        this.outcomes.append(outcome)
        left -= 1


def longest_first(paths: list[Path]) -> list[Path]:
    """Ordered by the seconds of the first measurement in book/run-times.json; unknown ones come first."""
    known = ROOT / "book" / "run-times.json"
    seconds = json.loads(known.read_text(encoding="utf-8"))[0]["seconds"] if known.exists() else {}
    return sorted(paths, key=lambda path: -seconds.get(path.stem, [float("inf")])[0])


def measured(jobs: int) -> dict:
    """Where and with what the chapters were run."""
    from labsupport import provenance  # loads torch, which running notebooks does not need

    return provenance.here(processor=processor(), jobs=jobs)


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or platform.machine()


def copy_book(target: Path) -> list[Path]:
    """Copy the book's sources to ``target``, which must be ours or empty; return the notebooks of the copy.

    Notebooks that are none of the book's, such as a second copy of one, are named and left out.
    """
    target = files.fresh(target)
    extra = notebooks.no_chapters(ROOT / "book")
    for path, reason in extra.items():
        print(f"  Left out: {path.name} {reason}.", flush=True)
    left_out = shutil.ignore_patterns(
        ".ipynb_checkpoints", "__pycache__", *(path.name for path in extra)
    )
    shutil.copytree(ROOT / "book", target / "book", ignore=left_out)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, target / name)
    return notebooks.every(target / "book")


def run_these(
    paths: Sequence[Path],
    jobs: int,
    scale: str | None,
    cold: bool = False,
    times: Path | None = None,
    kernel: Sequence[str] = (),
    again: bool = False,
) -> int:
    """Run notebooks where they are, report, and return the exit code. Call it inside `running.stoppable`.

    ``again``: a notebook that ran before gets its outputs of then, where nothing that it reads has changed.
    """
    arguments.whole_path("LABSUPPORT_STORE")
    arguments.whole_path("LABSUPPORT_DATA")
    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is no output
    if scale:
        os.environ["LABSUPPORT_SCALE"] = scale
    if jobs > 1:  # each notebook one process on one thread, so that two do not wait for each other
        os.environ["LABSUPPORT_WORKERS"] = os.environ["OMP_NUM_THREADS"] = "1"
    isolation.isolate(BUILD / "settings", ROOT)

    measures = os.environ.get("LABSUPPORT_MEASURE")  # then chapters are run for what they measure
    known = kept.here() if again and not measures else None
    this = Run([Path(path).resolve() for path in paths], tuple(kernel), known)
    with tempfile.TemporaryDirectory(prefix="run-store-", ignore_cleanup_errors=True) as store:
        if cold:
            os.environ["LABSUPPORT_STORE"] = store
        print(f"Running {len(paths)} notebooks, {jobs} at a time", flush=True)
        start = time.perf_counter()
        try:
            with running.nothing_left():
                run_all(this, jobs, gather=scale != "smoke")
        except running.Stopped:
            ended = len(this.paths) - len(this.outcomes)
            print(
                f"\n{len(this.outcomes)} of {len(this.paths)} notebooks are through and kept; {ended} are not."
            )
            raise
        finally:
            this.stopped.set()
        wall = time.perf_counter() - start
    print(f"  {'all of them':<28}{wall:6.0f} s", flush=True)

    for failure in this.failures:
        print(f"\n{'-' * 79}\n{failure}", file=sys.stderr)
    if this.failures:
        return 1
    if times:
        seconds = {outcome.name: round(outcome.seconds, 1) for outcome in this.outcomes}
        record = {"provenance": measured(jobs), "seconds": seconds, "wall_seconds": round(wall, 1)}
        files.write_whole(times, json.dumps(record, indent=1) + "\n")
    return 0


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--copy-to", type=Path, metavar="FOLDER", help="copy the book there and run the copy"
    )
    where.add_argument(
        "--in-place", nargs="*", metavar="NB", help="run these where they are (default: all)"
    )
    parser.add_argument("--scale", choices=arguments.SCALES, help="sets LABSUPPORT_SCALE")
    parser.add_argument(
        "--jobs", type=arguments.jobs, default=2, help="notebooks at a time (default: 2)"
    )
    parser.add_argument(
        "--cold", action="store_true", help="start from an empty run store, deleted afterwards"
    )
    parser.add_argument(
        "--times", type=Path, metavar="FILE", help="write the seconds with their provenance to FILE"
    )
    given = parser.parse_args(argv)

    paths = copy_book(given.copy_to) if given.copy_to else arguments.notebooks_named(given.in_place)
    return run_these(paths, given.jobs, given.scale, given.cold, given.times)


if __name__ == "__main__":
    arguments.command_line(main)
