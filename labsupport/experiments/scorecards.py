"""Chapter 9's scorecard: five questions, and under each of them every claim of the book that bears on it.

Which way a claim points comes from its interval, and a question's verdict from its claims (see `verdict`). What is
asked stands in `questions`.
"""

from __future__ import annotations

import html
import math

import pandas as pd

from labsupport import check, paper
from labsupport.experiments.questions import QUESTIONS, Question
from labsupport.experiments.reproduction import reproduced

COLUMNS = ["key", "says", "side", "held", "exploratory", "lean", "evidence", "source"]
FOR, AGAINST, OPEN, BESIDE = "for", "against", "open", "beside"


def scorecard() -> pd.DataFrame:
    """Every recorded claim under every question that it bears on, one row each.

    Returns
    -------
    DataFrame
        question (its place, from 1), key, says, side ("for", "against", "open": its interval is on both sides of the
        bound, or "beside": it points neither way), held, exploratory; lean (how far the mean lies beyond the bound, in
        half-widths of its interval: held above 1, refuted below -1; NaN without an interval), evidence, source.
    """
    claims = check.recorded()
    tables = [
        under(claims, question).assign(question=place)
        for place, question in enumerate(QUESTIONS, 1)
    ]
    return pd.concat(tables, ignore_index=True)[["question", *COLUMNS]]


