"""Does units of work, each once: one after the other, or several processes on one folder, or on a Dask cluster."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from labsupport import device as devices
from labsupport import provenance
from labsupport.cache import locks
from labsupport.cache.code import written
from labsupport.errors import DataUnavailable, TrainingDiverged
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import Points, Result, Training, Unit, in_order
from labsupport.settings import environment

#: The modules whose code a row depends on.
MEASURING = (
    "data",
    "networks",
    "objective",
    "engine",
    "recipe",
    "remedies",
    "training",
    "sharpness",
    "subspace",
    "landscape",
)


@dataclass
class Outcome:
    """What became of the units: how many were ``done`` now, ``known`` before, left to another
    process (``elsewhere``), and ``failed``: {unit's name: why}.
    """

    done: int = 0
    known: int = 0
    elsewhere: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def code() -> str:
    """A digest of the code that trains and measures: rows with the same one may stand in one table."""
    return written(among=MEASURING)[:16]


def origin(unit: Unit, device: str | None = None) -> dict:
    """Where a row comes from: commit, code, machine, versions, device, and the edition of the data."""
    problem = (unit if isinstance(unit, Training) else unit.needs[0]).problem
    return provenance.here(
        code=code(),
        device=devices.pick(device).type,
        edition=problem.load("cpu").edition,
        processes=environment.said(["OMP_NUM_THREADS"]).get(
            "OMP_NUM_THREADS", str(torch.get_num_threads())
        ),
    )


def gather(unit: Unit, ledger: Ledger) -> Points | None:
    """The points that a unit needs, by the name of the unit that made them; None where some are not there."""
    found = {}
    for needed in unit.needs:
        points = ledger.points(needed.id)
        if points is None:
            return None
        found[needed.id] = points
    return found


def do(
    units: Iterable[Unit],
    ledger: Ledger,
    *,
    device: str | None = None,
    told: Callable[[str], None] = print,
) -> Outcome:
    """Do what is not done yet, what is needed first. Another process that does the same on the same
    folder is not waited for.

    A unit whose data are not to be had, or that fails, is said and passed over; those that need it are too.
    """
    outcome, now = Outcome(), code()
    for unit in in_order(list(units)):
        if ledger.done(unit, now):
            outcome.known += 1
            continue
        with _mine(ledger.lock(unit)) as mine:
            if not mine:
                outcome.elsewhere += 1
                told(f"elsewhere {unit.id}")
            elif ledger.done(unit, now):  # by another process, between two looks
                outcome.known += 1
            else:
                _one(unit, ledger, device, told, outcome)
    return outcome


@contextmanager
def _mine(path: Path) -> Iterator[bool]:
    """Whether this process may do a unit: not while another is at it. Where a folder has no locks, it may."""
    try:
        held = locks.take(path)
    except locks.CannotLock:
        yield True
        return
    try:
        yield held is not None
    finally:
        if held is not None:
            locks.release(held, path)


def _one(
    unit: Unit, ledger: Ledger, device: str | None, told: Callable[[str], None], outcome: Outcome
) -> None:
    points = gather(unit, ledger)
    if points is None:
        outcome.failed[unit.id] = "what it needs is not there"
        return
    try:
        result = _attempt(unit, points, ledger, device)
        ledger.write(unit, result, origin(unit, device))
    except (DataUnavailable, TrainingDiverged, OSError, MemoryError) as error:
        outcome.failed[unit.id] = str(error) or type(error).__name__
        told(f"not done  {unit.id}: {outcome.failed[unit.id]}")
        return
    shutil.rmtree(ledger.scratch(unit), ignore_errors=True)
    outcome.done += 1
    told(f"done      {unit.id}  {_brief(result)}")


def _attempt(unit: Unit, points: Points, ledger: Ledger, device: str | None) -> Result:
    try:
        return unit.run(points, ledger.scratch(unit), device)
    except torch.cuda.OutOfMemoryError as error:
        raise RuntimeError(
            f"The GPU has too little memory for {unit.id}. A batch is part of what is measured and is not cut "
            "behind your back: use a GPU with more memory, --device cpu, or --scale reduced."
        ) from error


def _brief(result: Result) -> str:
    row = result.rows[0]
    if "sharpness" in row:
        return f"phi {row['sharpness']:.3g} % at loss {row['loss']:.3g}, {row['seconds']:.0f} s"
    if "test_accuracy" in row:
        return (
            f"test {row['test_accuracy']:.2f} %, training loss {row['train_loss']:.2g}, {row['epochs']} epochs, "
            f"{row['seconds']:.0f} s"
        )
    return f"{len(result.rows)} rows"
