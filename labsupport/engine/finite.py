"""Numbers that are not finite: an error where a point holds one, a warning where a result does."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from labsupport.errors import NotFiniteWarning


def checked(points: Tensor) -> Tensor:
    """The points. Raises ValueError where a number has become too large for their format."""
    if not torch.isfinite(points).all():
        raise ValueError(
            f"x overflows {points.dtype}, in which this f is computed. Use f.double()."
        )
    return points


def warn(what: str, values: Tensor, inputs: Tensor, dtype: torch.dtype) -> None:
    """Say which of the ``values`` (S,), one a model, are inf or nan: results ``what`` of ``inputs`` in ``dtype``."""
    bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
    if not bad:
        return
    why = f"its numbers overflow {dtype}, so that f.double() or a smaller x may help"
    if inputs.is_floating_point() and not torch.isfinite(inputs).all():
        why = "the inputs hold values that are not finite"
    warnings.warn(
        f"{what} is not a finite number for model(s) {bad}: {why}.",
        NotFiniteWarning,
        stacklevel=4,  # past the method of f and what wraps it
    )
