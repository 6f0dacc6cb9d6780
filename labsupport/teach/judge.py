"""Tests judge a submission from outside: they get its values, and call its functions in its own process.

No code of the submission runs here, and no test, expected value or grade is where the submission runs. Patching numpy,
`check` or a comparison there changes only what the submission says about itself.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import signal
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

from labsupport.teach import judging, wire
from labsupport.teach.sandbox import Confined, Ended
from labsupport.teach.source import Assignment, Test

#: Seconds that one test may take here, besides what the submission takes.
PATIENCE = 120


@dataclass(frozen=True)
class Result:
    """How one test went; ``why`` is empty if it passed."""

    test: str
    question: str
    points: float
    earned: float
    why: str = ""


class Raised(Exception):
    """The submission's function stopped with an error of its own."""


class _Function:
    """A function of the submission: a call asks its process and waits for the answer."""

    def __init__(self, inside: Confined, name: str):
        self._inside, self._name = inside, name

    def __call__(self, *given, **named):
        request = {
            "call": self._name,
            "args": [_sent(part) for part in given],
            "named": {key: _sent(part) for key, part in named.items()},
        }
        found = _answer(self._inside.ask(request))
        return wire.Other("function") if isinstance(found, wire.Callable) else found


def _sent(part):
    if isinstance(part, judging.Function):
        return {
            "source": part.source,
            "values": {key: wire.encode(value) for key, value in part.values.items()},
        }
    return wire.encode(part)


def _answer(message: dict):
    if set(message) == {"value"}:
        return wire.decode(message["value"])
    if set(message) == {"error"} and isinstance(message["error"], str):
        raise Raised(message["error"][:300])
    raise wire.WireError("An answer holds neither a value nor an error.")


def judge(assignment: Assignment, inside: Confined, seed: int) -> tuple[list[Result], str]:
    """Run all tests against a submission whose cells have run.

    Every value is asked for once, before any function is called: it cannot say one thing to one test and another to the
    next. If the process ends or breaks the form of its messages, the tests that are left fail, and the reason is
    the second thing that comes back.
    """
    names = {name for test in assignment.tests for name in test.parameters} - {"seed"}
    values: dict = {"seed": seed}
    gone = ""
    for name in sorted(names):
        try:
            found = _answer(inside.ask({"get": name}))
            values[name] = _Function(inside, name) if isinstance(found, wire.Callable) else found
        except Raised as error:
            values[name] = wire.Other(str(error))
        except (Ended, wire.WireError, OSError) as error:
            gone = str(error)
            break
    results = []
    with _importing_from(assignment.folder):
        for test in assignment.tests:
            why, gone = (gone, gone) if gone else _run(test, values)
            results.append(
                Result(test.name, test.question, test.points, 0.0 if why else test.points, why)
            )
    return results, gone


def _run(test: Test, values: dict) -> tuple[str, str]:
    """Why it failed, and why no other test can succeed any more; empty texts if neither."""
    blank = [name for name in test.parameters if values[name] is ...]
    if blank:
        return f"{blank[0]} was not given.", ""
    space: dict = {"__name__": "a test"}
    exec(compile(test.source, test.name, "exec"), space)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _patience():
            warnings.simplefilter("ignore")
            space[test.name](*[values[name] for name in test.parameters])
    except (Ended, wire.WireError, TimeoutError, BrokenPipeError) as error:
        return str(error), str(error)
    except AssertionError as error:
        return str(error) or "It is not what was asked for.", ""
    except Exception as error:  # what comes of values of any form
        return f"{type(error).__name__}: {error}"[:300], ""
    return "", ""


@contextlib.contextmanager
def _patience():
    """End a test that does not end; only a process's main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_):
        raise TimeoutError(f"The test was not done after {PATIENCE} seconds.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _importing_from(folder: Path):
    """Tests may import ``marking`` from their assignment's folder, and only from that one."""
    sys.path.insert(0, str(folder))
    sys.modules.pop("marking", None)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("marking", None)
