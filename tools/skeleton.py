"""What every chapter must have, said to its author.

    python -m tools.skeleton book/02-*.ipynb     prints what is missing; nothing if all is there

Each check is a function of one `Chapter` that yields problems as sentences. CONTRIBUTING.md has the reasons.
"""

from __future__ import annotations

import ast
import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools import arguments, notebooks
from tools.files import ROOT

LONGEST_CELL = 15
SHORTEST_ALT = 40
HTML_TAGS = {"details", "summary", "br", "sub", "sup", "kbd"}
MACHINE_PATH = re.compile(
    r"(?<![\w./:-])/(?:home|root|tmp|work|Users|mnt|var|opt|content)/[\w.-]+|\b[A-Z]:\\\\?\w+"
)
#: Where a fork would send its readers to somebody else's code.
ADDRESS = re.compile(
    r"colab\.research\.google\.com/github\S*|git\+https?:\S*|https?://\S+/archive/\S*"
)
MYST = {
    "a fenced directive": re.compile(r"^\s*(?:```+|~~~+|:::+)\s*\{[\w:-]+\}", re.M),
    "a colon fence": re.compile(r"^\s*:::+", re.M),
    "a role": re.compile(r"\{[\w:-]+\}`"),
    "a target": re.compile(r"^\s*\([\w:-]+\)=\s*$", re.M),
    "a substitution": re.compile(r"\{\{.*?\}\}"),
    "a comment or block break": re.compile(r"^(?:%\s|\+\+\+)", re.M),
}
LEFTOVERS = {
    "asterisks that mark nothing": re.compile(r"\*\*|(?<![\w*])\*(?=\w)|(?<=\w)\*(?![\w*])"),
    "underscores that mark nothing": re.compile(r"(?<!\w)__?(?=[A-Za-z])|(?<=[A-Za-z])__?(?!\w)"),
    "a backtick without its twin": re.compile(r"`"),
    "a dollar sign without its twin": re.compile(r"\$"),
    "TeX outside of dollar signs": re.compile(r"\\(?:[a-zA-Z]{2,}|[()\[\]])"),
    "a link that is not one": re.compile(r"\]\(|\]\[|!\["),
    "a footnote, which CommonMark has not": re.compile(r"\[\^"),
    "a heading without a space after #": re.compile(r"^#+\w", re.M),
    "a table that is not one": re.compile(r"\|\s*:?-{3,}"),
}


@dataclass(frozen=True)
class Chapter:
    """One notebook and where it lies."""

    path: Path
    notebook: nbformat.NotebookNode

    @classmethod
    def read(cls, path: Path) -> Chapter:
        return cls(Path(path), notebooks.read(path))

    @property
    def number(self) -> int:
        return int(self.path.name[:2])

    @property
    def cells(self) -> list:
        return self.notebook.cells

    @cached_property
    def code(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(i, cell) for i, cell in enumerate(self.cells) if cell.cell_type == "code"]

    @cached_property
    def markdown(self) -> list[tuple[int, nbformat.NotebookNode]]:
        return [(i, cell) for i, cell in enumerate(self.cells) if cell.cell_type == "markdown"]

    @cached_property
    def headings(self) -> list[tuple[int, int, str]]:
        """(cell, level, text) of every heading, in order."""
        found = []
        for i, cell in self.markdown:
            tokens = commonmark().parse(cell.source)
            for at, token in enumerate(tokens):
                if token.type == "heading_open":
                    found.append((i, int(token.tag[1]), tokens[at + 1].content))
        return found

    def section(self, title: str) -> list[tuple[int, nbformat.NotebookNode]]:
        """The cells from the heading ``title`` (level 2) to the next heading of that level; empty if there is none."""
        starts = [i for i, level, text in self.headings if level == 2 and text == title]
        if not starts:
            return []
        after = [i for i, level, _ in self.headings if level <= 2 and i > starts[0]]
        return list(enumerate(self.cells))[starts[0] : after[0] if after else None]


def commonmark() -> MarkdownIt:
    """A plain CommonMark renderer with tables and `$math$`: what Colab and the repository's page have in common."""
    return (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    )


def tags(cell) -> list[str]:
    return list(cell.metadata.get("tags", []))


def python(source: str) -> ast.Module | None:
    """The syntax tree of a cell, magics translated; None if it is no Python."""
    try:
        return ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return None


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


