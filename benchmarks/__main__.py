"""Measure, print one table, and write it with its provenance: ``make bench``, or ``python -m benchmarks --help``."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from benchmarks.table import rows
from labsupport import device, provenance


def main(pairs: Annotated[int, typer.Option(help="pairs of runs per row; 5 for a figure to print")] = 5,
         only: Annotated[str, typer.Option(help="rows whose name contains this")] = "",
         write: Annotated[bool, typer.Option(help="commit the table to labsupport/results")] = True) -> None:
    """Compare the package with the loops a user would otherwise write."""
    kind = device.pick().type
    found = []
    print(f"{device.describe()}\n\n{'what':<40} {'against':<26} {'ratio':>7} {'range':>15} {'wanted':>7}")
    for row in rows(kind):
        if only.lower() not in row.what.lower() or kind not in row.wanted:
            continue
        ratio = row.measure(pairs)
        wanted = row.wanted[kind]
        found.append({"what": row.what, "against": row.baseline, "ratio": ratio.median, "low": ratio.low, "high": ratio.high,
                      "wanted": wanted, "seconds_baseline": ratio.seconds[0], "seconds_ours": ratio.seconds[1]})
        print(f"{row.what:<40} {row.baseline:<26} {ratio.median:>7.2f} {ratio.low:>7.2f}-{ratio.high:<7.2f} {wanted:>7g}", flush=True)
    if write and found and not only:
        path = provenance.write(f"speed-{kind}", pd.DataFrame(found), provenance.here(pairs=pairs))
        print(f"\nWritten to {path.name}.")


if __name__ == "__main__":
    typer.run(main)
