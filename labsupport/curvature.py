"""The Hessian of f without the Hessian: its largest eigenvalues and its trace from products with vectors.

A product costs about two gradients. SciPy's Lanczos (`scipy.sparse.linalg.eigsh`) finds the eigenvalues; the trace is
Hutchinson's estimate. These are what Keskar et al. 2017 call too expensive for their networks (section 2.2).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor

from labsupport.engine.functions import adapt, check_points


def top_eigenvalues(f, x: Tensor, k: int = 1, *, tolerance: float = 1e-3, seed: int = 0) -> Tensor:
    """The k algebraically largest eigenvalues of the Hessian of f, largest first: (k,) for x (n,), (S, k) for x (S, n).

    ``tolerance`` is relative. Raises ValueError unless 1 <= k < n.

    >>> scale = torch.tensor([3.0, 1.0, 2.0, 0.5])
    >>> top_eigenvalues(lambda x: (scale * x**2).sum() / 2, torch.zeros(4), k=2, tolerance=1e-8)
    tensor([3.0000, 2.0000], dtype=torch.float64)
    """
    points = check_points(x, getattr(f, "n", None))
    f = adapt(f, points.dtype)
    n = points.shape[1]
    if not 1 <= k < n:
        raise ValueError(f"k is {k}; a function of {n} numbers has eigenvalues 1 to {n - 1} within reach of Lanczos.")
    values = []
    for point in points.to(getattr(f, "device", points.device)):
        def product(v, point=point):
            direction = torch.from_numpy(np.ascontiguousarray(v).ravel()).to(point)
            return f.hessian_vector(point, direction).double().cpu().numpy()

        operator = LinearOperator((n, n), matvec=product, dtype=np.float64)
        first = np.random.default_rng(seed).standard_normal(n)
        width = min(n, max(10, 2 * k + 8))  # of the Krylov space: SciPy's 20 would cost twice the products for one value
        found = eigsh(operator, k=k, ncv=width, which="LA", tol=tolerance, v0=first, return_eigenvectors=False)
        values.append(torch.from_numpy(np.sort(found)[::-1].copy()))
    return values[0] if x.dim() == 1 else torch.stack(values)


def trace(f, x: Tensor, *, samples: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Hutchinson's estimate of the Hessian's trace and its standard error, each a scalar for x (n,), (S,) for x (S, n).

    The mean of v^T H v over ``samples`` vectors v of random signs.

    >>> trace(lambda x: (x**2).sum() / 2, torch.zeros(5), samples=2)[0]
    tensor(5., dtype=torch.float64)
    """
    points = check_points(x, getattr(f, "n", None))
    f = adapt(f, points.dtype)
    if samples < 2:
        raise ValueError(f"samples is {samples}; a standard error needs at least 2.")
    means, errors = [], []
    for point in points.to(getattr(f, "device", points.device)):
        generator = torch.Generator(point.device).manual_seed(seed)
        found = []
        for _ in range(samples):
            v = torch.randint(0, 2, point.shape, generator=generator, device=point.device).to(point) * 2 - 1
            found.append((v * f.hessian_vector(point, v)).sum().double())
        found = torch.stack(found)
        means.append(found.mean())
        errors.append(found.std() / samples**0.5)
    means, errors = torch.stack(means), torch.stack(errors)
    return (means[0], errors[0]) if x.dim() == 1 else (means, errors)
