"""Whose code a module holds: this package's, a library's or the reader's."""

from __future__ import annotations

import functools
import sys
import sysconfig
from pathlib import Path

PACKAGE = "labsupport"
#: Modules that no stored number depends on: what they decide reaches a remembered function as an argument.
NO_NUMBERS = (
    "cache",
    "settings",
    "device",
    "errors",
    "files",
    "check",
    "plots",
    "paper",
    "explore",
    "provenance",
    "doctor",
    "teach",
    "_renamed",
    "__main__",
)
COMPUTE_NOTHING = {"joblib", "tqdm", "matplotlib", "IPython", "ipywidgets", "typer"}
_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve())
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def package(home: str) -> bool:
    """Whether a module is one of this package."""
    return home.split(".")[0] == PACKAGE


def left_out(home: str) -> bool:
    """Whether a module is one of this package that no stored number depends on."""
    return package(home) and (home == PACKAGE or home.split(".")[1] in NO_NUMBERS)


@functools.cache
def library(home: str) -> bool:
    """Whether a module was installed, rather than written by the reader."""
    module = sys.modules.get(home)
    if home in ("__main__", "") or package(home):
        return False
    if home in sys.builtin_module_names or module is None:
        return module is not None or home in sys.builtin_module_names
    file = getattr(module, "__file__", None)
    if file is None:
        return not hasattr(module, "__path__") or home.split(".")[0] in sys.stdlib_module_names
    path = str(Path(file).resolve())
    return path.startswith(_LIBRARIES) or "site-packages" in path or "dist-packages" in path


def version(home: str) -> str:
    """The version of the library that a module belongs to; empty where it says none."""
    module = sys.modules.get(home.split(".")[0])
    return str(getattr(module, "__version__", ""))


def called(value) -> str:
    """The name of a class or function; of a library that computes nothing that library's own.

    Progress bars, for one, are others in a notebook.
    """
    home = value.__module__ or ""
    top = home.split(".")[0]
    return top if top in COMPUTE_NOTHING else f"{home}.{value.__qualname__}"
