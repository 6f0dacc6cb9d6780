"""The loss on the way from one minimum to another (Figures 3 and 7); chapters 3 and 6 walk it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import Tensor

from labsupport import landscape, symmetry
from labsupport.cache import remember
from labsupport.errors import choose
from labsupport.experiments.minima import minima
from labsupport.problem import Problem
from labsupport.settings import Settings

#: What `between` may do to both minima first. Neither changes what the networks compute.
WEIGHTS = {"as trained": lambda network, x: x, "rows normalized": symmetry.normalize_rows}
PATHS = {"line": landscape.line, "curve": landscape.curve}
ALPHAS = tuple(np.linspace(-1, 2, 25).tolist())  # the paper's


@remember
def _between(
    problem: Problem, split: str, path: str, x_a: Tensor, x_b: Tensor, alphas: tuple[float, ...]
) -> pd.DataFrame:
    return PATHS[path](problem.objective(split), x_a, x_b, alphas)


def between(
    s: Settings,
    *,
    weights: str = "as trained",
    path: str = "line",
    splits: tuple[str, ...] = ("train",),
    alphas: Sequence[float] | np.ndarray = ALPHAS,
    x_a: Tensor | None = None,
    x_b: Tensor | None = None,
) -> pd.DataFrame:
    """f from SB (alpha 0) to LB (alpha 1) and beyond, one pair a seed: Figure 3 (``line``) and Figure 7 (``curve``).

    Parameters
    ----------
    weights
        ``as trained``, or ``rows normalized``: each row ahead of a batch norm has length 1 (`symmetry.normalize_rows`).
    splits
        ``train``, ``test`` or both.
    x_a, x_b : Tensor (S, n)
        Other ends than the two minima.

    Returns
    -------
    DataFrame
        seed, alpha, split, loss (nats), accuracy (percent).
    """
    choose("change of weights", weights, WEIGHTS)
    choose("path", path, PATHS)
    found = minima(s)
    ends = [
        WEIGHTS[weights](s.main.network, x)
        for x in (found["SB"].x if x_a is None else x_a, found["LB"].x if x_b is None else x_b)
    ]
    tables = [
        _between(s.main, split, path, *ends, tuple(alphas)).assign(split=split) for split in splits
    ]
    return pd.concat(tables, ignore_index=True).rename(columns={"pair": "seed"})[
        ["seed", "alpha", "split", "loss", "accuracy"]
    ]
