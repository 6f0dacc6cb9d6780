"""The same units on an existing Dask cluster: each a task that gets the points it needs and returns its result.

Workers need the package and the data, no shared folder: what they find travels back, and only this
process writes. A worker that dies is replaced by another (Dask tries a task again); a unit whose
rows are there is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.run import Outcome, code, gather, origin
from labsupport.reproduce.units import Result, Unit, in_order

#: How often a task is given to another worker when its own has died.
RETRIES = 3


def connect(address: str, seconds: float = 30):
    """A client of the scheduler at ``address``.

    Raises
    ------
    ImportError, OSError
        Dask is not installed; no scheduler answers there.
    """
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise ImportError('Dask is not installed. Run: pip install "labsupport[dask]"') from error
    try:
        return Client(address, timeout=seconds)
    except (OSError, ValueError, TimeoutError) as error:
        raise OSError(
            f"No Dask scheduler answers at {address}. Start one with `dask scheduler`, or look at the address: "
            "tcp://HOST:8786 is its usual form."
        ) from error


def task(unit: Unit, points: dict, device: str | None) -> tuple[Result, dict]:
    """What a worker does."""
    return unit.run(points, None, device), origin(unit, device)


def do(
    units: Iterable[Unit],
    ledger: Ledger,
    address: str,
    *,
    device: str | None = None,
    told: Callable[[str], None] = print,
) -> Outcome:
    """As `run.do`, on the cluster at ``address``. Trainings go first; what needs them is sent when they are back."""
    from dask.distributed import as_completed

    outcome, now, waiting = Outcome(), code(), []
    for unit in in_order(list(units)):
        if ledger.done(unit, now):
            outcome.known += 1
        else:
            waiting.append(unit)
    with connect(address) as client:
        sent: dict = {}
        flow = as_completed(with_results=False)

        def send() -> None:
            for unit in list(waiting):
                points = gather(unit, ledger)
                if points is not None:
                    waiting.remove(unit)
                    future = client.submit(
                        task, unit, points, device, key=unit.id, retries=RETRIES, pure=False
                    )
                    sent[future.key] = unit
                    flow.add(future)

        send()
        for future in flow:
            unit = sent[future.key]
            if future.status == "error":
                outcome.failed[unit.id] = str(future.exception())
                told(f"failed    {unit.id}: {future.exception()}")
                continue
            result, where = future.result()
            ledger.write(unit, result, where)
            outcome.done += 1
            told(f"done      {unit.id}")
            send()
    for unit in waiting:
        outcome.failed[unit.id] = "what it needs is not there"
    return outcome
