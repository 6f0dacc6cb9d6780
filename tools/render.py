"""Render the executed copy of the book, `_build/src`, to `_build/html`.

    python -m tools.render

Fetches the scripts that the pages need first (`tools.vendor`), so that no page asks another host. A warning is a
defect and fails the command.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import vendor
from tools.execute import ROOT


def render(source: Path, output: Path) -> int:
    """Render the book in ``source`` to ``output``/_build/html; the scripts lie beside ``source``, in `vendor`.

    Returns the exit code.
    """
    if failed := vendor.main([str(source.parent / "vendor")]):
        return failed
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source)]
    return subprocess.run([*command, "--path-output", str(output), "-W", "--keep-going", "--all", "-q"]).returncode


def main() -> int:
    return render(ROOT / "_build" / "src", ROOT)


if __name__ == "__main__":
    sys.exit(main())
