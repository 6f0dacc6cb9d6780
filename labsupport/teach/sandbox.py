"""A submission's process, shut in: no network, no other files, limited time, memory, processes and output.

Linux namespaces (user, process, mount, network). Where they cannot be had, `mode` says why in one
sentence; `trusted` starts the same process without them, for submissions that are trusted.

Inside, everything but a scratch is read-only, and only what Python and the course need is there at all: no other
submission, no test, no secret of a release. See `confine` for how.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from functools import lru_cache

from labsupport.settings import environment
from labsupport.teach import wire
from labsupport.teach.confined import Confined, Ended
from labsupport.teach.surroundings import Limits, results, variables

__all__ = ["Confined", "Ended", "SandboxUnavailable", "Warm", "mode"]


class SandboxUnavailable(RuntimeError):
    """Submissions cannot be shut in here."""


@lru_cache(maxsize=1)
def mode() -> str:
    """ "root" or "user": how a process can be shut in here.

    Raises
    ------
    SandboxUnavailable
        It cannot; one sentence says why and what may be done.
    """
    tried = []
    if sys.platform == "linux":
        with Warm(light=True) as warm:
            for name in ("root", "user") if os.geteuid() == 0 else ("user",):
                with warm.run(Limits(seconds=60), kind=name) as inside:
                    try:
                        inside.send({"cells": None})
                        inside.receive()
                        return name
                    except (Ended, wire.WireError) as error:
                        tried.append(str(error))
    reason = "; ".join(dict.fromkeys(tried)) or "this is no Linux"
    raise SandboxUnavailable(
        f"Submissions cannot be shut in on this machine ({reason}): grade on a Linux machine that lets users make "
        "namespaces, or, if you trust every submission, add --trusted."
    )


class Warm:
    """A process that has imported everything; `run` starts a copy of it, shut in, in a moment."""

    def __init__(self, *, light: bool = False):
        if sys.platform != "linux":
            raise SandboxUnavailable(
                "Grading needs Linux: use such a machine, or the autograder.zip of the release on Gradescope."
            )
        self._folder = tempfile.mkdtemp(prefix="grading-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        results().mkdir(parents=True, exist_ok=True)
        known = variables(self._folder, str(environment.data_folder()), str(results())) | {
            "MPLCONFIGDIR": self._folder
        }
        words = [
            sys.executable,
            "-B",
            "-m",
            "labsupport.teach.warm",
            str(theirs.fileno()),
            *(["--light"] if light else []),
        ]
        self._process = subprocess.Popen(
            words,
            env=known,
            cwd=self._folder,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        assert self._process.stderr is not None
        self._said, self._socket = self._process.stderr, ours
        if self._socket.recv(16) != b"ready":
            said = self._said.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(
                f"The process that runs submissions did not start: {said[-1] if said else 'no reason given'}."
            )
        for path in (
            results(),
            *results().rglob("*"),
        ):  # what a submission runs as may be another user
            path.chmod(0o755 if path.is_dir() else 0o644)

    def run(self, limits: Limits, *, kind: str, slot: int = 0) -> Confined:
        """Start one submission's process; hand it its cells with `Confined.send`."""
        return Confined(self._socket, limits, kind=kind, slot=slot)

    def __enter__(self) -> Warm:
        return self

    def __exit__(self, *failure) -> None:
        self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
        shutil.rmtree(self._folder, ignore_errors=True)
