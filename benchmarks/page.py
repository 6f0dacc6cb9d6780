"""The page of speeds, `book/speed.md`, and its figures, from the committed tables."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from benchmarks import floors, growth, searches
from labsupport import provenance

BOOK = Path(__file__).resolve().parent.parent / "book"
#: The rate of the table is that of so many cores.
CORES = 2
KINDS = {"cpu": "A processor", "cuda": "A GPU"}

HEAD = """\
# How fast

*Is it worth learning these tools, if a loop over modules does the same?*

A comparison is fair when both programs do the same work and meet the same weather. So both run in one process, in
turns, first one and then the other and the next time round, each at least five times after a warm-up, and short ones
more often. What counts is the **ratio** of their times, pair by pair: the median of the ratios, and the lowest and the
highest. Seconds say more about the machine than about the program.

The *plain loop* is what you would write: a `DataLoader`, a module, an optimizer, one seed after another. The *tuned
loop* has the fused optimizer too, and workers that prepare the images. Nobody evaluates anything while the clock runs.
In the rows on sharpness both searches make the same number of evaluations, and a row fails if ours finds a lower
maximum.

**Share of the peak** compares the arithmetic that a step cannot avoid with the rate at which the same machine
multiplies two large matrices with all its cores. A step that reaches 100 percent cannot be made faster; one that
reaches 50 percent can at most double. *Possible* is the ratio that would be reached at 100 percent. F0 is so small that
each of its models is computed by a single thread: on two cores, one model alone cannot pass 50 percent.

*JAX* is written as its users write it: `jit` over `vmap` over `scan`, compiled before the clock runs. A row against it
fails if equal batches do not give equal losses.