def under(claims: pd.DataFrame, question: Question) -> pd.DataFrame:
    """The claims of `check.recorded` that bear on one question: the columns of `scorecard` without ``question``."""
    rows = []
    for claim in claims.to_dict("records") if len(claims) else ():
        if (side := _side(claim, question)) is not None:
            exploratory = claim.get("exploratory", False) is True
            rows.append(
                [
                    claim["key"],
                    claim["says"],
                    side,
                    bool(claim["held"]),
                    exploratory,
                    lean(claim),
                    claim["evidence"],
                    claim.get("source", ""),
                ]
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def lean(claim: dict) -> float:
    """How far a claim's mean lies beyond its bound, in half-widths of its interval; NaN for a plain fact."""
    half, margin = _number(claim, "high") - _number(claim, "mean"), _number(claim, "margin")
    low, high = _number(claim, "low"), _number(claim, "high")
    if not math.isfinite(half):  # recorded before intervals were: in standard errors, five seeds
        return margin / 2.776
    if half == 0:
        return math.copysign(math.inf, margin)
    words = claim["bound"].split()
    if words[0] == "above":
        return (low + half - float(words[1])) / half
    first, last = float(words[1]), float(words[3])
    return min(low + half - first, last - (high - half)) / half


def _number(claim: dict, name: str) -> float:
    value = claim.get(name, math.nan)
    return float(value) if value is not None else math.nan


def _side(claim: dict, question: Question) -> str | None:
    """Which way a claim points for a question; None if it belongs to another."""
    key = claim["key"]
    if key not in question.yes + question.no:
        if key in question.beside:
            return BESIDE
        elsewhere = any(key in other.yes + other.no + other.beside for other in QUESTIONS)
        return BESIDE if int(key.split(".")[0]) in question.chapters and not elsewhere else None
    speaks = (FOR, AGAINST) if key in question.yes else (AGAINST, FOR)
    if claim["held"]:
        return speaks[0]
    return speaks[1] if lean(claim) < -1 else OPEN


def verdict(rows: pd.DataFrame, contra: tuple[str, ...] = ()) -> dict:
    """The verdict of one question from its rows of `scorecard` and what the literature says against a yes.

    Yes or no if no claim points the other way; "mostly" if at least twice as many point one way as the other; else
    undecided. Four doubts count: a claim points the other way; half or more of the claims of its own side are
    exploratory; one is open; the literature speaks against. Confidence is high without a doubt, moderate with one or
    two, low with three or four.

    Returns {"verdict", "confidence", "for", "against", "open", "because"}.
    """
    count = {side: int((rows.side == side).sum()) for side in (FOR, AGAINST, OPEN)}
    pro, con = count[FOR], count[AGAINST]
    word, side = ("yes", FOR) if pro >= con else ("no", AGAINST)
    if min(pro, con):
        word = f"mostly {word}" if max(pro, con) >= 2 * min(pro, con) else "undecided"
    elif not max(pro, con):
        word = "undecided"
    own = rows[rows.side == side]
    doubts = {
        f"claims that point the other way: {min(pro, con)}": min(pro, con) > 0,
        "half of its claims or more are exploratory": len(own) > 0
        and own.exploratory.mean() >= 0.5,
        f"open claims: {count[OPEN]}": count[OPEN] > 0,
        "the literature is divided": bool(contra) and side == FOR,
    }
    because = [reason for reason, holds in doubts.items() if holds]
    confidence = ("high", "moderate", "moderate", "low", "low")[len(because)]
    return {"verdict": word, "confidence": confidence, **count, "because": "; ".join(because)}


def verdicts(card: pd.DataFrame) -> pd.DataFrame:
    """`verdict` of each of the five questions, from a `scorecard`; one row a question."""
    found = [
        {"question": question.asks, **verdict(card[card.question == place], question.contra)}
        for place, question in enumerate(QUESTIONS, 1)
    ]
    return pd.DataFrame(found, index=pd.RangeIndex(1, len(QUESTIONS) + 1))


def published() -> tuple[str, ...]:
    """The paper's own effect for each of the five questions, from its tables."""
    tests = (
        paper.table2()
        .query("split == 'test'")
        .pivot(index="network", columns="batch", values="mean")
    )
    sharp = (
        paper.table3()
        .query("epsilon == 1e-3")
        .pivot(index="network", columns="batch", values="mean")
    )
    gap, ratio = tests.SB - tests.LB, sharp.LB / sharp.SB
    e = paper.appendix_e()
    rescued = e.query("quantity == 'test_accuracy'").pivot(
        index=["remedy", "network"], columns="batch", values="mean"
    )
    networks = rescued.index.get_level_values("network")
    won = rescued.LB - tests.LB[networks].to_numpy()
    # on augmented samples SB's accuracy is appendix E's own
    rival = rescued.SB.fillna(pd.Series(tests.SB[networks].to_numpy(), rescued.index))
    past = rival < rescued.LB
    still = e.query("epsilon == 1e-3").set_index(["remedy", "network"])["mean"]
    return (
        f"SB tests {gap.min():.1f} to {gap.max():.1f} points better, on {len(gap)} networks (Table 2)",
        f"LB is {ratio.min():.0f} to {ratio.max():.0f} times as sharp, at epsilon 1e-3 (Table 3)",
        "the paper has no measure that rescaling leaves alone",
        f"LB wins {won.min():.1f} to {won.max():.1f} points in {len(won)} rescues (appendix E)",
        f"{(gap > 0).sum()} of {len(gap)} networks have both; but in {past.sum()} of {len(past)} rescues LB passes SB "
        f"and stays sharp, above {still[past[past].index].min() // 100 * 100:.0f} percent (appendix E)",
    )


def measured_again() -> tuple[tuple[str, ...], ...]:
    """What this book's runs of the paper's own networks found, for each of the five questions; empty where not run."""
    found = reproduced()

    def run(row) -> str:
        return f"{row.run} samples of {row.dataset}, {row.seeds} seeds"

    gaps = [
        f"{run(row)}: SB minus LB {row.gap:+.2f} points ({row.low:+.2f} to {row.high:+.2f})"
        for row in found["gaps"].itertuples()
    ]
    ratios = [
        f"{run(row)}: LB {row.ratio:.1f} times as sharp ({row.low:.1f} to {row.high:.1f})"
        for row in found["ratios"].itertuples()
    ]
    return tuple(gaps), tuple(ratios), (), (), ()


MARKS = {FOR: "\N{CHECK MARK}", AGAINST: "\N{BALLOT X}", OPEN: "?", BESIDE: "\N{MIDDLE DOT}"}


class Cards:
    """A scorecard to show in a notebook: question by question, narrow enough for a phone."""

    def __init__(self, table: pd.DataFrame):
        self.table = table

    def _parts(self):
        """(question and verdict, [(mark, line)]) of each question."""
        found = verdicts(self.table)
        again = measured_again()
        for place, (question, effect) in enumerate(zip(QUESTIONS, published()), 1):
            row = found.loc[place]
            head = f"{place}. {question.asks} {row.verdict}, confidence {row.confidence}"
            head += f" ({row.because})" if row.because else ""
            lines = [("paper", effect)]
            lines += [("the paper's networks, ours", text) for text in again[place - 1]]
            for claim in self.table[self.table.question == place].itertuples():
                says = claim.says if claim.held else f"NOT HELD: {claim.says}"
                lines.append((claim.side, f"{claim.key} {says} [{claim.evidence}]"))
            lines += [("literature, for", text) for text in question.pro]
            lines += [("literature, against", text) for text in question.contra]
            yield head, lines

    def __repr__(self) -> str:
        return "\n".join(
            "\n    ".join([head, *(f"{mark}: {line}" for mark, line in lines)])
            for head, lines in self._parts()
        )

    def _repr_html_(self) -> str:
        parts = []
        for head, lines in self._parts():
            items = "".join(
                f"<li><b>{MARKS.get(mark, '')} {html.escape(mark)}</b>: {html.escape(line)}</li>"
                for mark, line in lines
            )
            parts.append(f"<p><b>{html.escape(head)}</b></p><ul>{items}</ul>")
        return "".join(parts)
