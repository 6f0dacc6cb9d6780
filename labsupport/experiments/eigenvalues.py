"""Chapter 9: the largest eigenvalue of the Hessian at points of a problem, remembered."""

from __future__ import annotations

from torch import Tensor

from labsupport import curvature
from labsupport.cache import remember
from labsupport.problem import Problem


@remember
def top_eigenvalue(problem: Problem, x: Tensor) -> list[float]:
    """The largest eigenvalue of the Hessian of the training loss at each of the points x (S, n), to one percent."""
    return curvature.top_eigenvalues(problem.objective(), x, 1, tolerance=1e-2)[:, 0].tolist()
