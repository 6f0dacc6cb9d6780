"""The bench behind the course *Large Batches and Sharp Minima*.

A network is a point ``x`` in R^n. Training moves it; everything afterwards (sharpness, lines, surfaces,
curvature) is arithmetic on vectors and calls of the loss ``f(x)``. Start with a `Problem`, `training.train`
and `Problem.objective`; the chapters of the book say why.
"""

from __future__ import annotations

import importlib

from labsupport import _renamed

__version__ = "1.0.0"

#: The names of the README's example; each is imported when it is first asked for, so that the
#: command line starts at once.
_HOME = {"Problem": "problem", "Objective": "objective", "Recipe": "recipe"}
__all__ = ["Objective", "Problem", "Recipe"]

_renamed.install()


def __getattr__(name: str):
    if name in _HOME:
        return getattr(importlib.import_module(f"labsupport.{_HOME[name]}"), name)
    if name in _renamed.MODULES:
        return importlib.import_module(f"labsupport.{name}")
    raise AttributeError(f"module 'labsupport' has no attribute {name!r}")
