"""What is chosen from outside: the `environment`, and the table of problems and recipes of each scale (`scales`).

The names of `scales` are imported when they are first asked for: `environment` is a leaf, and stays one.
"""

from __future__ import annotations

import importlib

__all__ = ["TABLE", "Settings", "current"]


def __getattr__(name: str):
    if name in __all__:
        return getattr(importlib.import_module("labsupport.settings.scales"), name)
    raise AttributeError(f"module 'labsupport.settings' has no attribute {name!r}")
