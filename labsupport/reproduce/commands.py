"""``labsupport reproduce`` and ``labsupport compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labsupport.arguments import whole_number


def reproduce(
    study: Annotated[
        str,
        typer.Argument(
            help="table2, table3, table4, figure2 to figure7, appendix-e, own-rate, or all"
        ),
    ] = "all",
    networks: Annotated[
        str, typer.Option(help="of F1,F2,C1,C2,C3,C4; other data as F1/fashion_mnist")
    ] = "F1,F2,C1,C2,C3,C4",
    seeds: Annotated[int, typer.Option(help="fewer than five are exploratory")] = 5,
    scale: Annotated[
        str,
        typer.Option(
            help="paper, reduced (fewer samples, a night on a laptop; photographs to one training loss), "
            "small (a quarter of that) or smoke"
        ),
    ] = "reduced",
    out: Annotated[Path, typer.Option(help="where results are kept, and found again")] = Path(
        "reproduction"
    ),
    device: Annotated[
        str | None, typer.Option(help="cpu or cuda; by default the GPU if there is one")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="address of a Dask scheduler, tcp://HOST:8786")
    ] = None,
    estimate: Annotated[bool, typer.Option(help="say what it would cost, and stop")] = False,
) -> None:
    """Train the paper's networks and measure them as its tables and figures do. May be stopped at
    any moment, and goes on.
    """
    from labsupport.reproduce import cluster, run, studies
    from labsupport.reproduce import estimate as costs
    from labsupport.reproduce.ledger import Ledger

    whole_number("seeds", seeds, least=1)
    wishes = [wish.strip() for wish in networks.split(",") if wish.strip()]
    ledger = Ledger(out)
    units, absent = _available(wishes, lambda wish: studies.units(study, [wish], scale, seeds))
    for wish, why in absent.items():
        print(f"{wish} is left out: {why}")
    if not units:
        raise ValueError("Nothing is left to run.")
    now = run.code()
    print(f"{costs.device_line(device)}; at scale {scale}, in {ledger.folder}")
    print(
        costs.table(units, lambda unit: ledger.done(unit, now), device).to_string(index=False),
        flush=True,
    )
    if estimate:
        return
    if dask:
        outcome = cluster.do(units, ledger, dask, device=device)
    else:
        outcome = run.do(units, ledger, device=device)
    print(
        f"{outcome.done} done now, {outcome.known} known before, {outcome.elsewhere} at work elsewhere, "
        f"{len(outcome.failed)} not done."
    )
    for name, why in outcome.failed.items():
        print(f"  {name}: {why}")
    if outcome.failed:
        raise typer.Exit(1)


def _available(wishes: list[str], units_of) -> tuple[list, dict[str, str]]:
    """The units of the networks whose data are here or can be fetched, and why the others are left out."""
    from labsupport.errors import DataUnavailable

    found, absent = [], {}
    for wish in wishes:
        try:
            its = units_of(wish)
            for unit in its[:1]:
                (unit.problem if hasattr(unit, "problem") else unit.needs[0].problem).load("cpu")
            found += its
        except DataUnavailable as error:
            absent[wish] = str(error)
    return found, absent


def compare(
    folder: Annotated[Path, typer.Argument(help="a folder that `labsupport reproduce` has filled")],
    out: Annotated[Path | None, typer.Option(help="where to write; by default there")] = None,
) -> None:
    """Set results beside the paper's: order, ratio, interval, as Markdown, CSV and a figure."""
    from labsupport.reproduce import compare as side_by_side

    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder. `labsupport reproduce --out {folder}` makes one.")
    written = side_by_side.write(folder, out)
    print(written.read_text(encoding="utf-8"))
    print(f"Written to {written.parent}")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(reproduce)
    app.command()(compare)
