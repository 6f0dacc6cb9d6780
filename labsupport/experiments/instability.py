"""Chapter 5, is a spike of the loss an instability of Adam? The Hessian as Adam scales it, beside its limit.

Full-batch Adam with a fixed rate becomes unstable where the largest eigenvalue of D^(-1/2) H D^(-1/2) passes 38 / rate,
with D the root of Adam's mean of squares, its constant added (Cohen et al. 2022, arXiv:2207.14484, section 3: (2 + 2
b1) / ((1 - b1) rate), b1 = 0.9). It takes minutes, so it is measured once and committed.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable

import pandas as pd
from torch import Tensor

from labsupport import curvature, provenance
from labsupport.errors import EigenvalueWarning
from labsupport.experiments.during_training import CHANGES, about_run, epochs_with, long_recipe
from labsupport.objective import Objective
from labsupport.settings import Settings
from labsupport.training.optimizers import Adam

NAME = "adams-limit"
#: Epochs between two looks.
EVERY = 2
#: Of the eigenvalues, as `curvature.top_eigenvalues` has it.
TOLERANCE = 0.05
#: What is changed from SB's last epoch on, as in `during_training.CHANGES`; here also nothing.
ARMS = {"unchanged": (1.0, Adam.eps), "rate / 10": CHANGES["rate / 10"]}


class Scaled:
    """f as a function of D^(1/2) x, D (n,) fixed: in these units Adam's step is the rate times its mean of gradients.

    Its Hessian is D^(-1/2) H D^(-1/2). The methods are those that `curvature` asks of a function; their x is in the
    new units.
    """

    def __init__(self, f: Objective, spread: Tensor):
        self.f, self.units = f, spread.double().sqrt()
        self.n, self.dtype, self.device = f.n, f.dtype, f.device

    def __call__(self, x: Tensor) -> Tensor:
        return self.f(x / self.units)

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = self.f.value_and_gradient(x / self.units)
        return value, gradient / self.units

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        return self.hessian_at(x)(v)

    def hessian_at(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        product = self.f.hessian_at(x / self.units)
        return lambda v: product(v / self.units) / self.units

    def double(self) -> Scaled:
        return Scaled(self.f.double(), self.units**2)


def limit(rate: float, b1: float = Adam.b1) -> float:
    """The largest scaled eigenvalue at which steps of full-batch Adam on a parabola, D fixed, do not grow.

    >>> round(limit(1e-3))
    38000
    """
    return (2 + 2 * b1) / ((1 - b1) * rate)


def spread(state: dict[str, Tensor]) -> Tensor:
    """D (S, n), from what Adam remembers (`Stepper.state`): the root of the mean of squares, corrected for its start at
    0, with the constant added; before the next step's gradient enters it.
    """
    return (state["v"] / (1 - Adam.b2 ** float(state["t"]))).sqrt() + Adam.eps


def scaled_eigenvalue(
    f: Objective, x: Tensor, spreads: Tensor, tolerance: float = TOLERANCE
) -> list[float]:
    """The largest eigenvalue of D^(-1/2) H D^(-1/2) at each of the points x (S, n), with D (S, n).

    Raises ValueError if D has another shape than x.
    """
    if x.shape != spreads.shape:
        raise ValueError(
            f"D has shape {tuple(spreads.shape)}, the points {tuple(x.shape)}; one root a weight is needed."
        )
    found = []
    for point, its in zip(x, spreads):
        scaled = Scaled(f, its)
        u = point.double() * scaled.units
        found.append(float(curvature.top_eigenvalues(scaled, u, tolerance=tolerance)[0]))
    return found


def adams_limit() -> pd.DataFrame:
    """The committed result of `record_adams_limit`.

    Returns
    -------
    DataFrame
        arm ("" up to SB's last epoch, which all share; then `ARMS`), seed, epoch, train_loss (nats), eigenvalue (of the
        scaled Hessian of the training loss), limit (`limit` of the arm's rate).
    """
    return provenance.read(NAME)[0]


def look_before_spike(run: pd.DataFrame, stop: float, factor: float = 10) -> int | None:
    """The epoch of the record before the first one, ``stop`` once reached, with a loss above ``stop`` and ``factor``
    times the least so far; None for a run without a spike.
    """
    run = run.sort_values("epoch")
    least = math.inf
    for before, loss in zip(run.epoch.shift(), run.train_loss):
        if least <= stop and loss > max(factor * least, stop):
            return int(before)
        least = min(least, loss)
    return None


def measure_adams_limit(s: Settings, every: int = EVERY) -> pd.DataFrame:
    """Train LB to `Settings.long_epochs`, unchanged and at a tenth of the rate, and look every so many epochs.

    Three rules were written before the run; each holds if the 95 % t-interval over seeds lies where it says. 5.11: in
    the last look before a spike (`look_before_spike`, unchanged) the eigenvalue is within a factor of 2 of the limit.
    5.12: it has risen since SB's last epoch. 5.13: at a tenth of the rate it stays below half of its own limit to the
    end.
    """
    tables = []
    for arm, loop in epochs_with(s, ARMS):
        if loop.epoch % every == 0:
            x, f = loop.x[loop.going], loop.history.on_train
            rows = {
                "arm": arm,
                "seed": [loop.seeds[row] for row in loop.going],
                "epoch": loop.epoch,
                "train_loss": f(x).tolist(),
                "eigenvalue": scaled_eigenvalue(f, x, spread(loop.stepper.state)),
                "limit": limit(loop.recipe.learning_rate),
            }
            tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def record_adams_limit(s: Settings, **where) -> str:
    """Measure `measure_adams_limit` here and write the result with its provenance, for the commit; for maintainers.

        python -c "from labsupport import settings; from labsupport.experiments import instability as i;
        i.record_adams_limit(settings.current())"

    ``where`` may name another ``folder``. Returns the path.
    """
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error", EigenvalueWarning)
        rows = measure_adams_limit(s)
    about = about_run(
        s,
        began,
        recipe=repr(long_recipe(s)),
        changed_at=f"epoch {s.SB.epochs}",
        every=f"{EVERY} epochs",
        tolerance=TOLERANCE,
    )
    return str(provenance.write(NAME, rows, about, **where))
