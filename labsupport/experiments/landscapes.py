"""Chapter 3: the loss between and around the two minima (Figures 3 and 7), how far away they lie, and what is scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
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
def _between(problem: Problem, split: str, path: str, x_a: Tensor, x_b: Tensor,
             alphas: tuple[float, ...]) -> pd.DataFrame:
    return PATHS[path](problem.objective(split), x_a, x_b, alphas)


def between(s: Settings, *, weights: str = "as trained", path: str = "line", splits: tuple[str, ...] = ("train",),
            alphas: tuple[float, ...] = ALPHAS, x_a: Tensor | None = None, x_b: Tensor | None = None) -> pd.DataFrame:
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
    ends = [WEIGHTS[weights](s.main.network, x) for x in (found["SB"].x if x_a is None else x_a, found["LB"].x if x_b is None else x_b)]
    tables = [_between(s.main, split, path, *ends, tuple(alphas)).assign(split=split)
              for split in splits]
    return pd.concat(tables, ignore_index=True).rename(columns={"pair": "seed"})[["seed", "alpha", "split", "loss", "accuracy"]]


def bends(table: pd.DataFrame, value: str = "loss") -> pd.DataFrame:
    """How much a path bends at its two ends: f(alpha - h) - 2 f(alpha) + f(alpha + h) with the table's own step h.

    Returns
    -------
    DataFrame
        One row a seed: SB (at alpha 0), LB (at alpha 1), and ``ratio``, LB over SB.

    >>> line = pd.DataFrame({"seed": 0, "alpha": [-1.0, 0, 1, 2], "loss": [3.0, 0, 0, 6]})
    >>> bends(line).iloc[0].tolist()
    [3.0, 6.0, 2.0]
    """
    wide = table.pivot(index="alpha", columns="seed", values=value)
    rows = wide.to_numpy()
    at = {name: int(np.abs(wide.index.to_numpy() - alpha).argmin()) for name, alpha in (("SB", 0), ("LB", 1))}
    found = pd.DataFrame({name: rows[i - 1] - 2 * rows[i] + rows[i + 1] for name, i in at.items()}, index=wide.columns)
    return found.assign(ratio=found.LB / found.SB)


def distances(s: Settings) -> pd.DataFrame:
    """How far each run is from its start: run (SB, LB), seed, updates, distance ||x - x0||, length ||x||, test_accuracy.

    SB at the epochs of `settings.Settings.warm_epochs` and at the end, LB at the end.
    """
    found = minima(s)
    way = found["SB"]
    per_epoch = way.history.groupby("epoch").steps.first()
    points = [("SB", int(per_epoch.get(k, 0)), x) for k, x in sorted(way.checkpoints.items()) if k]
    points += [(name, runs.final.steps.to_numpy(), runs.x) for name, runs in found.items()]
    return pd.concat([pd.DataFrame({
        "run": name, "seed": range(len(x)), "updates": updates, "distance": (x - way.x0).norm(dim=1).tolist(),
        "length": x.norm(dim=1).tolist()}) for name, updates, x in points], ignore_index=True)


@remember
def _plane(problem: Problem, x: Tensor, span: float, steps: int, seed: int) -> pd.DataFrame:
    return landscape.plane(problem.objective(), x, span=span, steps=steps, seed=seed)


def planes(s: Settings, *, seed: int = 0, span: float = 1.0) -> pd.DataFrame:
    """Filter-normalized planes around one seed's SB and LB minimum, both along the same random draw: run, a, b, loss, accuracy."""
    return pd.concat([_plane(s.main, runs.x[seed], span, s.plane_steps, seed).assign(run=name)
                      for name, runs in minima(s).items()], ignore_index=True)


@remember
def _slices(problem: Problem, x: Tensor, kind: str, directions: int, length: float,
            ticks: tuple[float, ...]) -> pd.DataFrame:
    f = problem.objective()
    rows, tables = landscape.filter_rows(f.layout), []
    for seed, point in enumerate(x):
        for draw in range(directions):
            generator = torch.Generator(point.device).manual_seed(draw)
            if kind == "raw":
                step = torch.randn(point.shape, generator=generator, device=point.device)
                step *= length / step.norm()
            else:
                step = landscape.normalized_direction(point, rows, generator)
            loss = f(torch.stack([point + t * step for t in ticks]))
            tables.append(pd.DataFrame({"seed": seed, "draw": draw, "t": ticks, "loss": loss.tolist()}))
    return pd.concat(tables, ignore_index=True)


def slices(s: Settings, *, directions: int = 3, length: float = 15.0, ticks: tuple[float, ...] = tuple(np.linspace(-1, 1, 13).tolist())
           ) -> pd.DataFrame:
    """The loss along random directions through each minimum, drawn twice over.

    ``raw``: both minima are left by steps of the same ``length``. ``filter``: each by directions whose every filter is as
    long as its own (Li et al. 2018). Columns: kind, run, seed, draw, t, loss (nats).
    """
    return pd.concat([
        _slices(s.main, runs.x, kind, directions, length, ticks).assign(kind=kind, run=name)
        for kind in ("raw", "filter") for name, runs in minima(s).items()], ignore_index=True)
