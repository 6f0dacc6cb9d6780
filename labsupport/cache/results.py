"""`remember`: a function whose results are computed once and read from disk afterwards."""

from __future__ import annotations

import functools
import inspect
import re
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labsupport import files
from labsupport.cache import code, entries, keys, locks, surroundings, upkeep
from labsupport.settings import environment


def folder() -> Path:
    """Where results are kept."""
    return environment.store_folder()


@dataclass(frozen=True)
class Call:
    """One call of a remembered function: where its result is kept, and what it is called with."""

    path: Path
    key: str
    function: str
    given: dict[str, object]

    @property
    def lock(self) -> Path:
        return self.path.with_suffix(".lock")

    def read(self):
        """The stored result. Raises as `entries.read`."""
        return entries.read(self.path, self.key, self.given)


def call(function: Callable, args: tuple, kwargs: dict) -> Call:
    """The place of a call's result, named by all it depends on. Raises `keys.Unnamed` where that cannot be named."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    name = f"{function.__module__}.{function.__qualname__}"
    given = dict(bound.arguments)
    key = keys.fingerprint(
        [name, given, code.running(function), surroundings.versions(), surroundings.switches()]
    )[:40]
    short = re.sub(r"\W+", "", function.__name__)[:40] or "result"
    return Call(folder() / f"{short}-{key}{entries.SUFFIX}", key, name, given)


def remember(function):
    """Decorate a function: its result is computed once and read from disk afterwards.

    A result is found again by its arguments' content, by the code that runs (the function's own and
    all it reaches), by the libraries' versions and by torch's switches. Two processes that want the
    same result at the same time compute it once: the second waits. Where nothing can be stored, or
    a result has no name, it is returned all the same, with a warning. ``function.fresh(...)`` is
    the function itself; ``function.known(...)`` says whether a result is there, and
    ``function.busy(...)`` whether another process is at it.
    """

    @functools.wraps(function)
    def remembered(*args, **kwargs):
        try:
            this = call(function, args, kwargs)
        except keys.Unnamed as error:
            _say(f"{function.__name__} is computed anew each time, and not stored: {error}")
            return function(*args, **kwargs)
        try:
            upkeep.sweep_once(this.path.parent)
            return this.read()
        except entries.Damaged:
            pass  # looked at again when nobody else is at it
        except (OSError, MemoryError) as error:
            if getattr(error, "errno", None) not in files.NOTHING_THERE:
                _cannot_read(this, error)
                return function(*args, **kwargs)
        return _computed_once(this, function, args, kwargs)

    def known(*args, **kwargs) -> bool:
        try:
            return call(function, args, kwargs).path.is_file()
        except (keys.Unnamed, OSError):
            return False

    def busy(*args, **kwargs) -> bool:
        try:
            return locks.is_held(call(function, args, kwargs).lock)
        except (keys.Unnamed, OSError):
            return False

    made: Any = remembered
    made.fresh, made.known, made.busy = function, known, busy
    return made


def _computed_once(this: Call, function: Callable, args: tuple, kwargs: dict):
    with ExitStack() as stack:
        try:
            this.path.parent.mkdir(parents=True, exist_ok=True)
            alone = stack.enter_context(locks.held(this.lock, this.path.stem))
        except OSError as error:
            warn_not_stored(this.path, error)
            return function(*args, **kwargs)
        if alone:
            upkeep.remove_partials(this.path)
        try:
            return this.read()
        except FileNotFoundError:
            pass
        except entries.Damaged as error:
            if not _put_aside(this, error):
                return function(*args, **kwargs)
        except (OSError, MemoryError) as error:
            _cannot_read(this, error)
            return function(*args, **kwargs)
        return _stored(this, function(*args, **kwargs))


def _stored(this: Call, result):
    """The result as it will be read: equal to the last bit, in the same layout."""
    about = {"key": this.key, "function": this.function, **surroundings.versions()}
    try:
        content = entries.dumps(result, about, this.given)
    except TypeError as error:
        _say(f"The result of {this.function} is not stored: {error}.")
        return result
    try:
        files.write(this.path, content, beside=this.path.stem)
    except OSError as error:
        warn_not_stored(this.path, error)
    return entries.loads(content, this.key, this.given)


def _put_aside(this: Call, damage: entries.Damaged) -> bool:
    try:
        upkeep.put_aside(this.path)
    except OSError as error:
        _say(
            f"The stored result {this.path.name} is damaged: {damage}. It could not be put aside "
            f"({files.why(error)}); the result is computed again, and not stored."
        )
        return False
    _say(
        f"The stored result {this.path.name} is damaged: {damage}. It was put aside in "
        f"{upkeep.DAMAGED}/, and the result is computed again."
    )
    return True


def _cannot_read(this: Call, error: BaseException) -> None:
    reason = files.why(error) if isinstance(error, OSError) else "there is too little memory"
    _say(
        f"The stored result {this.path.name} cannot be read now: {reason}. It stays where it is; "
        "the result is computed again, and not stored."
    )


def warn_not_stored(path: Path, error: OSError) -> None:
    """Say that a result is lost for the next time, where, why, and what to do about it."""
    _say(
        f"A result could not be stored in {path.parent}: {files.why(error)}. It will be computed again next time. Free "
        "some space, or set LABSUPPORT_STORE to another folder."
    )


def _say(text: str) -> None:
    warnings.warn(text, stacklevel=4)
