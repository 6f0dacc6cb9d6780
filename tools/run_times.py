"""Measure how long the chapters take, and fill the page of run times from the committed measurements.

    python -m tools.run_times              writes book/run-times.md from book/run-times.json
    python -m tools.run_times --measure    measures this machine first: the whole book, twice, from an empty run store
    python -m tools.run_times --alone      then each chapter alone, where no other has run, as it is opened on Colab

One machine and scale has one entry; measuring again replaces it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from tools import arguments, execute
from tools.files import BUILD, ROOT, Refused, write_whole

COMMITTED = ROOT / "book" / "run-times.json"
PAGE = ROOT / "book" / "run-times.md"
SAME_MACHINE = ("machine", "processor", "scale")

HEAD = """\
# Run times

*How long do I wait?*

Each chapter was run from its first cell to its last, {jobs} chapters at a time as `make book` does. The first run
starts with nothing: it trains every network. The second finds the training runs on disk and only measures and draws.
The seconds of a chapter include starting Python and loading torch. (Where nothing has changed since the last time,
`make book` does not run a chapter at all; that is not counted here.)

This page is written by `make run-times` from measurements that are committed beside it. Nothing here is typed by hand.
"""


def read(path: Path = COMMITTED) -> list[dict]:
    """The committed measurements; none if there are none yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def measure(jobs: int, scale: str) -> dict:
    """Run the book twice from an empty run store and return one measurement."""
    runs = []
    with tempfile.TemporaryDirectory(prefix="run-store-") as store:
        os.environ["LABSUPPORT_STORE"] = store
        for _ in ("first", "second"):
            times = BUILD / "run-times.json"
            if execute.run_these(execute.copy_book(BUILD / "src"), jobs, scale, times=times):
                raise Refused("A chapter failed, see above: nothing was recorded.")
            runs.append(json.loads(times.read_text(encoding="utf-8")))
    first, second = runs
    return {
        "provenance": first["provenance"],
        "seconds": {
            name: [first["seconds"][name], second["seconds"][name]] for name in first["seconds"]
        },
        "wall_seconds": [first["wall_seconds"], second["wall_seconds"]],
    }


def measure_alone(scale: str) -> dict[str, float]:
    """Seconds of each chapter, run by itself from an empty run store of its own."""
    seconds: dict[str, float] = {}
    for path in execute.copy_book(BUILD / "src"):
        times = BUILD / "run-times.json"
        if execute.run_these([path], 1, scale, cold=True, times=times):
            raise Refused("A chapter failed, see above: nothing was recorded.")
        seconds |= json.loads(times.read_text(encoding="utf-8"))["seconds"]
    return seconds


def add_alone(known: list[dict], where: dict, alone: dict[str, float]) -> list[dict]:
    """``known`` with the seconds of chapters opened alone in the entry of the machine ``where``.

    Raises Refused if the whole book was not measured there.
    """
    found = [
        entry for entry in known if all(entry["provenance"][k] == where[k] for k in SAME_MACHINE)
    ]
    if not found:
        raise Refused("The whole book was not measured on this machine yet. Run: make run-times")
    return [entry | {"alone": alone} if entry in found else entry for entry in known]


def merge(known: list[dict], new: dict) -> list[dict]:
    """``known`` with ``new`` in the place of an older measurement of the same machine and scale."""

    def machine(entry):
        return [entry["provenance"][key] for key in SAME_MACHINE]

    return [entry for entry in known if machine(entry) != machine(new)] + [new]


def page(measurements: list[dict]) -> str:
    """The page, in Markdown."""
    if not measurements:
        return HEAD.format(jobs="two") + "\nNo machine has been measured yet.\n"
    jobs = {1: "one", 2: "two"}.get(measurements[0]["provenance"]["jobs"], "several")
    return HEAD.format(jobs=jobs) + "".join(section(entry) for entry in measurements)


def title(name: str) -> str:
    """A chapter's title, as its first line has it; its file's name in words if it is no longer there."""
    path = ROOT / "book" / f"{name}.ipynb"
    if not path.exists():
        return name[3:].replace("-", " ").capitalize()
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    return "".join(first).splitlines()[0].removeprefix("# ")


def section(entry: dict) -> str:
    """One machine's table."""
    p = entry["provenance"]
    where = f"{p['machine']} ({p['processor']})" if "CPU" in p["machine"] else p["machine"]
    alone = entry.get("alone", {})
    rows = []
    for name, (first, second) in sorted(entry["seconds"].items()):
        by_itself = f" {alone[name]:.0f} s |" if name in alone else " |" * bool(alone)
        rows.append(
            f"| [{title(name)}]({name}.ipynb) | {first:.0f} s | {second:.0f} s |{by_itself}"
        )
    first, second = entry["wall_seconds"]
    extra = " opened alone |" if alone else ""
    versions = f"Python {p['python']} and torch {p['torch']}, at commit {p['commit']}"
    said = (
        "\nOpened alone means from an empty run store, as on Colab, where no other chapter has run before.\n"
        if alone
        else ""
    )
    return "\n".join(
        [
            f"\n## {where}, {p['scale']} scale\n",
            f"| chapter | first run | second run |{extra}",
            f"|---|---:|---:|{'---:|' if alone else ''}",
            *rows,
            f"| **the whole book, by the clock** | **{first:.0f} s** | **{second:.0f} s** |{' |' if alone else ''}",
            f"{said}\nMeasured {p['date']} with {versions}.\n",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    parser.add_argument("--measure", action="store_true", help="measure this machine first")
    parser.add_argument("--alone", action="store_true", help="measure each chapter alone too")
    parser.add_argument("--jobs", type=arguments.jobs, default=2)
    parser.add_argument("--scale", choices=["laptop", "gpu"], default="laptop")
    given = parser.parse_args(argv)
    measurements = read()
    if given.measure:
        measurements = merge(measurements, measure(given.jobs, given.scale))
        write_whole(COMMITTED, json.dumps(measurements, indent=1) + "\n")
    if given.alone:
        os.environ["LABSUPPORT_SCALE"] = given.scale
        alone = measure_alone(given.scale)
        measurements = add_alone(measurements, execute.measured(1), alone)
        write_whole(COMMITTED, json.dumps(measurements, indent=1) + "\n")
    write_whole(PAGE, page(measurements))
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
