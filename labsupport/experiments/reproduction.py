"""The paper's own networks, trained for this book: the committed rows of `labsupport.reproduce`, if any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from labsupport.problem import Problem
from labsupport.reproduce import committed, compare, protocol, studies
from labsupport.reproduce.ledger import Ledger
from labsupport.reproduce.units import Training
from labsupport.sharpness import sharpness


def reproduced(folder: Path = committed.FOLDER) -> dict[str, pd.DataFrame]:
    """{"gaps": `compare.gaps`, "ratios": `compare.ratios`} of the committed rows, ratios in full space at epsilon 1e-3.

    Only runs of as many seeds as a claim needs: the others are exploratory. Tables without a row where there is none.
    """
    found = {
        name: table[table.standing == "claim"] if len(table) else table
        for name, table in committed.comparison(folder).items()
    }
    ratios = found["ratios"]
    if len(ratios):
        ratios = compare.in_full_space(ratios)
    return {"gaps": found["gaps"], "ratios": ratios}


def without_the_one(
    folder: Path | str,
    wish: str = "C1",
    *,
    samples: int = 2_500,
    epsilon: float = 0.02,
    seeds: int = 5,
    told: Callable[[dict], None] = print,
) -> pd.DataFrame:
    """Metric 2.1 without its "+ 1", where trainings at the paper's scale have ended: a measure that rescaling of layers
    leaves alone.

    f is the loss on the first ``samples`` of the shuffled training set, one chunk, which a processor can search.

    Parameters
    ----------
    folder
        What ``labsupport reproduce table2 --scale paper --networks WISH --out FOLDER`` has filled.
    told
        Is given each row when it is there: a row takes minutes.

    Returns
    -------
    DataFrame
        network, dataset, batch, seed, samples, epsilon, offset, sharpness (percent), loss (nats), evaluations.

    Raises
    ------
    ValueError
        A training whose points are not in the folder.
    """
    ledger, rows = Ledger(folder, writable=False), []
    f = Problem(*protocol.named(wish), samples).objective()
    for unit in studies.units("table2", [wish], "paper", seeds):
        assert isinstance(unit, Training)  # Table 2 is trainings alone
        points = ledger.points(unit.id)
        if points is None:
            raise ValueError(
                f"{unit.id} is not in {folder}. Train it first: "
                f"labsupport reproduce table2 --scale paper --networks {wish} --out {folder}"
            )
        found = sharpness(
            f, torch.from_numpy(points["end"]), epsilon=epsilon, offset=0, starts=1, seed=unit.seed
        )
        rows.append(
            {
                **{name: unit.columns[name] for name in ("network", "dataset", "batch", "seed")},
                "samples": samples,
                "epsilon": epsilon,
                "offset": 0,
                "sharpness": float(found.value[0]),
                "loss": float(found.f_x[0]),
                "evaluations": int(found.evaluations[0]),
            }
        )
        told(rows[-1])
    return pd.DataFrame(rows)
