"""What a study would cost on a machine that is not at hand: time, energy and memory, estimated and never measured.

The floating-point operations of a unit are counted. A GPU is taken to reach `SHARE` of its maker's rate for float32
products, and to need at least `STEP` for a step, since small networks wait for the launch of their kernels. Energy
is time at the board's full power, without the computer around it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
from torch.utils.flop_counter import FlopCounterMode

from labsupport import provenance
from labsupport.problem import Problem
from labsupport.reproduce import protocol, studies
from labsupport.reproduce.estimate import CHUNK, memory, on_meta
from labsupport.reproduce.units import Sharpness, Training, Unit, in_order

#: Of the maker's rate, what training reaches: an assumption.
SHARE = 0.3
#: Seconds that a step or an evaluation takes at least: an assumption.
STEP = 1e-3


@dataclass(frozen=True)
class Machine:
    """A GPU by its data sheet: float32 operations a second, watts of the board, bytes of memory."""

    name: str
    rate: float
    watts: float
    memory: float


#: By the makers' data sheets; H100 and H200 in their SXM form.
MACHINES = (
    Machine("T4", 8.1e12, 70, 16e9),
    Machine("H100", 67e12, 700, 80e9),
    Machine("H200", 67e12, 700, 141e9),
)


@cache
def operations(network: str, classes: int, shape: tuple[int, ...]) -> float:
    """Floating-point operations of loss and gradient for one sample: three times those of the forward pass.

    >>> round(operations("F1", 10, (1, 28, 28)) / 1e6, 1)
    8.7
    """
    net, batch = on_meta(network, classes, shape)
    with FlopCounterMode(display=False) as counter:
        net(batch)
    return 3 * counter.get_total_flops() / 2


def _work(unit: Unit, total: int) -> tuple[float, float]:
    """Samples whose gradient a unit takes at most of ``total``, and its steps or evaluations in pieces."""
    pieces = -(-total // CHUNK)
    if isinstance(unit, Training):
        epochs = unit.recipe.epochs or 0
        steps = unit.recipe.steps or epochs * -(-total // unit.recipe.batch_size)
        return steps * unit.recipe.batch_size * unit.recipe.inner_steps, steps
    if isinstance(unit, Sharpness):
        evaluations = unit.starts * (unit.iterations + 1)
        return evaluations * total, evaluations * pieces
    return unit.points * total * 2 / 3, unit.points * pieces


def table(units: Iterable[Unit], machines: Iterable[Machine] = MACHINES) -> pd.DataFrame:
    """One row per network, data set and machine: hours at most, kWh at most, gigabytes about, and whether they fit.

    Units of SciPy's estimator, which runs on the processor, are left out. Raises DataUnavailable for data that are
    not here.
    """
    rows: dict[tuple, dict] = {}
    # samples and operations of each problem, whose data are read once
    known: dict[Problem, tuple[int, float]] = {}
    for unit in in_order(list(units)):
        if isinstance(unit, Sharpness) and unit.method == "paper":
            continue
        problem = (unit if isinstance(unit, Training) else unit.needs[0]).problem
        if problem not in known:
            data = problem.load("cpu")
            shape = tuple(data.x_train.shape[1:])
            each = operations(str(problem.network), data.num_classes, shape)
            known[problem] = len(data.y_train), each
        total, each = known[problem]
        samples, steps = _work(unit, total)
        for machine in machines:
            row = rows.setdefault(
                (problem.network, problem.dataset, machine.name), {"seconds": 0.0, "bytes": 0.0}
            )
            row["seconds"] += max(samples * each / (SHARE * machine.rate), steps * STEP)
            row["bytes"] = max(row["bytes"], memory(unit))
    by_name = {machine.name: machine for machine in machines}
    return pd.DataFrame(
        [
            {
                "network": network,
                "dataset": dataset,
                "machine": name,
                "hours": row["seconds"] / 3600,
                "kWh": row["seconds"] / 3600 * by_name[name].watts / 1000,
                "GB": row["bytes"] / 1e9,
                "fits": row["bytes"] < by_name[name].memory,
            }
            for (network, dataset, name), row in rows.items()
        ]
    )


def record(folder: Path = provenance.FOLDER) -> Path:
    """Write ``reproduction-costs``: what Tables 2 and 3 of all six networks, five seeds, would cost in full.

    The committed result was made by
    ``python -c "from labsupport.reproduce import machines; machines.record()"``; it needs the data of all networks.
    """
    units = [
        unit
        for study in ("table2", "table3")
        for unit in studies.units(study, list(protocol.DATA), "paper", seeds=5)
    ]
    about = provenance.here(about="estimated from counted operations; nothing was run")
    return provenance.write("reproduction-costs", table(units), about, folder)
