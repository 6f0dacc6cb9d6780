"""What a submission's process sees and may take: folders, environment, limits."""

from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from labsupport.settings import environment

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/fonts",
    "/etc/alternatives",
)
#: Where a submission finds data sets and trained networks.
DATA, RESULTS = "/course/data", "/course/results"
#: The user that a submission becomes where the grader is root; each slot has a number of its own, for its own limits.
UIDS = 900_000


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds of waiting in all, MB of memory and scratch, processes, MB of output."""

    seconds: float = 300
    memory_mb: int = 3000
    processes: int = 128
    output_mb: int = 10
    scratch_mb: int = 256


@dataclass
class Report:
    """What it took, and why it ended early (empty if it did not)."""

    why: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_mb: int = 0
    output: str = field(default="", repr=False)


def results() -> Path:
    """What submissions may read of results: data sets that were generated, in a folder of their own."""
    return environment.store_folder() / "for-submissions"


def visible() -> dict[str, str]:
    """What a submission sees, read-only, and where: the system, Python, this package, data, results."""
    package = Path(__file__).resolve().parents[1]
    wanted = [
        *_SYSTEM,
        sys.prefix,
        sys.base_prefix,
        sys.exec_prefix,
        str(Path(sys.executable).resolve().parent),
    ]
    wanted += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(package)]
    found: dict[str, str] = {}
    for path in map(os.path.abspath, wanted):
        inside = any(path == seen or path.startswith(seen + "/") for seen in found)
        if os.path.lexists(path) and path != "/" and not inside:
            found[path] = path
    folders = {str(environment.data_folder()): DATA, str(results()): RESULTS}
    return found | {
        os.path.realpath(path): place for path, place in folders.items() if os.path.isdir(path)
    }


def refuse_if_visible(folder: Path) -> None:
    """Tests and submissions must lie where no submission can read them. Raises ValueError if ``folder`` is visible."""
    place = str(folder.resolve())
    for path in visible():
        if place == path or place.startswith(path + "/"):
            raise ValueError(
                f"{folder} lies in {path}, which submissions can read; move it elsewhere and grade again."
            )


def variables(home: str, data: str, results: str) -> dict[str, str]:
    """What a submission's process knows of the outside."""
    package = str(Path(__file__).resolve().parents[2])
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": home,
        "TMPDIR": home,
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "PYTHONPATH": package,
        "PYTHONDONTWRITEBYTECODE": "1",
        "IPYTHONDIR": home + "/ipython",
        "MPLBACKEND": "agg",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
        "LABSUPPORT_SCALE": "smoke",
        "LABSUPPORT_WORKERS": "1",
        "LABSUPPORT_DATA": data,
        "LABSUPPORT_STORE": results,
        **environment.said(["ATEN_CPU_CAPABILITY"]),  # the judge's arithmetic, where it was chosen
    }
