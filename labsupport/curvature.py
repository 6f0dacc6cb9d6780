"""The Hessian of f without the Hessian: its largest eigenvalues and its trace from products with vectors.

A product costs about two gradients. SciPy's Lanczos (`scipy.sparse.linalg.eigsh`) finds the eigenvalues, and every
one is checked by its residual: for a symmetric H and a vector u of length 1, an eigenvalue lies within |H u - theta
u| of theta. The trace is Hutchinson's estimate. These are what Keskar et al. 2017 call too expensive for their
networks (section 2.2).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from labsupport.arguments import number, whole_number
from labsupport.arguments import seed as as_seed
from labsupport.engine.functions import Function, adapt, check_points, functions_of_rows
from labsupport.errors import EigenvalueWarning

#: Functions of so few numbers get their whole Hessian, one product a column; it is exact.
DENSE = 64
#: Restarts that Lanczos may take; for networks it takes two to ten.
RESTARTS = 3000

Product = Callable[[np.ndarray], np.ndarray]


def top_eigenvalues(
    f: Function, x: Tensor, k: int = 1, *, tolerance: float = 1e-3, seed: int = 0
) -> Tensor:
    """The k algebraically largest eigenvalues of the Hessian of f, largest first, each as often as it occurs.

    Parameters
    ----------
    f
        An `objective.Objective`, or any function of one point that torch can differentiate twice.
    x : Tensor (n,) or (S, n)
        One point, or a stack of them.
    k
        How many, 1 to n.
    tolerance
        The residual |H u - theta u| that is small enough, relative to |theta|. The error of a value away from the
        others is about its square.
    seed
        Of the vector that the search starts from.

    Returns
    -------
    Tensor (k,) or (S, k)
        float64, in units of f per squared unit of x.

    Raises
    ------
    TypeError, ValueError
        An argument out of range, a point that is not finite, a product with the Hessian that is not finite.

    Warns
    -----
    EigenvalueWarning
        The tolerance was not reached; the warning says what was.

    >>> scale = torch.tensor([3.0, 1.0, 2.0, 3.0])
    >>> top_eigenvalues(lambda x: (scale * x**2).sum() / 2, torch.zeros(4), k=3)
    tensor([3., 3., 2.], dtype=torch.float64)
    """
    points = check_points(x, getattr(f, "n", None))
    f = adapt(f, points.dtype)
    n = points.shape[1]
    k = whole_number(
        "k", k, least=1, most=n, hint=f"A function of {n} numbers has {n} eigenvalues."
    )
    tolerance = number("tolerance", tolerance, above=0, below=1)
    seed = as_seed("seed", seed)
    values = []
    for one, point in zip(functions_of_rows(f, points), points):
        found = _leading(_Hessian(one, point), k, tolerance, seed)
        values.append(torch.from_numpy(found))
    return values[0] if x.dim() == 1 else torch.stack(values)


class _Hessian:
    """v -> H v as NumPy's float64, with the length of the longest product of a unit vector seen so far."""

    def __init__(self, f: Function, point: Tensor):
        self.point, self.n = point.to(getattr(f, "device", point.device)), len(point)
        self.product = _at(f, self.point)
        self.radius = (
            0.0  # a lower bound of the largest |eigenvalue|, close to it after a few products
        )
        precision = torch.finfo(getattr(f, "dtype", self.point.dtype)).eps
        self.rounding = (
            30 * precision
        )  # of a product, relative to ``radius``; measured on F0: up to 12

    def __call__(self, v: np.ndarray) -> np.ndarray:
        direction = torch.from_numpy(np.ascontiguousarray(v).ravel()).to(self.point)
        product = self.product(direction).double().cpu().numpy()
        bad = int((~np.isfinite(product)).sum())
        if bad:
            raise ValueError(
                f"A product with the Hessian at x has {bad} entries that are not finite numbers: f has no second "
                "derivative there, or it overflows. Try f.double(), or another point."
            )
        self.radius = max(self.radius, np.linalg.norm(product) / max(np.linalg.norm(v), 1e-300))
        return product


def _at(f: Function, point: Tensor) -> Callable[[Tensor], Tensor]:
    """v -> H v at one point, with what the products share made once where f can do that."""
    if hasattr(f, "hessian_at"):
        return f.hessian_at(point)
    return functools.partial(f.hessian_vector, point)


def _leading(hessian: _Hessian, k: int, tolerance: float, seed: int) -> np.ndarray:
    """(k,) the largest eigenvalues of one Hessian.

    Lanczos from one vector finds one direction for each different eigenvalue, and the others of a multiple one only by
    rounding. So with k > 1 the search is repeated on what is orthogonal to all that was found, until nothing larger
    turns up.
    """
    n = hessian.n
    if n <= max(DENSE, 2 * k + 8):
        dense = np.stack([hessian(unit) for unit in np.eye(n)])
        return np.linalg.eigvalsh((dense + dense.T) / 2)[::-1][:k].copy()
    rng = np.random.default_rng(seed)
    values, vectors = _search(hessian, hessian, k, tolerance, rng.standard_normal(n))
    while 1 < k <= len(values) < n:
        least = np.sort(values)[-k]
        rest = _without(hessian, vectors)
        one, direction = _search(hessian, rest, 1, tolerance, rng.standard_normal(n))
        if one[0] <= least + max(tolerance * abs(least), hessian.rounding * hessian.radius):
            break
        values, vectors = np.append(values, one), np.hstack([vectors, direction])
    return np.sort(values)[::-1][:k].copy()


