"""Chapter 9's scorecard: what the paper says, row by row, beside what the chapters' claims found.

Verdicts are never typed here. They come from `check.recorded`: the claims made on this machine, and for chapters that were
not run here the committed ones. Only what no chapter can test is written out below, with the reason.
"""

from __future__ import annotations

import html

import pandas as pd

from labsupport import check

HELD, PARTLY, NOT_HELD, UNTESTED = "held", "held in part", "not held", "not testable here"

#: (what the paper says, why no chapter tests it)
NOT_TESTABLE = (
    ("The gap and the sharpness are there on C1 to C4, on CIFAR-10 and CIFAR-100 (Tables 2 to 4)",
     "too long for a chapter in five seeds; the networks are in the package, our chapters train on MNIST-1D and MNIST"),
    ("They are there on F2, speech frames of TIMIT (Tables 2 to 4)",
     "TIMIT needs a license, and no chapter trains on speech"),
    ("Other large-batch optimizers (ADAGRAD, SGD, adaQN) give similar results (text)",
     "the paper prints no numbers to set ours beside"),
    ("Adversarial and stability training do not help large batches (appendix E)",
     "the paper prints no numbers, and gives no settings"),
    ("Large batches save time on P processors while their extra iterations stay below a bound (appendix C)",
     "needs many processors and their communication"),
    ("Large batches generalize worse because their minimizers are sharp (discussion)",
     "a cause; the paper's evidence and ours is correlation, and chapter 2 has a counter-example"),
)


def scorecard() -> pd.DataFrame:
    """Every claim of the paper, one row.

    Returns
    -------
    DataFrame
        paper (what it says), verdict ("held", "held in part", "not held", "not testable here"), claims (keys such as "2.1",
        a tuple), chapters (a tuple), measured (a tuple of sentences with their evidence and where they stand; or why there
        is none). In the book's order. Several claims that bear on one statement of the paper share a row; it is held if all
        of them are.
    """
    found = check.recorded()
    found = found[found.paper != ""] if len(found) else found
    rows = []
    for statement, claims in found.groupby("paper", sort=False) if len(found) else ():
        keys = tuple(claims["key"])
        chapters = tuple(sorted({int(key.split(".")[0]) for key in keys}))
        verdict = HELD if claims.held.all() else PARTLY if claims.held.any() else NOT_HELD
        rows.append([statement, verdict, keys, chapters, tuple(_finding(claim) for claim in claims.itertuples())])
    rows += [[says, UNTESTED, (), (), (f"Because: {why}.",)] for says, why in NOT_TESTABLE]
    return pd.DataFrame(rows, columns=["paper", "verdict", "claims", "chapters", "measured"])


def _finding(claim) -> str:
    chapter = claim.key.split(".")[0]
    return f"{'Yes' if claim.held else 'No'}: {claim.says} [{claim.evidence}]. Chapter {chapter}, claim {claim.key}."


MARKS = {HELD: "\N{CHECK MARK}", PARTLY: "\N{ALMOST EQUAL TO}", NOT_HELD: "\N{BALLOT X}", UNTESTED: "\N{EN DASH}"}


class Cards:
    """A scorecard to show in a notebook: a table of two columns, narrow enough for a phone."""

    def __init__(self, table: pd.DataFrame):
        self.table = table

    def __repr__(self) -> str:
        return "\n".join("\n    ".join([f"{row.verdict}: {row.paper}", *row.measured]) for row in self.table.itertuples())

    def _repr_html_(self) -> str:
        left = ("text-align: left; vertical-align: top; white-space: normal; padding: 0.4em 0.6em 0.4em 0; "
                "border-top: 1px solid rgba(128, 128, 128, 0.4);")
        rows = []
        for row in self.table.itertuples():
            lines = "".join(f"<br><small>{html.escape(line)}</small>" for line in row.measured)
            rows.append(f'<tr><td style="{left} width: 6.5em;"><b>{MARKS[row.verdict]} {row.verdict}</b></td>'
                        f'<td style="{left}">{html.escape(row.paper)}{lines}</td></tr>')
        head = f'<tr><th style="{left}">verdict</th><th style="{left}">what the paper says, and what we find</th></tr>'
        return f'<table style="width: 100%;"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