def alt_text(chapter: Chapter) -> Iterator[str]:
    """Every figure says in words what is seen, in more than its title."""
    for i, cell in chapter.code:
        if not any(
            kind.startswith("image/") for out in cell.outputs for kind in out.get("data", {})
        ):
            continue
        alt = " ".join(str(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")).split())
        if not alt:
            yield f"cell {i} shows a figure without alt text: metadata `mystnb: {{image: {{alt: ...}}}}`"
        elif len(alt) < SHORTEST_ALT:
            yield f"cell {i}: the alt text {alt!r} is too short to say what is seen"
        elif any(same(alt, text) for text in titles_in(cell.source)):
            yield f"cell {i}: the alt text repeats the title; say what is seen instead"


def titles_in(source: str) -> Iterator[str]:
    """The texts in a cell that could be a figure's title."""
    for node in ast.walk(python(source) or ast.Module([], [])):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 15:
            yield node.value
    yield from re.findall(r"^#\s?@title (.+)$", source, re.M)


def same(one: str, other: str) -> bool:
    """Whether two texts differ in little more than case and stops."""
    one, other = (" ".join(re.findall(r"\w+", text.lower())) for text in (one, other))
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio() > 0.8


def for_every_front_end(chapter: Chapter) -> Iterator[str]:
    """No MyST, and nothing that a plain CommonMark renderer leaves as raw markup."""
    for i, cell in chapter.markdown:
        for name, pattern in MYST.items():
            if found := pattern.search(without_code(cell.source)):
                yield f"cell {i} has {name}, raw text in Colab: {found.group().strip()!r}"
        yield from (f"cell {i}: {problem}" for problem in leftovers(cell.source))


def without_code(source: str) -> str:
    """Markdown less its code: inline `{x}` and a fenced example are shown, not read. Fences keep their first line."""
    source = re.sub(r"^(```+\s*\{?[\w:-]*\}?).*?^```+\s*$", r"\1", source, flags=re.S | re.M)
    return re.sub(r"(?<![`}])(`+)(?!`).+?(?<!`)\1(?!`)", "", source)


def leftovers(source: str) -> Iterator[str]:
    """What a reader of the rendered ``source`` would see as markup."""
    for token in commonmark().parse(source):
        if token.type == "html_block":
            yield from html_problems(token.content)
        elif token.type == "ordered_list_open" and token.attrGet("start") not in (None, 1):
            yield f'a line that begins with "{token.attrGet("start")}." is shown as a list; begin with a word'
        for child in token.children or []:
            if child.type == "html_inline":
                yield from html_problems(child.content)
            elif child.type == "text":
                for name, pattern in LEFTOVERS.items():
                    if pattern.search(child.content):
                        yield f"{name}: {child.content.strip()!r}"
            elif child.type in ("image",) and not child.content:
                yield "an image without alt text"


def html_problems(content: str) -> Iterator[str]:
    """Tags that some front end drops, and Markdown that stays raw because no blank line separates it."""
    for tag in re.findall(r"</?([a-zA-Z][\w-]*)", content):
        if tag.lower() not in HTML_TAGS:
            yield f"the HTML tag <{tag}>; a notebook may use {sorted(HTML_TAGS)}"
    inside = re.sub(r"<summary>.*?</summary>", "", content, flags=re.S)
    text = re.sub(r"<[^>]*>", "", inside).strip()
    if text:
        yield f"text inside an HTML block is not rendered, leave a blank line before it: {text[:60]!r}"
    for summary in re.findall(r"<summary>(.*?)</summary>", content, re.S):
        if re.search(r"[*_`$]", summary):
            yield f"markup in a summary stays raw: {summary!r}"


def committed_outputs(chapter: Chapter) -> Iterator[str]:
    """Outputs are part of the source: executed top to bottom, no error, no warning, no path of one machine."""
    counts = [cell.get("execution_count") for _, cell in chapter.code]
    if counts != list(range(1, len(counts) + 1)):
        yield f"not executed from top to bottom (counts {counts}): make outputs NB=book/{chapter.path.name}"
    for i, cell in chapter.code:
        for out in cell.outputs:
            if out.output_type == "error":
                yield f"cell {i} holds an error output: {out.ename}: {out.evalue}"
            elif out.output_type == "stream" and out.name == "stderr":
                yield f"cell {i} wrote to stderr: {out.text.strip()[:80]!r}"
            if found := MACHINE_PATH.search(
                str(out.get("text", "")) + str(out.get("data", {}).get("text/plain", ""))
            ):
                yield f"cell {i} shows a path of one machine: {found.group()}"
    for i, cell in enumerate(chapter.cells):
        if found := MACHINE_PATH.search(cell.source):
            yield f"cell {i} names a path of one machine: {found.group()}"


def metadata(chapter: Chapter) -> Iterator[str]:
    """Colab offers its CPU; nothing stands there that another front end or machine wrote."""
    for key, value in notebooks.METADATA.items():
        if chapter.notebook.metadata.get(key) != value:
            yield f"the notebook's metadata `{key}` must be {value}: python -m tools.notebooks normalize"
    if "accelerator" in chapter.notebook.metadata:
        yield "metadata `accelerator` gives every reader on Colab a GPU: python -m tools.notebooks normalize"
    for kind, entry in chapter.notebook.metadata.get("widgets", {}).items():
        if not entry.get("state"):
            yield f"widget metadata {kind} has no state and would break the page: python -m tools.notebooks normalize"


def links(chapter: Chapter) -> Iterator[str]:
    """Every relative link names a file of the book, and a heading in it."""
    for i, cell in chapter.markdown:
        for token in commonmark().parse(cell.source):
            for child in token.children or []:
                target = child.attrGet("href") or child.attrGet("src")
                if target and (problem := broken(str(target), chapter.path)):
                    yield f"cell {i}: {problem}"


def broken(target: str, page: Path) -> str:
    """What is wrong with a link from ``page``; empty if it is sound or leads out of the book."""
    if re.match(r"https?://|mailto:", target):
        return ""
    name, _, anchor = target.partition("#")
    there = (page.parent / name) if name else page
    if not there.exists():
        return f"the link to {target} leads nowhere"
    if anchor and there.suffix in (".md", ".ipynb") and anchor not in anchors(there):
        return f"the link to {target} names no heading of {there.name}"
    return ""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the repository's page and MyST make them, and MyST's own targets."""
    if page.suffix == ".ipynb":
        texts = [text for _, _, text in Chapter.read(page).headings]
        source = ""
    else:
        source = page.read_text(encoding="utf-8")
        texts = re.findall(r"^#{1,6} (.+)$", source, re.M)
    slugs = {re.sub(r"[^\w\- ]", "", text.lower().strip()).replace(" ", "-") for text in texts}
    return slugs | set(re.findall(r"^\(([\w:-]+)\)=", source, re.M))


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
        for check in CHECKS:
            for problem in check(chapter):
                print(f"{path.name}: {problem}")
                bad += 1
    return int(bad > 0)


if __name__ == "__main__":
    arguments.command_line(main)
