"""Results kept on disk, so that chapters share the same minima and a second run of the book is quick.

A result is found again by what it depends on: the function's name and arguments, the device type, torch's version, and
the code of the function's file and of every module of the package that it imports, directly or through others (without
comments and docstrings). So an edit never shows an old result, and an edit to sharpness does not retrain a network.
Deleting the store, ``$LABSUPPORT_STORE`` or the user's cache folder, is always safe.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np
import torch
from filelock import FileLock, Timeout

from labsupport import device as devices
from labsupport.settings import environment

#: Modules that no stored number depends on: what they decide reaches a remembered function as an argument.
_NO_NUMBERS = {"labsupport", "cache", "settings", "settings.environment", "settings.scales", "device", "errors", "check", "plots", "paper"}


def folder() -> Path:
    """Where results are kept."""
    return environment.store_folder()


@functools.cache
def _parsed(path: Path) -> tuple[str, frozenset[str]]:
    """A digest of the code of one file (comments, layout and docstrings do not count), and the modules it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "labsupport":
            inner = node.module.split(".")[1:]
            imported |= {".".join(inner)} if inner else {alias.name for alias in node.names}
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0].value.value = ""
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), frozenset(imported - _NO_NUMBERS)


@functools.cache
def code_version(path: Path) -> str:
    """A digest of the code in a file and in all modules of this package that it reaches by imports."""
    here, seen, waiting = Path(__file__).parent.parent, {}, [path]
    while waiting:
        file = waiting.pop()
        if file not in seen and file.exists():
            seen[file], imported = _parsed(file)
            waiting += [here.joinpath(*name.split(".")).with_suffix(".py") for name in imported]
    return hashlib.sha256("".join(sorted(seen.values())).encode()).hexdigest()


def fingerprint(value) -> str:
    """A digest of a nest of numbers, strings, tensors, dataclasses, data sets and functions' names."""
    return joblib.hash(_plain(value), hash_name="sha1")


def _plain(value):
    if isinstance(value, torch.Tensor):
        return np.ascontiguousarray(value.detach().cpu().numpy())
    if hasattr(value, "key"):  # a Dataset, a Problem
        return (type(value).__name__, _plain(value.key))
    if isinstance(value, dict):
        return sorted((str(k), _plain(v)) for k, v in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if hasattr(value, "__dataclass_fields__"):
        return (type(value).__name__, _plain({k: getattr(value, k) for k in value.__dataclass_fields__}))
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)  # a view is named by its numbers, not by how they lie in memory
    if isinstance(value, np.generic | str | bytes | int | float | bool | type(None)):
        return value
    raise TypeError(f"A {type(value).__name__} cannot be part of a stored result's name. Possible: numbers, strings, "
                    "tensors, arrays, data sets, dataclasses, and lists, tuples or dicts of these.")


def remember(function):
    """Decorate a function of hashable-by-content arguments: its result is computed once and read from disk afterwards.

    Two processes that want the same result at the same time compute it once: the second waits. Where nothing can be
    written, on a full disk for example, the result is returned all the same, with a warning.
    ``function.fresh(...)`` is the function itself; ``function.known(...)`` says whether a result is there, and
    ``function.busy(...)`` whether another process is at it.
    """

    def path_of(args, kwargs) -> Path:
        code = code_version(Path(function.__code__.co_filename))
        key = fingerprint([function.__module__, function.__qualname__, code, list(args), kwargs, devices.pick().type,
                           torch.__version__])
        return folder() / f"{function.__name__}-{key}.joblib"

    @functools.wraps(function)
    def remembered(*args, **kwargs):
        path = path_of(args, kwargs)
        if not path.exists():
            lock = FileLock(f"{path}.lock")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                lock.acquire()
            except OSError as error:
                warn_not_stored(path, error)
                return function(*args, **kwargs)
            try:
                if not path.exists():
                    result = function(*args, **kwargs)
                    if not _write(path, result):
                        return result
            finally:
                lock.release()
        try:
            return joblib.load(path)
        except Exception:  # truncated or written by another library version: make it again
            path.unlink(missing_ok=True)
            return function(*args, **kwargs)

    def busy(*args, **kwargs) -> bool:
        try:
            with FileLock(f"{path_of(args, kwargs)}.lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that is not there, or cannot be written
            return False

    remembered.fresh, remembered.busy = function, busy
    remembered.known = lambda *args, **kwargs: path_of(args, kwargs).exists()
    return remembered


def warn_not_stored(path: Path, error: OSError) -> None:
    """Say that a result is lost for the next time, where, why, and what to do about it."""
    warnings.warn(f"A result could not be stored in {path.parent}: {error}. It will be computed again next time. Free some "
                  "space, or point LABSUPPORT_STORE at another folder.", stacklevel=3)


def _write(path: Path, result) -> bool:
    """Whether the result now lies at ``path``; there it is whole, or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
            try:
                joblib.dump(result, file, compress=0)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        warn_not_stored(path, error)
        return False
    return True
