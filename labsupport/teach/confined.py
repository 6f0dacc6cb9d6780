"""One submission's process as the grader sees it: messages to and fro, its output, and how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time

from labsupport.settings import environment
from labsupport.teach import wire
from labsupport.teach.surroundings import (
    DATA,
    RESULTS,
    UIDS,
    Limits,
    Report,
    results,
    variables,
    visible,
)


class Ended(RuntimeError):
    """The submission's process is no longer there, or no longer answers: it says why."""


class Confined:
    """One submission's process, which answers messages (see `wire`).

    ``kind`` is "root", "user" or "trusted"; ``slot`` tells processes apart that run side by side.
    """

    def __init__(self, requests: socket.socket, limits: Limits, *, kind: str, slot: int = 0):
        self.limits, self.kind, self.report = limits, kind, Report()
        self._waited, self._buffer, self._asking, self._hearing = 0.0, b"", True, True
        self._kept: list[bytes] = []
        self._folder = tempfile.mkdtemp(prefix="grading-")
        reads, self._to = os.pipe()
        self._from, writes = os.pipe()
        self._report_from, report = os.pipe()
        self._output_from, output = os.pipe()
        theirs = [reads, writes, report, output]
        try:
            socket.send_fds(requests, [json.dumps(self._job(slot)).encode()], theirs)
        finally:
            for number in theirs:
                os.close(number)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _job(self, slot: int) -> dict:
        limits, trusted = self.limits, self.kind == "trusted"
        real = str(environment.data_folder()), str(results())
        each = {
            "CPU": int(limits.seconds) + 1,
            "CORE": 0,
            "FSIZE": limits.scratch_mb * 2**20,
            "NOFILE": 256,
            "DATA": limits.memory_mb * 2**20,
        }  # of each process; `confine` watches the sum
        return {
            "kind": self.kind,
            "root": self._folder,
            "visible": {} if trusted else visible(),
            "scratch_mb": limits.scratch_mb,
            "memory_mb": limits.memory_mb,
            "uid": UIDS + slot if self.kind == "root" else None,
            "limits": each if trusted else each | {"NPROC": limits.processes},
            "environment": variables(self._folder, *real)
            if trusted
            else variables("/scratch", DATA, RESULTS),
        }

    # -- what it says -------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Keep the last words of the output; end a process that says too much."""
        said = 0
        with open(self._output_from, "rb", buffering=0) as stream:
            while piece := stream.read(65536):
                said += len(piece)
                self._kept = [*self._kept[-20:], piece[-4000:]]
                if said > self.limits.output_mb * 2**20:
                    self._end(f"It printed more than {self.limits.output_mb} MB.")

    def send(self, message: dict) -> None:
        """Pass one message. Raises Ended if nobody reads it."""
        line = memoryview(wire.dumps(message))
        os.set_blocking(self._to, False)
        while line:
            if not self._ready(writing=True):
                self._too_late()
            try:
                line = line[os.write(self._to, line[:65536]) :]
            except BlockingIOError:
                continue
            except OSError:
                self._gone()

    def receive(self) -> dict:
        """The next message. Raises Ended where none comes, wire.WireError where it is none."""
        while b"\n" not in self._buffer:
            if not self._ready():
                self._too_late()
            piece = os.read(self._from, 2**20)
            if not piece:
                self._gone()
            self._buffer += piece
            if len(self._buffer) > wire.MESSAGE + 1:
                raise wire.WireError(f"A message has more than {wire.MESSAGE // 2**20} MiB.")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return wire.loads(line)

    def ask(self, message: dict) -> dict:
        """Send a message, and return the answer."""
        self.send(message)
        return self.receive()

    def _ready(self, writing: bool = False) -> bool:
        """Whether there is something to read, or room to write, before its time is up or it is ended."""
        while not self.report.why and self._waited < self.limits.seconds:
            began, wait = time.monotonic(), min(self.limits.seconds - self._waited, 0.5)
            found = (
                select.select([], [self._to], [], wait)[1]
                if writing
                else select.select([self._from], [], [], wait)[0]
            )
            self._waited += time.monotonic() - began
            if found:
                return True
        return False

    def _too_late(self):
        self._end(f"It was not done after {self.limits.seconds:g} seconds.")
        raise Ended(self.report.why)

    def _gone(self):
        """Nobody is at the other end any more: ask `confine` why."""
        self._hear(3.0)
        self._end("It ended by itself.")
        raise Ended(self.report.why)

    # -- how it ends --------------------------------------------------------------------------------------------

    def _hear(self, patience: float) -> None:
        """What `confine` says when it ends, if it does."""
        if not self._hearing or not select.select([self._report_from], [], [], patience)[0]:
            return
        try:
            said = json.loads(os.read(self._report_from, 65536) or b"{}")
        except ValueError:
            return
        self.report.cpu_s, self.report.peak_mb = said.get("cpu_s", 0.0), said.get("peak_mb", 0)
        if not self.report.why and said.get("why") == "memory":
            self.report.why = f"It held more than {self.limits.memory_mb} MB of memory."
        elif not self.report.why and said.get("why") == "setup":
            self.report.why = said.get("says", "")
        elif not self.report.why and said.get("status") is not None and self._asking:
            self.report.why = _death(said["status"])

    def _end(self, why: str) -> None:
        """`confine` ends everything when nobody listens to its report any more."""
        self.report.why = self.report.why or why
        if self._hearing:
            os.close(self._report_from)
            self._hearing = False

    def close(self) -> Report:
        """End it, which is orderly if it has nothing more to do, and leave nothing behind."""
        if self._asking:
            os.close(self._to)  # nothing more is asked
            self._asking = False
            if not self.report.why:
                self._hear(2.0)
            if self._hearing:
                os.close(self._report_from)
                self._hearing = False
            self._listener.join(10)
            os.close(self._from)
            self.report.seconds = round(self._waited, 2)
            self.report.output = b"".join(self._kept)[-4000:].decode(errors="replace")
            shutil.rmtree(self._folder, ignore_errors=True)
        return self.report

    def __enter__(self) -> Confined:
        return self

    def __exit__(self, *failure) -> None:
        self.close()


def _death(status: int) -> str:
    if status >= 0:
        return f"It ended by itself, with status {status}, before it was graded."
    with contextlib.suppress(ValueError):
        if signal.Signals(-status) is signal.SIGXCPU:
            return "It used up its processor time."
        return f"It was ended by {signal.Signals(-status).name}."
    return f"It was ended by signal {-status}."
