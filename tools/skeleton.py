"""What every chapter must have, and a page that is a notebook, said to its author.

    python -m tools.skeleton book/02-*.ipynb     prints what is missing; nothing if all is there

Each check is a function of one `Chapter` that yields problems as sentences. CONTRIBUTING.md has the reasons.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools import arguments, notebooks
from tools.chapters import Chapter, python, tags
from tools.files import ROOT
from tools.markup import for_every_front_end, links
from tools.outputs import alt_text, committed_outputs, metadata

LONGEST_CELL = 15
#: Where a fork would send its readers to somebody else's code.
ADDRESS = re.compile(
    r"colab\.research\.google\.com/github\S*|git\+https?:\S*|https?://\S+/archive/\S*"
)


def title_cell(chapter: Chapter) -> Iterator[str]:
    """Title, question, goals, needs, time and the link to the set-up page, in order, in the first cell; no address."""
    first = chapter.cells[0] if chapter.cells else None
    if first is None or first.cell_type != "markdown":
        yield "the first cell must be Markdown with the title, the question and the goals"
        return
    text = first.source
    parts = {
        "`# Title`": re.search(r"\A# \S", text),
        "the question, one italic paragraph: `*Would you bet on it?*`": re.search(
            r"^\*[^*\n].*[^*]\*$", text, re.M
        ),
        "`**You will** ...`": re.search(r"\*\*You will\*\* \S", text),
        "`**You need** ...`": re.search(r"\*\*You need\*\* \S", text),
        "`**Takes about** ...`": re.search(r"\*\*Takes about\*\* \S", text),
    }
    places = []
    for name, found in parts.items():
        if found:
            places.append(found.start())
        else:
            yield f"cell 0 lacks {name}"
    if places != sorted(places):
        yield f"cell 0 has its parts out of order; the order is {', '.join(parts)}"
    takes = re.search(r"\*\*Takes about\*\*(.*)", text)
    if takes and not ("laptop" in takes.group(1) and "GPU" in takes.group(1)):
        yield "cell 0: `**Takes about**` must name both the laptop CPU and the free GPU, on one line"
    if notebooks.RUN_IT not in text:
        yield f"cell 0 lacks the link {notebooks.RUN_IT}"
    for i, cell in enumerate(chapter.cells):
        if found := ADDRESS.search(cell.source):
            yield f"cell {i} holds an address that only a published copy may hold: {found.group()}"


def one_setup_cell(chapter: Chapter) -> Iterator[str]:
    """The second cell is the setup cell as `tools.notebooks.setup_cell` writes it; only its imports may differ."""
    found = [i for i, cell in chapter.code if "setup" in tags(cell)]
    if found != [1]:
        yield f"the setup cell must be cell 1 and the only one tagged `setup`; found at {found or 'none'}"
        return
    cell = chapter.cells[1]
    head, tail = notebooks.setup_cell("IMPORTS").split("IMPORTS")
    source = cell.source
    if not (
        source.startswith(head) and source.endswith(tail) and len(source) > len(head) + len(tail)
    ):
        yield f"cell 1 must start with\n{head.rstrip()}\nand end with\n{tail.strip()}\nwith your imports between"
    else:
        tree = python(source[len(head) : -len(tail)])
        if tree is None or not all(
            isinstance(line, (ast.Import, ast.ImportFrom)) for line in tree.body
        ):
            yield "cell 1 must hold nothing but imports between its fixed parts"
    if sorted(tags(cell)) != sorted(notebooks.SETUP_TAGS):
        yield f"cell 1 must have the tags {notebooks.SETUP_TAGS}, has {tags(cell)}"


def parts_in_order(chapter: Chapter) -> Iterator[str]:
    """The closing sections are all there, once, in order; one title; no skipped heading level."""
    titles = [text for _, level, text in chapter.headings if level == 2]
    found = [text for text in titles if text in notebooks.PARTS]
    for part in notebooks.PARTS:
        if found.count(part) != 1:
            yield f"`## {part}` must stand exactly once, stands {found.count(part)} times"
    if sorted(found) == sorted(notebooks.PARTS) and found != notebooks.PARTS:
        yield f"the closing sections must come in the order {notebooks.PARTS}, come as {found}"
    if [level for _, level, _ in chapter.headings].count(1) != 1:
        yield "exactly one heading may be `# Title`"
    for (_, before, _), (i, level, text) in itertools.pairwise(chapter.headings):
        if level > before + 1:
            yield f"cell {i}: `{text}` skips a heading level"


def predictions(chapter: Chapter) -> Iterator[str]:
    """At least one question with options before an experiment, answered in `<details>` after code."""
    starts = [
        i for i, level, text in chapter.headings if text == "Predict before you run" and level == 3
    ]
    if not starts:
        yield "no `### Predict before you run` stands before an experiment"
    closing = [i for i, level, text in chapter.headings if level == 2 and text in notebooks.PARTS]
    for start in starts:
        end = min([i for i in starts + closing if i > start], default=len(chapter.cells))
        question = chapter.cells[start].source
        for option in "abcd":
            if f"({option})" not in question:
                yield f"cell {start}: the prediction lacks option ({option})"
        ran = False
        for cell in chapter.cells[start + 1 : end]:
            ran = ran or cell.cell_type == "code"
            if ran and cell.cell_type == "markdown" and "<details>" in cell.source:
                break
        else:
            yield f"cell {start}: no answer in `<details>` follows the experiment"


def claims(chapter: Chapter) -> Iterator[str]:
    """`## Claims` has a cell of `check.claim(...)`, compared strictly, whose committed lines are claims."""
    cells = [(i, cell) for i, cell in chapter.section("Claims") if cell.cell_type == "code"]
    making = [(i, cell) for i, cell in cells if "check.claim(" in cell.source]
    if not making:
        yield "`## Claims` must hold a code cell with `check.claim(...)`"
    for i, cell in making:
        if "nbval-ignore-output" in tags(cell):
            yield f"cell {i}: claims are compared strictly, remove `nbval-ignore-output`"
        lines = "".join(str(out.get("text", out.get("data"))) for out in cell.outputs).splitlines()
        wrong = [line for line in lines if line.strip() and not CLAIM.match(line)]
        if wrong:
            yield f"cell {i}: shows more than claims (end its last line with a semicolon?): {wrong[0][:80]!r}"
    for line in claim_lines(chapter):
        if int(line["chapter"]) != chapter.number:
            yield f"a claim of another chapter: {line['key']} {line['text']}"


CLAIM = re.compile(
    r"(?P<verdict>held|NOT HELD)\s+(?P<key>(?P<chapter>\d+)\.\d+)\s+(?P<text>\S.*?)\s+\[(?P<evidence>.+)\]$"
)


def claim_lines(chapter: Chapter) -> list[dict]:
    """The claims a chapter's committed outputs show: verdict, key, chapter, text and evidence of each."""
    texts = [
        out.text
        for _, cell in chapter.section("Claims")
        for out in cell.get("outputs", [])
        if "text" in out
    ]
    return [
        found.groupdict()
        for text in texts
        for found in map(CLAIM.match, text.splitlines())
        if found
    ]


