"""The paper's own networks, trained for this book: the committed rows of `labsupport.reproduce`, if any."""

from __future__ import annotations

import pandas as pd

from labsupport import provenance
from labsupport.reproduce import compare

NAME = "reproduction"


def reproduced(folder=provenance.FOLDER) -> dict[str, pd.DataFrame]:
    """{"gaps": `compare.gaps`, "ratios": `compare.ratios`} of the committed rows, ratios in full space at epsilon 1e-3.

    Tables without a row where nothing has been committed. ``folder`` holds ``reproduction.json``, whose rows are those
    of the tables training and sharpness of `reproduce.ledger.Ledger.tables`, one below the other.
    """
    if not (folder / f"{NAME}.json").is_file():
        return {"gaps": pd.DataFrame(), "ratios": pd.DataFrame()}
    rows = provenance.read(NAME, folder)[0].reindex(columns=COLUMNS)
    rows = rows.assign(
        point=rows.point.astype(object).fillna("end"),
        starts=rows.starts.astype(float).fillna(1),
        train_size=rows.train_size.astype(float),
        subspace_dim=rows.subspace_dim.astype(float),
    )
    training, sharpness = (rows[rows[name].notna()] for name in ("test_accuracy", "sharpness"))
    ratios = compare.ratios(sharpness) if len(sharpness) else pd.DataFrame()
    if len(ratios):
        ratios = ratios[
            ratios.subspace_dim.isna() & (ratios.epsilon == 1e-3) & (ratios.estimator == "strong")
        ]
    return {"gaps": compare.gaps(training) if len(training) else pd.DataFrame(), "ratios": ratios}


COLUMNS = [
    "network",
    "dataset",
    "train_size",
    "batch",
    "recipe",
    "seed",
    "test_accuracy",
    "point",
    "epsilon",
    "subspace_dim",
    "estimator",
    "starts",
    "sharpness",
]
