"""Run notebooks, two at a time, and say how long each took.

    python -m tools.execute --copy-to _build/src      copies the book there and runs the copy
    python -m tools.execute --in-place book/02-*.ipynb   refreshes committed outputs

A cell that fails ends the command with the notebook, the cell and the traceback. The chapter that gathers the
other chapters' claims runs after all the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
CELL_SECONDS = 1800  # a laptop chapter takes seconds; this only ends what hangs
GATHERS_CLAIMS = re.compile(r"09-")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Outcome:
    """One notebook's run: its name, the seconds it took, and what went wrong (empty if nothing did)."""

    name: str
    seconds: float
    failure: str = ""


def run(path: Path, workers: int = 0) -> Outcome:
    """Execute the notebook at ``path`` and write it back with its outputs, unless a cell failed; ``workers`` sets how many
    processes it may train in."""
    if workers:
        os.environ["LABSUPPORT_WORKERS"] = str(workers)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("widgets", None)  # the state of widgets that an earlier run showed
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own remarks are not the chapter's
    )
    start = time.perf_counter()
    try:
        once_more(client.execute)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return Outcome(path.stem, time.perf_counter() - start, explain(path, notebook, error))
    seconds = time.perf_counter() - start
    notebooks.normalize(notebook)
    notebooks.write(notebook, path)
    return Outcome(path.stem, seconds)


def once_more(start, tries: int = 3):
    """Call ``start``, which starts a kernel; again if the kernel dies before its first word.

    Two kernels that start in the same moment may choose the same port, and one of them finds it taken.
    """
    for left in reversed(range(tries)):
        try:
            return start()
        except (CellExecutionError, CellTimeoutError, DeadKernelError):
            raise  # a cell's doing
        except RuntimeError:
            if not left:
                raise


def explain(path: Path, notebook, error: Exception) -> str:
    """What a reader of the terminal needs: the notebook, the cell's number and source, and the traceback."""
    done = [i for i, cell in enumerate(notebook.cells) if cell.get("execution_count")]
    failed = [i for i in done if any(out.output_type == "error" for out in notebook.cells[i].outputs)]
    index = (failed or done or [0])[-1]
    traceback = ANSI.sub("", getattr(error, "traceback", "") or str(error))
    source = "\n".join("    " + line for line in notebook.cells[index].source.splitlines())
    return f"{path.name}, cell {index}:\n\n{source}\n\n{traceback}"


def run_all(paths: list[Path], jobs: int = 2, gather: bool = True) -> list[Outcome]:
    """Run the notebooks ``jobs`` at a time, the longest first; to ``gather`` claims, the one that does so after the rest, with
    all cores."""
    last = [path for path in paths if gather and GATHERS_CLAIMS.match(path.name)]
    outcomes = []
    with ProcessPoolExecutor(jobs) as pool:
        for batch, workers in ((longest_first([path for path in paths if path not in last]), 0), (last, jobs)):
            for future in as_completed([pool.submit(run, path, workers) for path in batch]):
                outcome = future.result()
                print(f"  {outcome.name:<28}{outcome.seconds:6.0f} s{'   FAILED' * bool(outcome.failure)}", flush=True)
                outcomes.append(outcome)
    return sorted(outcomes, key=lambda outcome: outcome.name)


def longest_first(paths: list[Path]) -> list[Path]:
    """Ordered by the seconds of the first measurement in book/run-times.json, so that no long one is left for the end."""
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
    """Copy the book's sources to ``target``, replacing what is there; return the notebooks of the copy."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(ROOT / "book", target / "book", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, target / name)
    return notebooks.chapters(target / "book")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--copy-to", type=Path, metavar="FOLDER", help="copy the book there and run the copy")
    where.add_argument("--in-place", nargs="*", type=Path, metavar="NB", help="run these where they are (default: all)")
    parser.add_argument("--scale", choices=["smoke", "laptop", "gpu"], help="sets LABSUPPORT_SCALE")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks at a time (default: 2)")
    parser.add_argument("--cold", action="store_true", help="start from an empty run store, deleted afterwards")
    parser.add_argument("--times", type=Path, metavar="FILE", help="write the seconds with their provenance to FILE")
    given = parser.parse_args(argv)

    os.environ["TQDM_DISABLE"] = "1"  # a progress bar is no output
    if given.scale:
        os.environ["LABSUPPORT_SCALE"] = given.scale
    if given.jobs > 1:  # each notebook one process on one thread, so that two do not wait for each other
        os.environ["LABSUPPORT_WORKERS"] = os.environ["OMP_NUM_THREADS"] = "1"

    paths = copy_book(given.copy_to) if given.copy_to else given.in_place or notebooks.chapters(ROOT / "book")
    with tempfile.TemporaryDirectory(prefix="run-store-") as store:
        if given.cold:
            os.environ["LABSUPPORT_STORE"] = store
        print(f"Running {len(paths)} notebooks, {given.jobs} at a time", flush=True)
        start = time.perf_counter()
        outcomes = run_all(paths, given.jobs, gather=given.scale != "smoke")
        wall = time.perf_counter() - start
    print(f"  {'all of them':<28}{wall:6.0f} s", flush=True)

    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    for failure in failures:
        print(f"\n{'-' * 79}\nA cell failed in {failure}", file=sys.stderr)
    if failures:
        return 1
    if given.times:
        seconds = {outcome.name: round(outcome.seconds, 1) for outcome in outcomes}
        record = {"provenance": measured(given.jobs), "seconds": seconds, "wall_seconds": round(wall, 1)}
        given.times.parent.mkdir(parents=True, exist_ok=True)
        given.times.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