def _without(hessian: _Hessian, vectors: np.ndarray) -> Product:
    """P H P - c V V^T with P = 1 - V V^T: what was found (V, n x m) lies below everything else."""
    basis, _ = np.linalg.qr(vectors)
    below = 2 * hessian.radius

    def product(v):
        v = v.ravel()
        inside = basis.T @ v
        rest = hessian(v - basis @ inside)
        return rest - basis @ (basis.T @ rest) - below * (basis @ inside)

    return product


def _search(
    hessian: _Hessian, product: Product, k: int, tolerance: float, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) values and (n, k) vectors by Lanczos, checked by their residuals."""
    scale = np.linalg.norm(product(first)) / np.linalg.norm(first)
    if scale == 0:  # H = 0 to the last bit: any vectors will do
        return np.zeros(k), np.eye(hessian.n, k)
    goal = tolerance
    for _ in range(4):
        values, vectors = _lanczos(product, scale, k, goal, first)
        products = np.stack([product(u) for u in vectors.T], 1)
        residuals = np.linalg.norm(products - vectors * values, axis=0)
        allowed = np.maximum(1.01 * tolerance * np.abs(values), hessian.rounding * hessian.radius)
        if (residuals <= allowed).all():
            return values, vectors
        goal, first = goal * float((allowed / residuals).min()) / 3, vectors.sum(1)
    worst = int((residuals - allowed).argmax())
    warnings.warn(
        f"The eigenvalue {values[worst]:.4g} is known to {residuals[worst]:.1g}, not to the tolerance {tolerance:g} "
        "of itself. Use f.double(), or a larger tolerance.",
        EigenvalueWarning,
        stacklevel=4,
    )
    return values, vectors


def _lanczos(product: Product, scale: float, k: int, goal: float, first: np.ndarray):
    """SciPy's, on H / scale + 1.

    SciPy's goal is relative to each value, so that one near 0 is out of reach, and it ends with a wrong one: the shift
    by the typical |eigenvalue| mends that, and changes a large one's goal by little. The vectors are asked for
    because they cost no product, and because without them SciPy 1.17 returns a wrong value where the Krylov space is
    exhausted.
    """
    n = len(first)
    operator = LinearOperator((n, n), lambda v: product(v) / scale + v.ravel(), dtype=np.float64)
    width = min(
        n, max(10, 2 * k + 8)
    )  # of the Krylov space: SciPy's 20 would cost twice the products for one value
    try:
        values, vectors = eigsh(
            operator, k, ncv=width, which="LA", tol=goal, v0=first, maxiter=RESTARTS
        )
    except ArpackNoConvergence as error:
        raise ValueError(
            f"Lanczos did not reach a tolerance of {goal:.1g} in {RESTARTS} restarts: the largest eigenvalues of this "
            "Hessian lie too close together. Ask for a larger tolerance or other k, or use f.double()."
        ) from error
    return (values - 1) * scale, vectors


def trace(f: Function, x: Tensor, *, samples: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Hutchinson's estimate of the Hessian's trace and its standard error, each a scalar for x (n,), (S,) for x (S, n).

    The mean of v^T H v over ``samples`` vectors v of random signs.

    Raises
    ------
    TypeError, ValueError
        An argument out of range, a point that is not finite, a product with the Hessian that is not finite.

    >>> trace(lambda x: (x**2).sum() / 2, torch.zeros(5), samples=2)[0]
    tensor(5., dtype=torch.float64)
    """
    points = check_points(x, getattr(f, "n", None))
    f = adapt(f, points.dtype)
    samples = whole_number("samples", samples, least=2, hint="A standard error needs two.")
    seed = as_seed("seed", seed)
    means, errors = [], []
    points = points.to(getattr(f, "device", points.device))
    for one, point in zip(functions_of_rows(f, points), points):
        generator = torch.Generator(point.device).manual_seed(seed)
        product, found = _at(one, point), []
        for _ in range(samples):
            v = torch.randint(0, 2, point.shape, generator=generator, device=point.device)
            v = (2 * v - 1).to(point.dtype)
            found.append((v * product(v)).sum().double())
        products = torch.stack(found)
        if not torch.isfinite(products).all():
            raise ValueError(
                "A product with the Hessian at x is not finite: f has no second derivative there, or it overflows. "
                "Try f.double(), or another point."
            )
        means.append(products.mean())
        errors.append(products.std() / samples**0.5)
    mean, error = torch.stack(means), torch.stack(errors)
    return (mean[0], error[0]) if x.dim() == 1 else (mean, error)
