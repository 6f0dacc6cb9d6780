"""Add the finished rows of a reproduction to the committed results, and write their comparison anew.

    python -m tools.collect FOLDER        a folder that `labsupport reproduce --out FOLDER` has filled

Rows of one network on one data set must come from one code: others are refused.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools import arguments


def main(argv: list[str] | None = None) -> int:
    from labsupport.reproduce import committed

    words = sys.argv[1:] if argv is None else argv
    if len(words) != 1 or not (Path(words[0]) / "rows").is_dir():
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        added = committed.take(words[0])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(added) or "Nothing new.")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
