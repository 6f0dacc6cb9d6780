"""The rows that are committed with the book: measured once at the paper's scale, each with where it comes from.

They lie in ``labsupport/results/reproduction``, in the form in which `labsupport reproduce` keeps them, without the
points. ``python -m tools.collect FOLDER`` adds the finished rows of a reproduction to them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labsupport import files, provenance
from labsupport.errors import choose
from labsupport.reproduce import compare, protocol
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import KEPT, OWN_RATE, PLAIN

FOLDER = provenance.FOLDER / "reproduction"
#: What must be known of every row.
KNOWN = ("date", "commit", "code", "machine", "device", "torch", "python", "labsupport", "edition")


def tables(recipe: str = PLAIN) -> dict[str, pd.DataFrame]:
    """{training, sharpness, line, history: one tidy table}, as `Ledger.tables`, with the column ``run``
    (`protocol.label`); empty tables where nothing was run.

    Of trainings by one recipe: as in the paper, unless another is named (`units.OWN_RATE`, `units.KEPT`).
    """
    choose("recipe", recipe, (PLAIN, KEPT, OWN_RATE))
    found = Ledger(FOLDER, writable=False).tables()
    its = {
        name: table[table.recipe == recipe] if len(table) else table
        for name, table in found.items()
    }
    return {
        name: table.assign(
            run=[protocol.label(r.network, r.dataset, r.train_size) for r in table.itertuples()]
        )
        for name, table in its.items()
    }


def comparison(folder: Path = FOLDER) -> dict[str, pd.DataFrame]:
    """The committed rows beside the paper's, as `compare.tables`; empty tables where nothing was run."""
    if not (folder / "rows").is_dir():
        return {name: pd.DataFrame() for name in ("gaps", "ratios", "own_rates")}
    return compare.tables(folder)


def origins() -> pd.DataFrame:
    """Where the committed rows come from: one row per run, commit, machine and data edition.

    Columns: run (`protocol.label`), commit, machine, device, torch, edition, units (pieces of work), hours (their sum).
    """
    by = ["run", "commit", "machine", "device", "torch", "edition"]
    found = [
        {
            **body["provenance"],
            "run": protocol.label(*_run(body)),
            "hours": sum(row.get("seconds", 0.0) for row in body["rows"]) / 3600,
        }
        for body in Ledger(FOLDER, writable=False).bodies()
    ]
    table = pd.DataFrame(found, columns=[*by, "hours"])
    return table.groupby(by, as_index=False).agg(units=("hours", "size"), hours=("hours", "sum"))


def take(source: Path | str, into: Path = FOLDER) -> list[str]:
    """Add the finished rows of a reproduction, and write the comparison anew; return the names of the units added.

    Raises
    ------
    ValueError
        A row does not say where it comes from, or does not belong beside the rows of its network that are there
        already; then nothing is changed.
    """
    there = Ledger(into, writable=False)
    known = {body["unit"] for body in there.bodies()}
    code = {_run(body): body["provenance"]["code"] for body in there.bodies()}
    new = [body for body in Ledger(source, writable=False).bodies() if body["unit"] not in known]
    for body in new:
        lacking = [key for key in KNOWN if not body["provenance"].get(key)]
        if lacking:
            raise ValueError(f"{body['unit']} does not say its {', '.join(lacking)}: run it again.")
        run, its = _run(body), body["provenance"]["code"]
        if code.setdefault(run, its) != its:
            raise ValueError(
                f"{body['unit']} was measured by code {its}, what is there of {' on '.join(run[:2])} by "
                f"{code[run]}. Run all of it with one code."
            )
    for body in new:
        name = f"{body['unit']}.json"
        files.write(into / "rows" / name, (Path(source) / "rows" / name).read_bytes())
    if new:
        summarize(into)
    return [body["unit"] for body in new]


def _run(body: dict) -> tuple[str, str, int | None]:
    """(network, data set, training samples; None for all): the rows that one table compares."""
    row = body["rows"][0]
    return row["network"], row["dataset"], row["train_size"]


def summarize(folder: Path = FOLDER) -> None:
    """Write a CSV of each table and ``compare.md`` from the rows."""
    compare.write_tables(compare.tables(folder), folder)
