"""Gather the claims that the chapters made on this machine into the committed file the last chapter falls back on.

    python -m tools.claims

A reader who opens the last chapter alone then still sees the whole scorecard, and where it was measured. Run every
chapter first: `make outputs`.
"""

from __future__ import annotations

import json
import sys

from tools import arguments, notebooks, skeleton
from tools.chapters import Chapter
from tools.files import ROOT, write_whole

COMMITTED = ROOT / "labsupport" / "results" / "claims.json"


def printed() -> dict[str, tuple[str, str]]:
    """The claims as the committed notebooks print them: verdict and sentence by key."""
    found = {}
    for path in notebooks.chapters(ROOT / "book"):
        for line in skeleton.claim_lines(Chapter.read(path)):
            found[line["key"]] = (line["verdict"], line["text"])
    return found


def main() -> int:
    from labsupport import check, provenance

    shown = printed()
    rows = check.recorded()
    rows = rows[rows.key.isin(shown) & (rows.source == "this machine")] if len(rows) else rows
    if lacking := sorted(set(shown) - set(rows["key"] if len(rows) else [])):
        print(
            f"Not measured on this machine: {', '.join(lacking)}. Run: make outputs",
            file=sys.stderr,
        )
        return 1
    made = json.loads(rows.drop(columns="source").to_json(orient="records"))
    text = json.dumps(
        {"provenance": provenance.here(), "claims": made}, indent=1, ensure_ascii=False
    )
    write_whole(COMMITTED, text + "\n")
    print(f"{len(made)} claims, {sum(claim['held'] for claim in made)} of them held.")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
