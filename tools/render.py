"""Render the executed copy of the book, `_build/src`, to `_build/html`.

    python -m tools.render

A warning is a defect and fails the command.
"""

from __future__ import annotations

import subprocess
import sys

from tools.execute import ROOT


def main() -> int:
    build = ROOT / "_build"
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(build / "src")]
    return subprocess.run([*command, "--path-output", str(ROOT), "-W", "--keep-going", "--all", "-q"]).returncode


if __name__ == "__main__":
    sys.exit(main())
