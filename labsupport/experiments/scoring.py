"""Chapter 9's scorecard: what the paper says, row by row, beside what the chapters' claims found.

Verdicts are never typed here. They come from `check.recorded`: the claims made on this machine, and for chapters that were
not run here the committed ones. Only what no chapter can test is written out below, with the reason.
"""

from __future__ import annotations

import html

import pandas as pd

from labsupport import check

HELD, NOT_HELD, UNTESTED = "held", "not held", "not testable here"

#: (what the paper says, why no chapter tests it)
NOT_TESTABLE = (
    ("The gap and the sharpness are there on C1 to C4, on CIFAR-10 and CIFAR-100 (Tables 2 to 4)",
     "hours on a GPU for five seeds; the networks are in the package, our chapters train on MNIST-1D and MNIST"),
    ("They are there on F2, speech frames of TIMIT (Tables 2 to 4)",
     "TIMIT needs a license; nothing free was a fair substitute"),
    ("Other large-batch optimizers (ADAGRAD, SGD, adaQN) give similar results (text)",
     "the paper prints no numbers to set ours beside"),
    ("Adversarial and stability training do not help large batches (appendix E)",
     "the paper prints no numbers, and gives no settings"),
    ("Large batches save time on P processors while their extra iterations stay below a bound (appendix C)",
     "needs many processors and their communication"),
    ("Large batches generalize worse because their minimizers are sharp (discussion)",
     "a cause; the paper's evidence and ours is correlation, and chapters 2 and 8 have counter-examples"),
)


def scorecard() -> pd.DataFrame:
    """Every claim of the paper, one row.

    Returns
    -------
    DataFrame
        paper (what it says), verdict ("held", "not held", "not testable here"), measured (our sentence, or why there is
        none), evidence, where ("chapter 2, claim 2.1"; empty if not testable), chapter, source ("this machine",
        "committed"). In the book's order; the claims that bear on one statement of the paper stand together.
    """
    columns = ["paper", "verdict", "measured", "evidence", "where", "chapter", "source"]
    rows = []
    found = check.recorded()
    for claim in found.to_dict("records") if len(found) else []:
        if claim["paper"]:
            chapter = int(claim["key"].split(".")[0])
            rows.append([claim["paper"], HELD if claim["held"] else NOT_HELD, claim["says"], claim["evidence"],
                         f"chapter {chapter}, claim {claim['key']}", chapter, claim["source"]])
    first = {row[0]: place for place, row in reversed(list(enumerate(rows)))}
    rows.sort(key=lambda row: first[row[0]])
    rows += [[says, UNTESTED, why, "", "", 0, ""] for says, why in NOT_TESTABLE]
    return pd.DataFrame(rows, columns=columns)


class Cards:
    """A scorecard to show in a notebook: a table of two columns, narrow enough for a phone."""

    marks = {HELD: ("✓", "#0072B2"), NOT_HELD: ("✗", "#D55E00"), UNTESTED: ("–", "#6b6b6b")}

    def __init__(self, table: pd.DataFrame):
        self.table = table

    def __repr__(self) -> str:
        return "\n".join(f"{row.verdict}: {row.paper}\n    {self._ours(row)}" for row in self.table.itertuples())

    def _repr_html_(self) -> str:
        left = "text-align: left; vertical-align: top; white-space: normal;"
        rows = []
        for row in self.table.itertuples():
            mark, color = self.marks[row.verdict]
            rows.append(
                f'<tr><td style="{left} width: 5.5em;"><b><span style="color: {color};">{mark}</span> {row.verdict}</b></td>'
                f'<td style="{left}">{html.escape(row.paper)}<br><small>{html.escape(self._ours(row))}</small></td></tr>')
        head = f'<tr><th style="{left}">verdict</th><th style="{left}">the paper says, and we find</th></tr>'
        return f'<table style="width: 100%;"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'

    @staticmethod
    def _ours(row) -> str:
        return f"{row.measured}. [{row.evidence}] {row.where[:1].upper()}{row.where[1:]}." if row.where else f"Because: {row.measured}."
