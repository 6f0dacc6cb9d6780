"""How much memory the processes inside hold, as `/proc` tells."""

from __future__ import annotations

import contextlib
import os
import re
import resource
from pathlib import Path


def held_bytes(only: int | None = None) -> int:
    """What all processes inside hold in memory, with the scratch; this one does not count.

    With ``only``, what this one process holds: outside there is no telling whose the others are.
    """
    total, page = 0, resource.getpagesize()
    for entry in _processes(only):
        with contextlib.suppress(OSError, IndexError, ValueError):  # it has ended
            words = Path(f"/proc/{entry}/statm").read_text().split()
            total += (int(words[1]) - int(words[2])) * page  # resident, less what files back
    return total + (0 if only else _scratch_bytes())


def shared_out_bytes(only: int | None = None) -> int:
    """As `held_bytes`, but a page that several processes share counts once: exact, and slower."""
    total = 0
    for entry in _processes(only):
        with contextlib.suppress(OSError, IndexError, ValueError):
            found = re.search(
                r"^Pss_Anon:\s+(\d+) kB",
                Path(f"/proc/{entry}/smaps_rollup").read_text(),
                re.MULTILINE,
            )
            total += int(found.group(1)) * 1024 if found else 0
    return total + (0 if only else _scratch_bytes())


def _processes(only: int | None) -> list[str]:
    return (
        [str(only)]
        if only
        else [entry for entry in os.listdir("/proc") if entry.isdigit() and entry != "1"]
    )


def _scratch_bytes() -> int:
    scratch = os.statvfs("/scratch")
    return (scratch.f_blocks - scratch.f_bfree) * scratch.f_frsize
