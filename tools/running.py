"""Programs that end with us: on Ctrl-C, on TERM, and when something goes wrong, they and all that they started.

Children run in groups of their own, so a terminal's Ctrl-C reaches this process alone, which then ends them in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    import psutil

LOOK_SECONDS = 0.2
INTERRUPTED = 130  # the exit code of a program that Ctrl-C ended


class Stopped(BaseException):
    """Ctrl-C or TERM arrived. No Exception, so that nothing on the way takes it for a cell's failure."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Inside, the first Ctrl-C, TERM or hang-up raises Stopped in the main thread; further ones change nothing.

    When the block is left by an error, the programs that it started are ended.
    """
    numbers = [
        getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
    ]
    if threading.current_thread() is not threading.main_thread():
        numbers = []

    def stop(number, frame):
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise Stopped

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        with nothing_left():
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """When the block is left by an error, end what was started inside it, with all that this started."""
    before = set(_children())
    try:
        yield
    except BaseException:
        quiet = 0
        while quiet < 2:  # two looks in a row find nothing: a thread may just be starting a kernel
            started = [child for child in _children() if child not in before]
            for child in started:
                end(child)
            for child in started:
                with contextlib.suppress(Exception):  # gone already, or still going
                    child.wait(1)
            quiet = 0 if started else quiet + 1
            time.sleep(0.02)
        raise


def _children() -> list[psutil.Process]:
    """What this process started and still runs; nothing where psutil is not installed yet, before any kernel."""
    try:
        import psutil
    except ImportError:
        return []
    return psutil.Process().children()


def end(process: psutil.Process) -> None:
    """End a process and all below it; each is halted first, so that none starts another meanwhile."""
    import psutil

    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        process.suspend()
        for child in process.children():
            end(child)
        process.kill()


def call(command: Sequence[str | Path], *, grace: float = 0, **options) -> int:
    """Run a program to its end and return its exit code; call it inside `stoppable`.

    It gets a process group of its own: a terminal's Ctrl-C then reaches us alone, and we end it. With ``grace`` it is
    first interrupted, and has so many seconds to put its things away.
    """
    if os.name == "posix":
        options["start_new_session"] = True
    else:
        options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    program = subprocess.Popen([str(part) for part in command], **options)
    while True:
        try:
            return program.wait(LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            continue  # Windows sees no signal while it waits
        except Stopped:
            if grace and os.name == "posix":
                with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                    os.killpg(program.pid, signal.SIGINT)
                    program.wait(grace)
            raise


def leave(code: int) -> NoReturn:
    """End this program; at once if it was stopped, since libraries would wait for kernels that are gone."""
    if code == INTERRUPTED:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
