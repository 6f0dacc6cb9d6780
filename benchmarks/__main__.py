"""Measure, print one table, and write it with its provenance: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from benchmarks import alone, growth, limits, page, table
from labsupport import device, files, provenance
from labsupport.errors import UnknownName

#: Rows that are measured already; an interrupted benchmark of one commit goes on behind them.
FINISHED = Path(__file__).resolve().parent.parent / "_build" / "bench"

HEADER = f"{'what':<46} {'against':<24} {'ratio':>6} {'range':>13} {'wanted':>7} {'of peak':>8}"


def main(
    pairs: Annotated[
        int, typer.Option(help="pairs of runs per row at least; 5 for a figure to print")
    ] = 5,
    rows: Annotated[
        str,
        typer.Option(
            help="rows whose name or peer contains this, or one of these with / between; "
            "nothing is written then without --renew"
        ),
    ] = "",
    renew: Annotated[
        bool, typer.Option(help="with --rows: these rows replace those of the committed table")
    ] = False,
    cores: Annotated[
        int, typer.Option(help="hold everything to so many cores; 0: all of them")
    ] = 0,
    seconds: Annotated[
        float, typer.Option(help="short rows get more pairs until so many seconds have passed")
    ] = 30.0,
    write: Annotated[
        bool, typer.Option(help="commit the tables to labsupport/results, and fill book/speed.md")
    ] = True,
    again: Annotated[
        bool, typer.Option(help="measure rows again that this commit has measured already")
    ] = False,
) -> None:
    """Compare the package with the programs a user would otherwise write, and measure how its cost grows.

    A row that fails is said and left out, the others are measured and written, and the command ends with 1.
    """
    where = device.pick()
    kind, peaks, found, failed = where.type, {}, [], {}
    print(f"{device.describe()}\n\n{HEADER}")
    finished = {} if again or cores else _finished(kind, pairs)
    for row in table.rows(kind):
        name = f"{row.what}, {row.baseline}"
        if (
            not any(one in name.lower() for one in rows.lower().split("/"))
            or kind not in row.wanted
        ):
            continue
        if row.missing:
            print(f"{row.what:<46} {row.baseline:<24} left out: {row.missing}")
            continue
        if name not in finished:
            try:
                one = alone.measured(
                    row, pairs, seconds, cores, lambda precision: _peak(peaks, where, precision)
                )
            except (AssertionError, RuntimeError) as error:
                failed[name] = str(error)
                print(f"{row.what:<46} {row.baseline:<24} FAILED: {error}", flush=True)
                continue
            finished[name] = {
                "what": row.what,
                "against": row.baseline,
                "wanted": row.wanted[kind],
                "commit": provenance.commit(),
                **one,
            }
            if not cores:
                _keep(kind, finished)
        one = finished[name]
        found.append(one)
        share = "" if math.isnan(one["share"]) else f"{one['share']:.0%}"
        print(
            f"{row.what:<46} {row.baseline:<24} {one['ratio']:>6.2f} {one['low']:>6.2f}-{one['high']:<6.2f} "
            f"{row.wanted[kind]:>7g} {share:>8} {one['said']}",
            flush=True,
        )
    if write and not rows and not cores:
        about = provenance.here(
            left_out=failed,
            peak_gflops={
                str(p).removeprefix("torch."): round(rate / 1e9) for p, rate in peaks.items()
            },
        )
        provenance.write(f"speed-{kind}", pd.DataFrame(found), about)
        beside = {"growth": growth.table}
        if kind == "cpu":
            beside |= {name: measure for name, (measure, *_) in page.BESIDE.items()}
        for name, measure in beside.items():
            provenance.write(f"{name}-{kind}", measure(), provenance.here())
        written = ", ".join(f"{name}-{kind}.json" for name in ("speed", *beside))
        print(f"\nWritten: {written} in labsupport/results, and {page.write().name}.")
    elif renew and found and not cores:
        provenance.write(f"speed-{kind}", *_renewed(kind, pd.DataFrame(found)))
        print(f"\nRenewed in speed-{kind}.json and {page.write().name}: {len(found)} rows.")
    if failed:
        print(f"Left out, since they failed: {'; '.join(failed)}.")
        raise typer.Exit(1)


def _renewed(kind: str, found: pd.DataFrame) -> tuple[pd.DataFrame, dict]:
    """The committed table with these rows in the place of theirs, in the order of `table.rows`, and its provenance;
    where no table is committed yet, these rows alone.
    """
    try:
        known, about = provenance.read(f"speed-{kind}")
    except UnknownName:
        return found, provenance.here()
    name = ["what", "against"]
    rows = pd.concat([known, found]).drop_duplicates(name, keep="last").set_index(name)
    order = [(row.what, row.baseline) for row in table.rows(kind)]
    now = {f"{what}, {against}" for what, against in rows.index}
    left = {one: why for one, why in about.get("left_out", {}).items() if one not in now}
    kept = rows.loc[[one for one in order if one in rows.index]].reset_index()
    return kept, about | {"left_out": left}


def _finished(kind: str, pairs: int) -> dict[str, dict]:
    """The rows that this commit has measured by at least so many pairs, by name."""
    path = _path(kind)
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {name: row for name, row in known.items() if row["pairs"] >= pairs}


def _keep(kind: str, finished: dict[str, dict]) -> None:
    files.write(_path(kind), json.dumps(finished))


def _path(kind: str) -> Path:
    return FINISHED / f"{kind}-{provenance.commit()}.json"


def _peak(peaks: dict, where, precision) -> float:
    """This machine's rate in this number format, now: it changes with what else the machine does."""
    now = limits.peak(where, precision)
    peaks[precision] = max(now, peaks.get(precision, 0.0))
    return now


if __name__ == "__main__":
    typer.run(main)
