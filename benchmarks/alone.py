"""A row measured: here, or in a process of its own that is held to some of the cores.

A library's threads stay on the cores where they began, so a row on one core cannot be measured in a process that has
already used two. ``python -m benchmarks.alone`` is such a process.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable

import torch


def measured(
    row, pairs: int, seconds: float, cores: int, peak: Callable[[torch.dtype], float]
) -> dict:
    """ratio, low, high, seconds_baseline, seconds_ours, pairs, share (of the peak), possible, said."""
    cores = cores or row.cores or 0
    if not cores or cores == len(os.sched_getaffinity(0)) == torch.get_num_threads():
        return here(row, pairs, seconds, peak)
    command = [
        sys.executable,
        "-m",
        "benchmarks.alone",
        row.what,
        row.baseline,
        str(pairs),
        str(seconds),
        str(cores),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": str(cores)},
    )
    if done.returncode:
        raise RuntimeError(
            f"{row.what} against {row.baseline} failed on {cores} core(s):\n{done.stderr[-2000:]}"
        )
    return json.loads(done.stdout.splitlines()[-1])


def here(row, pairs: int, seconds: float, peak: Callable[[torch.dtype], float]) -> dict:
    """The same, in this process."""
    ratio, arms = row.measure(pairs, seconds)
    share = math.nan
    if arms.operations:
        share = arms.operations / ratio.seconds[1] / peak(arms.precision)
    return {
        "ratio": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "seconds_baseline": ratio.seconds[0],
        "seconds_ours": ratio.seconds[1],
        "pairs": ratio.pairs,
        "share": share,
        "possible": ratio.median / share,
        "said": arms.said,
    }


def _child(what: str, baseline: str, pairs: str, seconds: str, cores: str) -> None:
    # before any library starts a thread
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(cores) :])
    from benchmarks import limits, table

    torch.set_num_threads(int(cores))
    (row,) = [row for row in table.rows("cpu") if (row.what, row.baseline) == (what, baseline)]
    print(
        json.dumps(
            here(
                row,
                int(pairs),
                float(seconds),
                lambda precision: limits.peak(torch.device("cpu"), precision),
            )
        )
    )


if __name__ == "__main__":
    _child(*sys.argv[1:])
