"""Chapter 4, measuring sensitivity: Tables 3 and 4, the port that fails, the Hessian beside them, and what moves the number."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from labsupport import curvature, landscape
from labsupport.cache import remember
from labsupport.experiments.minima import minima
from labsupport.experiments.tables import EPSILONS, sharpness_of, sharpness_table
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.settings import Settings
from labsupport.sharpness import sharpness

SUBSPACE_DIM = 100  # the paper's p


# -- Tables 3 and 4 ------------------------------------------------------------------------------------------------


def manifold_table(s: Settings, *, epsilons: tuple[float, ...] = EPSILONS, subspace_dim: int = SUBSPACE_DIM) -> pd.DataFrame:
    """Metric 2.1 in random manifolds (Table 4), one row per manifold: the columns of `sharpness_table`, and manifold.

    All models of one manifold share its A, whose entries are N(0, 1). One search each (``strong``, from x).
    """
    runs = minima(s)
    return pd.concat([sharpness_table(runs, epsilons=epsilons, subspace_dim=subspace_dim, seed=seed, starts=1).assign(manifold=seed)
                      for seed in range(s.manifolds)], ignore_index=True)


# -- the port that fails -------------------------------------------------------------------------------------------


@remember
def _finished(problem: Problem, x: Tensor, iterations: int) -> Tensor:
    from scipy.optimize import minimize

    f, ends = problem.objective(), []
    for point in x:
        def value_and_slope(v, point=point):
            value, gradient = f.value_and_gradient(torch.from_numpy(v).to(point))
            return float(value), gradient.double().cpu().numpy()

        found = minimize(value_and_slope, point.double().cpu().numpy(), jac=True, method="L-BFGS-B",
                         options={"maxiter": iterations, "ftol": 0.0})
        ends.append(torch.from_numpy(found.x).to(point))
    return torch.stack(ends)


def finished(s: Settings) -> dict[str, Tensor]:
    """The shared minima followed to the bottom: {"SB": x (S, n), "LB": x (S, n)}.

    SciPy's L-BFGS-B on the whole training set, without bounds, until no entry of the gradient exceeds 1e-5, its default for
    "finished", or for the scale's ``finishing`` iterations.
    """
    return {batch: _finished(s.main, run.x, s.finishing) for batch, run in minima(s).items()}


def naive_port(f, x: Tensor, epsilon: float = 1e-3, *, scale: float = 1.0, start: float = 0.0, **options) -> tuple[float, object]:
    """Metric 2.1 at x (n,) as one would write it first, and SciPy's own report: **wrong** near a good minimizer.

    SciPy's L-BFGS-B from y = 0, ten iterations, all else at its defaults. Chapter 4 shows why it stops at once.

    Parameters
    ----------
    scale, start, options
        What repairs it, or does not: a factor before f; 1 for a start anywhere in the box instead of at its center; SciPy's options.
    """
    from scipy.optimize import minimize

    f, x = f.double(), x.double()
    box = (epsilon * (x.abs() + 1)).cpu().numpy()

    def downhill(y):
        value, gradient = f.value_and_gradient(x + torch.from_numpy(y).to(x))
        return -scale * float(value), -scale * gradient.cpu().numpy()

    first = start * box * np.random.default_rng(0).uniform(-1, 1, len(box))
    found = minimize(downhill, first, jac=True, method="L-BFGS-B", bounds=np.stack([-box, box], 1),
                     options={"maxiter": 10, **options})
    before = float(f(x))
    return 100 * (-found.fun / scale - before) / (1 + before), found


@remember
def _port(problem: Problem, x: Tensor, epsilon: float, options: dict) -> list[dict]:
    f, rows = problem.objective(), []
    for seed, point in enumerate(x):
        value, said = naive_port(f, point, epsilon, **options)
        rows.append({"seed": seed, "steepest": float(f.gradient(point).abs().max()), "loss": float(f(point)), "naive": value,
                     "evaluations": int(said.nfev), "message": str(said.message)})
    return rows


def naive_table(s: Settings, *, epsilon: float = 1e-3) -> pd.DataFrame:
    """The naive port beside the package, at the minima followed to the bottom (`finished`).

    Returns
    -------
    DataFrame
        batch, seed; loss (nats); steepest, the largest entry of the gradient; naive and strong (percent); evaluations and message,
        SciPy's; test_accuracy (percent).
    """
    tables, on_test = [], s.main.objective("test")
    for batch, x in finished(s).items():
        strong = sharpness_of(s.main, x, epsilons=(epsilon,), starts=1)["sharpness"]
        tables.append(pd.DataFrame(_port(s.main, x, epsilon, {})).assign(
            batch=batch, strong=strong, test_accuracy=on_test.accuracy(x).tolist()))
    return pd.concat(tables, ignore_index=True)[["batch", "seed", "loss", "steepest", "naive", "strong", "evaluations", "message",
                                                 "test_accuracy"]]


#: What one might change in the port: name -> arguments of `naive_port`.
REPAIRS = {"nothing": {}, "random start": {"start": 1.0}, "tolerances 0": {"gtol": 0.0, "ftol": 0.0},
           "random start, tolerances 0": {"start": 1.0, "gtol": 0.0, "ftol": 0.0}, "objective times 1,000": {"scale": 1e3}}


def repairs(s: Settings, *, epsilon: float = 1e-3, seeds: int = 2) -> pd.DataFrame:
    """The port with one thing changed at a time, at LB followed to the bottom: repair, seed, sharpness (percent), evaluations."""
    x = finished(s)["LB"][:seeds]
    tables = [pd.DataFrame(_port(s.main, x, epsilon, options)).assign(repair=name) for name, options in REPAIRS.items()]
    return pd.concat(tables, ignore_index=True).rename(columns={"naive": "sharpness"})[["repair", "seed", "sharpness", "evaluations"]]


# -- the Hessian ---------------------------------------------------------------------------------------------------


class _Counted:
    """An objective that counts what is asked of it."""

    def __init__(self, f: Objective):
        self.f, self.gradients, self.products = f, 0, 0

    def __getattr__(self, name):
        return getattr(self.f, name)

    def value_and_gradient(self, x: Tensor):
        self.gradients += 1 if x.dim() == 1 else len(x)
        return self.f.value_and_gradient(x)

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        self.products += 1
        return self.f.hessian_vector(x, v)


@remember
def _hessian(problem: Problem, x: Tensor, samples: int) -> list[dict]:
    f, rows = problem.objective(), []
    for seed, point in enumerate(x):
        counted, began = _Counted(f), time.process_time()
        top = curvature.top_eigenvalues(counted, point, 1, tolerance=1e-2)
        lanczos, used = counted.products, time.process_time() - began
        trace, error = curvature.trace(counted, point, samples=samples)
        rows.append({"seed": seed, "top_eigenvalue": float(top[0]), "trace": float(trace), "trace_error": float(error),
                     "products": lanczos, "seconds": used})
    return rows


def hessian_table(s: Settings, *, samples: int = 8) -> pd.DataFrame:
    """The Hessian of f at the shared minima.

    Returns
    -------
    DataFrame
        batch, seed; top_eigenvalue (to a hundredth); trace and trace_error, Hutchinson's estimate from ``samples`` products and its
        standard error; products and seconds (of one core) that the eigenvalue took.
    """
    tables = [pd.DataFrame(_hessian(s.main, run.x, samples)).assign(batch=batch) for batch, run in minima(s).items()]
    return pd.concat(tables, ignore_index=True)[["batch", "seed", "top_eigenvalue", "trace", "trace_error", "products", "seconds"]]


# -- what moves the number, and what it costs ----------------------------------------------------------------------

#: Name of a variant of f: (frozen statistics?, chunk).
VARIANTS = {"as in this book": (False, 5000), "frozen statistics": (True, 5000), "chunks of 1,000": (False, 1000),
            "chunks of 250": (False, 250)}


@remember
def _variant(problem: Problem, x: Tensor, epsilon: float, frozen: bool, chunk: int) -> dict:
    f = problem.objective(chunk=chunk)
    found = sharpness(f.frozen_at(x) if frozen else f, x, epsilon=epsilon, starts=1)
    return {"sharpness": found.value.tolist(), "loss": found.f_x.tolist()}


def definitions(s: Settings, *, epsilon: float = 1e-3) -> pd.DataFrame:
    """The same minima under other definitions of f (`VARIANTS`): variant, batch, seed, sharpness (percent), loss (nats)."""
    tables = [pd.DataFrame(_variant(s.main, run.x, epsilon, *how)).assign(variant=name, batch=batch, seed=range(len(run.x)))
              for name, how in VARIANTS.items() for batch, run in minima(s).items()]
    return pd.concat(tables, ignore_index=True)[["variant", "batch", "seed", "sharpness", "loss"]]


@remember
def _cost(problem: Problem, x: Tensor) -> list[dict]:
    f = problem.objective()
    wishes = {"strong, one search": {"starts": 1}, "strong": {}, "paper": {"method": "paper"},
              "strong, manifold": {"starts": 1, "subspace_dim": SUBSPACE_DIM}}
    rows = []
    for name, options in wishes.items():
        counted, began = _Counted(f), time.process_time()
        found = sharpness(counted, x, **options)
        rows.append({"estimator": name, "evaluations": int(found.evaluations.max()), "seconds": time.process_time() - began,
                     "sharpness": float(found.value.max())})
    return rows


def cost_table(s: Settings) -> pd.DataFrame:
    """What one LB minimum costs: estimator, evaluations (of f and its gradient), seconds (of one core), sharpness (percent)."""
    return pd.DataFrame(_cost(s.main, minima(s)["LB"].x[:1]))


# -- a slice through the box ---------------------------------------------------------------------------------------


@remember
def _slice(problem: Problem, x: Tensor, one: Tensor, two: Tensor, span: float,
           steps: int) -> pd.DataFrame:
    return landscape.plane(problem.objective(), x, span=span, steps=steps, directions=(one, two))


def box_slice(s: Settings, batch: str, directions: str, *, seed: int = 0, span: float = 1.5e-3, epsilon: float = 1e-3) -> pd.DataFrame:
    """f on a plane in which the box of every epsilon is a square: the points x + a u + b v with |a|, |b| <= epsilon.

    u moves one random half of the weights, each by a (|x_i| + 1), and v the other half by b (|x_i| + 1). The signs are those of the worst
    corner that ``strong`` finds at ``epsilon`` (``directions="worst"``) or drawn at random (``"random"``).

    Returns
    -------
    DataFrame
        a, b, loss (nats), accuracy (percent).
    """
    x = minima(s)[batch].x[seed]
    generator = torch.Generator().manual_seed(seed)
    half = (torch.rand(x.shape, generator=generator) < 0.5).to(x.device)
    signs = (torch.rand(x.shape, generator=generator) < 0.5).to(x) * 2 - 1
    if directions == "worst":
        signs = _corner(s.main, x, epsilon).to(x)
    reach = signs * (x.abs() + 1)
    return _slice(s.main, x, reach * half, reach * ~half, span, s.slice_steps)


@remember
def _corner(problem: Problem, x: Tensor, epsilon: float) -> Tensor:
    return sharpness(problem.objective(), x, epsilon=epsilon).y[0].sign().cpu()


def along_the_diagonal(s: Settings, *, epsilon: float = 1e-3, points: int = 25) -> pd.DataFrame:
    """f on the way from x to the worst corner of the box and past it, one line per batch and seed.

    Returns
    -------
    DataFrame
        batch, seed, t (0 at x, 1 at the corner), rise (percent, 100 (f(x + t y) - f(x)) / (1 + f(x))).
    """
    tables = []
    for batch, run in minima(s).items():
        found = _diagonal(s.main, run.x, epsilon, points)
        tables.append(found.assign(batch=batch))
    return pd.concat(tables, ignore_index=True)


@remember
def _diagonal(problem: Problem, x: Tensor, epsilon: float, points: int) -> pd.DataFrame:
    f = problem.objective()
    corner = x + sharpness(f, x, epsilon=epsilon).y
    table = landscape.line(f, x, corner, np.linspace(-1, 1.25, points)).rename(columns={"pair": "seed", "alpha": "t"})
    here = f(x).cpu().numpy()[table.seed]
    return table.assign(rise=100 * (table.loss - here) / (1 + here))[["seed", "t", "rise"]]
