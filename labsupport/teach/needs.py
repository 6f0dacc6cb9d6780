"""The libraries of the extra ``teach``, imported when they are needed."""

from __future__ import annotations

import importlib

#: What to install for a module, where the two names differ.
_PACKAGE = {
    "yaml": "PyYAML",
    "markdown_it": "markdown-it-py",
    "otter": "otter-grader",
    "IPython": "ipython",
}


def need(module: str):
    """Import ``module``, or say in one sentence what to install.

    >>> need("json").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = _PACKAGE.get(module.split(".")[0], module.split(".")[0])
        raise RuntimeError(
            f'This needs {package}, which is not installed; run: pip install "labsupport[teach]".'
        ) from error
