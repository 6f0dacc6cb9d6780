"""Measure, print one table, and write it with its provenance: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

import math
from typing import Annotated

import pandas as pd
import typer

from benchmarks import growth, limits, page
from benchmarks.table import rows
from labsupport import device, provenance


def main(pairs: Annotated[int, typer.Option(help="pairs of runs per row at least; 5 for a figure to print")] = 5,
         only: Annotated[str, typer.Option(help="rows whose name contains this; nothing is written then")] = "",
         write: Annotated[bool, typer.Option(help="commit the tables to labsupport/results, and fill book/speed.md")] = True
         ) -> None:
    """Compare the package with the programs a user would otherwise write, and measure how its cost grows."""
    where = device.pick()
    kind, peaks, found = where.type, {}, []
    print(f"{device.describe()}\n\n{'what':<34} {'against':<24} {'ratio':>6} {'range':>13} {'wanted':>7} {'of peak':>8}")
    for row in rows(kind):
        if only.lower() not in row.what.lower() or kind not in row.wanted:
            continue
        ratio, arms = row.measure(pairs)
        share = math.nan
        if arms.operations:
            peaks[arms.precision] = limits.peak(where, arms.precision)
            share = arms.operations / ratio.seconds[1] / peaks[arms.precision]
        wanted = row.wanted[kind]
        found.append({"what": row.what, "against": row.baseline, "ratio": ratio.median, "low": ratio.low, "high": ratio.high,
                      "wanted": wanted, "seconds_baseline": ratio.seconds[0], "seconds_ours": ratio.seconds[1],
                      "pairs": ratio.pairs, "share": share, "possible": ratio.median / share})
        print(f"{row.what:<34} {row.baseline:<24} {ratio.median:>6.2f} {ratio.low:>6.2f}-{ratio.high:<6.2f} {wanted:>7g} "
              f"{share:>8.0%}", flush=True)
    if only or not write:
        return
    about = provenance.here(peak_gflops={str(p).removeprefix("torch."): round(rate / 1e9) for p, rate in peaks.items()})
    provenance.write(f"speed-{kind}", pd.DataFrame(found), about)
    provenance.write(f"growth-{kind}", growth.table(), provenance.here())
    print(f"\nWritten: speed-{kind}.json and growth-{kind}.json in labsupport/results, and {page.write().name}.")


if __name__ == "__main__":
    typer.run(main)
