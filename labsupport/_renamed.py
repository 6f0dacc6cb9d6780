"""Modules that had another name in version 0.1: the old one still works, with a warning, for one version."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import sys
import warnings

#: {old name: new name}, both inside ``labsupport``.
MODULES = {
    "dense": "engine.written_out",
    "frames": "explore.frames",
    "functions": "engine.functions",
    "knobs": "explore.parameters",
    "manifold": "subspace",
    "pieces": "remedies",
    "scale": "settings",
    "stack": "engine.stacked",
    "steps": "training.step",
    "store": "cache",
    "widgets": "explore",
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``labsupport.OLD`` and loads the module of the new name in its place."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, old = fullname.partition(".")
        if package != "labsupport" or old not in MODULES:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec):
        new = MODULES[spec.name.partition(".")[2]]
        warnings.warn(
            f"{spec.name} is now labsupport.{new}; the old name goes with the next version.",
            DeprecationWarning,
            stacklevel=2,
        )
        module = importlib.import_module(f"labsupport.{new}")
        self.home = module.__spec__
        return module

    def exec_module(self, module):
        """The module is loaded already; it keeps its own home, so that it can be loaded again."""
        module.__spec__ = self.home


def install() -> None:
    """Let Python find the old names; once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
