"""Measure, print one table, and write it with its provenance: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

import math
from typing import Annotated

import pandas as pd
import typer

from benchmarks import alone, growth, limits, page, table
from labsupport import device, provenance

HEADER = f"{'what':<46} {'against':<24} {'ratio':>6} {'range':>13} {'wanted':>7} {'of peak':>8}"


def main(
    pairs: Annotated[
        int, typer.Option(help="pairs of runs per row at least; 5 for a figure to print")
    ] = 5,
    rows: Annotated[
        str, typer.Option(help="rows whose name or peer contains this; nothing is written then")
    ] = "",
    cores: Annotated[
        int, typer.Option(help="hold everything to so many cores; 0: all of them")
    ] = 0,
    seconds: Annotated[
        float, typer.Option(help="short rows get more pairs until so many seconds have passed")
    ] = 30.0,
    write: Annotated[
        bool, typer.Option(help="commit the tables to labsupport/results, and fill book/speed.md")
    ] = True,
) -> None:
    """Compare the package with the programs a user would otherwise write, and measure how its cost grows."""
    where = device.pick()
    kind, peaks, found = where.type, {}, []
    print(f"{device.describe()}\n\n{HEADER}")
    for row in table.rows(kind):
        if rows.lower() not in f"{row.what}, {row.baseline}".lower() or kind not in row.wanted:
            continue
        if row.missing:
            print(f"{row.what:<46} {row.baseline:<24} left out: {row.missing}")
            continue
        one = alone.measured(
            row, pairs, seconds, cores, lambda precision: _peak(peaks, where, precision)
        )
        found.append({"what": row.what, "against": row.baseline, "wanted": row.wanted[kind], **one})
        share = "" if math.isnan(one["share"]) else f"{one['share']:.0%}"
        print(
            f"{row.what:<46} {row.baseline:<24} {one['ratio']:>6.2f} {one['low']:>6.2f}-{one['high']:<6.2f} "
            f"{row.wanted[kind]:>7g} {share:>8} {one['said']}",
            flush=True,
        )
    if rows or not write:
        return
    about = provenance.here(
        peak_gflops={str(p).removeprefix("torch."): round(rate / 1e9) for p, rate in peaks.items()}
    )
    provenance.write(f"speed-{kind}", pd.DataFrame(found), about)
    provenance.write(f"growth-{kind}", growth.table(), provenance.here())
    print(
        f"\nWritten: speed-{kind}.json and growth-{kind}.json in labsupport/results, and {page.write().name}."
    )


def _peak(peaks: dict, where, precision) -> float:
    """This machine's rate, measured once a run for each number format."""
    if precision not in peaks:
        peaks[precision] = limits.peak(where, precision)
    return peaks[precision]


if __name__ == "__main__":
    typer.run(main)
