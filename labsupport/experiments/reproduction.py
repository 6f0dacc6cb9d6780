"""The paper's own networks, trained for this book: the committed rows of `labsupport.reproduce`, if any."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from labsupport.reproduce import committed


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
        full = ratios.subspace_dim.isna() & (ratios.epsilon == 1e-3)
        ratios = ratios[full & (ratios.estimator == "strong")]
    return {"gaps": found["gaps"], "ratios": ratios}