Nothing on this page is typed by hand. `make bench` measures and writes it; `python -m benchmarks --rows NAME` measures
one row again.
"""
ALT = (
    "Four panels with logarithmic axes. Top: milliseconds of a training step against the number "
    "of seeds and against the batch size; the curves start flat and bend upwards. Bottom: "
    "milliseconds of one evaluation of the sharpness search against parameters and against "
    "samples; it lies close above that of the loss and its gradient alone, and both rise."
)


#: Tables beside that of speeds, of a processor: {name of the committed result: (how it is measured, words, how it is
#: written)}.
BESIDE = {
    "floors": (
        floors.tables,
        "**Where the time of a step goes.** Each operation by itself, with what it works on at hand. The products "
        "and Adam are kernels of torch: nothing that calls them is faster than their sum. The last line is "
        "what the products would take at the rate at which the same core multiplies two large matrices.",
        floors.markdown,
    ),
    "searches": (
        searches.table,
        "**How much a search finds.** The rise of the loss that `strong` finds, over that found by Auto-PGD (Croce and "
        "Hein, 2020) with as many evaluations: the median of five seeds, the lowest and the highest. The last column "
        "is a search of 303 evaluations over ours: what was left to find. A box of half-width 0.001 on "
        "MNIST-1D, after 80 epochs of batches of 32 (SB) and of 400 (LB).",
        searches.markdown,
    ),
}


def measured(about: dict) -> str:
    """Where a table comes from, in a line."""
    return f"*Measured {about['date']} at commit {about['commit']}, torch {about['torch']}.*"


def committed(name: str) -> tuple[pd.DataFrame, dict] | None:
    """A committed result, or None."""
    return provenance.read(name) if (provenance.FOLDER / f"{name}.json").exists() else None


def line(row) -> str:
    """One row of the table in Markdown."""

    def number(value, form):
        return "" if value is None or math.isnan(value) else format(value, form)

    share = "" if math.isnan(row.share) else f"{100 * row.share:.0f} %"
    spread = f"**{row.ratio:.3g}** | {row.low:.3g} to {row.high:.3g}"
    return (
        f"| {row.what} | {row.against} | {spread} | {number(row.wanted, 'g')} "
        f"| {share} | {number(row.possible, '.3g')} |"
    )


def section(kind: str) -> str:
    """One kind of machine: its table and its figure."""
    found = committed(f"speed-{kind}")
    if found is None:
        return f"\n## {KINDS[kind]}\n\nNot measured yet. On a machine that has one: `make gpu`.\n"
    rows, about = found
    text = [
        "",
        f"## {KINDS[kind]}: {about['machine']}",
        "",
        "| what | against | ratio | range | asked for | share of the peak | possible |",
        "|---|---|---:|---:|---:|---:|---:|",
        *map(line, rows.itertuples()),
        "",
        f"Measured {about['date']} at commit {about['commit']}, Python {about['python']}, torch {about['torch']}, "
        f"{rows.pairs.min()} to {rows.pairs.max()} pairs a row.",
    ]
    later = rows[rows.commit != about["commit"]]
    for commit, some in later.groupby("commit", sort=False):
        named = "; ".join(f"{row.what} against {row.against}" for row in some.itertuples())
        text.append(f"\nMeasured again at commit {commit}: {named}.")
    if failed := about.get("left_out"):
        named = "; ".join(f"{name}: {why}" for name, why in failed.items())
        text.append(f"\nLeft out, because they failed: {named}.")
    missed = rows[rows.ratio < rows.wanted]
    if len(missed):
        named = "; ".join(f"{row.what} against {row.against}" for row in missed.itertuples())
        text.append(f"\nBelow what was asked for: {named}.")
    text += ["", "**Who is faster at what.**", "", verdict(rows)]
    for name, (_, words, table) in BESIDE.items():
        if (beside := committed(f"{name}-{kind}")) is not None:
            text += ["", words, "", table(beside[0]), "", measured(beside[1])]
    if (growing := committed(f"growth-{kind}")) is not None:
        name = f"growth-{kind}.png"
        growth.draw(growing[0], f"Cost on {growing[1]['machine']}").savefig(
            BOOK / "_static" / name, dpi=110
        )
        text += [
            "",
            f"![{ALT}](_static/{name})",
            "",
            f"*How the cost grows. Measured {growing[1]['date']} at commit {growing[1]['commit']}.*",
        ]
        rate = about.get("peak_gflops", {}).get("float32")
        if kind == "cpu" and rate:
            text += [
                "",
                "**What fits in an hour.** Computed from the figure's numbers, for a seed of the chapters' small-batch "
                "recipe and one search of its sharpness, in one process a core. Two cores are measured; 16 cores are "
                "taken as eight times as much. A T4 and an H100 are estimates by their makers' rates for float32 "
                "products, and by what their memories hold; far too high for a network as small as F0.",
                "",
                fits(growing[0], 1e9 * rate / CORES),
            ]
    return "\n".join(text) + "\n"


def verdict(rows: pd.DataFrame) -> str:
    """Who is faster at what, in words: by the median, and open where the range holds 1."""
    said = []
    for peer, some in rows.groupby("against", sort=False):
        ours = [row.what for row in some.itertuples() if row.low > 1]
        theirs = [row.what for row in some.itertuples() if row.high < 1]
        level = [row.what for row in some.itertuples() if row.low <= 1 <= row.high]
        parts = []
        if ours:
            parts.append(f"ours is faster in every pair: {'; '.join(ours)}")
        if theirs:
            parts.append(f"it is faster in every pair: {'; '.join(theirs)}")
        if level:
            parts.append(f"now one, now the other: {'; '.join(level)}")
        said.append(f"- **{peer}**. {'. '.join(part[0].upper() + part[1:] for part in parts)}.")
    return "\n".join(said)


def fits(found: pd.DataFrame, core_rate: float) -> str:
    """What fits in an hour, as a table in Markdown, two digits."""
    wide = growth.hour(found, core_rate).pivot_table("answer", "question", "machine", sort=False)
    lines = [
        "| in an hour | " + " | ".join(wide.columns) + " |",
        "|---|" + "---:|" * len(wide.columns),
    ]
    for question, row in wide.iterrows():
        lines.append(
            f"| {question} | " + " | ".join(f"{_two_digits(value):,}" for value in row) + " |"
        )
    return "\n".join(lines)


def _two_digits(value: float) -> int:
    return int(float(f"{value:.2g}"))


def renewed(name: str) -> Path:
    """Measure one table of `BESIDE` again, for the commit, and write the page; returns its path."""
    provenance.write(f"{name}-cpu", BESIDE[name][0](), provenance.here())
    return write()


def write() -> Path:
    """Write the page and its figures; returns its path."""
    path = BOOK / "speed.md"
    path.write_text(HEAD + "".join(section(kind) for kind in KINDS), encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write())
