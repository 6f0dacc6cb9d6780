"""The commands of the Makefile, also where there is no make: ``python -m tools`` lists them.

    python -m tools book            as `make book`
    python -m tools book -h         what a command can be given

The first command sets up an environment if none is active; each then runs with the Python of that environment. Until
there, only the standard library is used.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools import environment

ROOT = Path(__file__).resolve().parent.parent
ENTERED = "COURSE_ENVIRONMENT"  # says that this process already runs in the right environment

WITHOUT = {
    "help",
    "-h",
    "--help",
    "address",
    "serve",
    "clean",
}  # need nothing that must be installed


FOR_AUTHORS = {"test", "lint", "pdf", "bench", "gpu"}  # what readers of the book need not install


def start(argv: list[str]) -> int:
    """Find or make the environment, and run the command there."""
    python = environment.python("dev" if argv[0] in FOR_AUTHORS else "book")
    environ = {**os.environ, ENTERED: "1"}
    path = [str(ROOT), *filter(None, [environ.get("PYTHONPATH")])]
    environ["PYTHONPATH"] = os.pathsep.join(path)
    command = [str(python), "-m", "tools", *argv]
    if os.name == "posix":
        os.chdir(ROOT)
        sys.stdout.flush()
        os.execve(
            command[0], command, environ
        )  # in this process's place: signals need no passing on
    return subprocess.run(command, cwd=ROOT, env=environ).returncode


def main() -> None:
    from tools import arguments, commands

    argv = sys.argv[1:]
    if argv[:1] == ["environment"]:
        tier = (argv[1:] or ["book"])[0]
        if tier not in environment.TIERS:
            sys.exit(f"No tier is called {tier!r}. Possible: {', '.join(environment.TIERS)}.")
        print(environment.python(tier))
        return
    entered = os.environ.pop(ENTERED, "")

    def run() -> int:
        asked = commands.read(argv)  # what will not do is said before anything is installed
        if entered or not argv or argv[0] in WITHOUT or {"-h", "--help"} & set(argv):
            return asked()
        return start(argv)

    arguments.command_line(run)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # before the commands, which see to it themselves
        sys.exit(130)