def exercises(chapter: Chapter) -> Iterator[str]:
    """At least three exercises, numbered, each with an answer cell, its check, a hint and a solution."""
    inside = {i for i, _ in chapter.section("Exercises")}
    starts = [(i, text) for i, level, text in chapter.headings if level == 3 and i in inside]
    if len(starts) < 3:
        yield f"`## Exercises` has {len(starts)} exercises (`### Exercise ...`), needs at least 3"
    for k, (start, text) in enumerate(starts, 1):
        if not re.match(rf"Exercise {chapter.number}\.{k}: \S", text):
            yield f"cell {start}: expected `### Exercise {chapter.number}.{k}: title`, found `### {text}`"
        end = starts[k][0] if k < len(starts) else max(inside) + 1
        cells = chapter.cells[start:end]
        code = [cell for cell in cells if cell.cell_type == "code"]
        prose = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        if not any("exercise" in tags(cell) for cell in code):
            yield f"cell {start}: `{text}` lacks a code cell tagged `exercise`"
        checking = [cell for cell in code if "exercise-check" in tags(cell)]
        if not any("check.exercise(" in cell.source for cell in checking):
            yield f"cell {start}: `{text}` lacks a cell tagged `exercise-check` that calls `check.exercise(...)`"
        for name in ("Hint", "Solution"):
            if f"<summary>{name}</summary>" not in prose:
                yield f"cell {start}: `{text}` lacks `<details><summary>{name}</summary>`"


def short_cells(chapter: Chapter) -> Iterator[str]:
    """A reader sees at most 15 lines of code at once; plotting cells are folded, here and on Colab."""
    for i, cell in chapter.code:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if not lines:
            yield f"cell {i} is empty"
        folded = "hide-input" in tags(cell)
        if len(lines) > LONGEST_CELL and not folded:
            yield f"cell {i} has {len(lines)} lines; split it at {LONGEST_CELL}, or fold a plot with `hide-input`"
        if folded and not (
            re.match(r"#\s?@title \S", cell.source) and cell.metadata.get("cellView") == "form"
        ):
            yield f'cell {i} is folded: start it with `# @title ...` and set its metadata `"cellView": "form"`'


CHECKS = [
    title_cell,
    one_setup_cell,
    parts_in_order,
    predictions,
    claims,
    exercises,
    short_cells,
    alt_text,
    for_every_front_end,
    committed_outputs,
    metadata,
    links,
]
#: Of a page that is a notebook: it makes no claims, asks for no predictions and sets no exercises.
OF_PAGES = [
    check for check in CHECKS if check not in (parts_in_order, predictions, claims, exercises)
]


def checks(path: Path) -> Sequence[Callable[[Chapter], Iterator[str]]]:
    """What the notebook at ``path`` must pass: a page less than a chapter."""
    return OF_PAGES if path.stem in notebooks.PAGES else CHECKS


def main(argv: list[str] | None = None) -> int:
    parser = arguments.Parser(description=__doc__)
    parser.add_argument("paths", nargs="*", metavar="NB")
    given = parser.parse_args(argv)
    named = arguments.notebooks_named(given.paths)
    extra = notebooks.no_chapters(ROOT / "book")
    for path, reason in extra.items():
        print(f"{path.name} {reason}: rename or delete it; the book leaves it out")
    bad = len(extra)
    for path in named:
        chapter = Chapter.read(path)
        for check in checks(path):
            for problem in check(chapter):
                print(f"{path.name}: {problem}")
                bad += 1
    return int(bad > 0)


if __name__ == "__main__":
    arguments.command_line(main)
