"""SciPy's L-BFGS-B on Metric 2.1: the estimator ``paper`` of `labsupport.sharpness`. One model at a time, in
float64."""

from __future__ import annotations

import numpy as np
import scipy
import torch
from scipy.optimize import minimize
from torch import Tensor

from labsupport.engine.functions import functions_of_rows


def search(f, x: Tensor, space, box: Tensor, iterations: int, starts: int, seed: int):
    """y (S, p) the best point of each box, evaluations (S,), history (S, evaluations), notes: one dictionary a model.

    Raises ValueError where f is not finite at any point visited.
    """
    functions = [f.double() for f in functions_of_rows(f, x)]
    rows = [
        _Row(one, point, half, space)
        for one, point, half in zip(functions, x.double(), box.double())
    ]
    notes, best = [], []
    for s, row in enumerate(rows):
        searches = [row.climb(iterations, [seed, start]) for start in range(starts)]
        if row.best_y is None:
            raise ValueError(
                f"f is not a finite number at any of the {len(row.seen)} points of the box that L-BFGS-B visited for "
                f"model {s}. Try a smaller epsilon, another seed, or method='strong', which starts at x."
            )
        best.append(row.best_y)
        notes.append(
            {"searches": searches, "not_finite": row.not_finite, "scipy": scipy.__version__}
        )
    counts = torch.tensor([len(row.seen) for row in rows], device="cpu")
    longest = int(counts.max())
    history = np.stack(
        [np.pad(row.seen, (0, longest - len(row.seen)), mode="edge") for row in rows]
    )
    return torch.from_numpy(np.stack(best)).to(x.device), counts, torch.from_numpy(history), notes


class _Row:
    """The searches of one model: the best point of its box, and f at it after each evaluation."""

    def __init__(self, f, point: Tensor, half: Tensor, space):
        self.f, self.point, self.space = f, point, space
        self.width = half.cpu().numpy()  # (p,)
        self.best, self.not_finite = -np.inf, 0
        self.best_y: np.ndarray | None = None
        self.seen: list[float] = []

    def evaluate(self, y: np.ndarray) -> tuple[float, np.ndarray]:
        """f and its gradient at y (p,)."""
        moved = self.space.matvec(torch.from_numpy(y).to(self.point.device)[None])[0]
        value, gradient = self.f.value_and_gradient(self.point + moved)
        return float(value), self.space.rmatvec(gradient[None])[0].cpu().numpy()

    def climb(self, iterations: int, seed: list[int]) -> dict:
        """One search from a random point of the box; what SciPy said."""
        y0 = np.random.default_rng(seed).uniform(-1, 1, len(self.width)) * self.width
        first = [self.evaluate(y0)]  # names the scale, and is what SciPy asks for first
        scale = np.linalg.norm(self.width) / max(np.linalg.norm(first[0][1]), 1e-300)

        def objective(y):
            value, gradient = first.pop() if first else self.evaluate(y)
            self.note(y, value)
            return -scale * value, -scale * gradient

        out = minimize(
            objective,
            y0,
            jac=True,
            method="L-BFGS-B",
            bounds=np.stack([-self.width, self.width], 1),
            options={"maxiter": iterations, "ftol": 0.0, "gtol": 0.0},
        )
        return {
            "scale": scale,
            "iterations": int(out.nit),
            "evaluations": int(out.nfev),
            "message": str(out.message),
        }

    def note(self, y: np.ndarray, value: float) -> None:
        if not np.isfinite(value):
            self.not_finite += 1
        elif value > self.best:
            self.best, self.best_y = value, y.copy()
        self.seen.append(self.best)
