"""What the instructor's guide takes from the chapters, so that it cannot go stale.

    python -m tools.guide     writes book/predictions.md, and the table of chapters in book/instructors.md

The predictions, their options, and the reply to each come from the chapters' own folded answers; minutes to read come
from the chapters' first cells, seconds to run from book/run-times.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import arguments, notebooks
from tools.chapters import Chapter
from tools.files import ROOT, Refused, write_whole

BOOK = ROOT / "book"
GUIDE = BOOK / "instructors.md"
PAGE = BOOK / "predictions.md"
ASKED = "### Predict before you run"
TABLE = re.compile(r"(?<=<!-- chapters -->\n).*?(?=<!-- end -->)", re.DOTALL)
_ANSWER = re.compile(r"<summary>Answer</summary>(.*?)</details>", re.DOTALL)
_OPTION = re.compile(r"\(([a-e])\) ?(.*)", re.DOTALL)

HEAD = """\
# What to say to each answer

*A hand goes up for (b). What does its owner believe, and what do you say?*

Every *Predict before you run* of the book, with the reply to each option. **The answers are on this page**, as they are
in the chapters, folded. How to ask, and how long to wait, has [the guide for instructors](instructors.md).

This page is written by `python -m tools.guide` from the chapters. Nothing here is typed by hand.
"""


@dataclass(frozen=True)
class Prediction:
    """One question: the section it stands in, its text, {letter: option}, the right letter and what is said to each.

    ``why`` follows the right letter; ``replies`` are those to the other letters; ``after`` is for everyone.
    """

    section: str
    question: str
    options: dict[str, str]
    right: str
    why: str
    replies: dict[str, str]
    after: str


def predictions(chapter: Chapter) -> list[Prediction]:
    """The predictions of a chapter, in order.

    Raises Refused, with the cell, if one has no answer, no right letter, or no reply to a wrong option.
    """
    found = []
    section = chapter.headings[0][2] if chapter.headings else chapter.path.stem
    cells = chapter.markdown
    for at, (number, cell) in enumerate(cells):
        before, asked, rest = cell.source.partition(ASKED)
        section = _last_heading(before) or section
        if asked:
            later = "\n".join(after.source for _, after in cells[at + 1 :])
            where = f"{chapter.path.name}, cell {number}"
            found.append(_read(section, rest, later, where))
            section = _last_heading(rest) or section
    return found


def _last_heading(text: str) -> str:
    headings = re.findall(r"^#{2,3} (.+)$", text, re.MULTILINE)
    return headings[-1] if headings else ""


def _read(section: str, asked: str, later: str, where: str) -> Prediction:
    """The prediction whose question is ``asked``; its answer is the first one folded in ``later``."""
    question, options = _asked(asked)
    answer = _ANSWER.search(later)
    if not options or not answer:
        raise Refused(f"{where}: a prediction needs options from (a) on, and an answer after them.")
    why, replies, after = _answered(answer.group(1))
    first = _OPTION.match(why.replace("**", ""))
    if not first or first.group(1) not in options:
        raise Refused(f"{where}: its answer must begin with the letter of one of its options.")
    right = first.group(1)
    silent = sorted(set(options) - set(replies) - {right})
    if silent:
        raise Refused(f"{where}: no reply is written to option ({'), ('.join(silent)}).")
    return Prediction(section, question, options, right, why, replies, after)


def _asked(text: str) -> tuple[str, dict[str, str]]:
    """The question's text and its options; what comes after the last option is the chapter's."""
    question: list[str] = []
    options: dict[str, str] = {}
    for block in _blocks(text):
        if found := _OPTION.match(block):
            options[found.group(1)] = found.group(2)
        elif options:
            break
        else:
            question.append(block)
    return "\n\n".join(question), options


def _answered(text: str) -> tuple[str, dict[str, str], str]:
    """What follows the right letter, the replies in the list, and what stands below it."""
    why: list[str] = []
    replies: dict[str, str] = {}
    after: list[str] = []
    for block in _blocks(text):
        items = [item.strip() for item in re.split(r"^- ", block, flags=re.MULTILINE)[1:]]
        letters = [found for item in items if (found := _OPTION.match(item))]
        if letters:
            replies |= {found.group(1): found.group(2) for found in letters}
        else:
            (after if replies else why).append(block)
    return "\n\n".join(why), replies, "\n\n".join(after)


def _blocks(text: str) -> list[str]:
    return [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]


def page(chapters: list[Chapter]) -> str:
    """The page of all predictions, in Markdown."""
    return HEAD + "".join("\n".join(_section(chapter)) for chapter in chapters)


def _section(chapter: Chapter) -> Iterator[str]:
    title = chapter.headings[0][2]
    yield f"\n## Chapter {chapter.number}: [{title}]({chapter.path.name})\n"
    for count, asked in enumerate(predictions(chapter), start=1):
        yield f"### Prediction {chapter.number}.{count}: {asked.section}\n\n{asked.question}\n"
        for letter, option in asked.options.items():
            if letter == asked.right:
                yield f"- **({letter}) {option.rstrip('.')}.** *This is what happened.*"
            else:
                yield f"- ({letter}) {option}\n\n  *Say:* ({letter}) {asked.replies[letter]}"
        said = _OPTION.match(asked.why.replace("**", ""))
        assert said is not None  # `predictions` has seen to it
        yield f"\n**Then, to everyone.** ({said.group(1)}){_join(said.group(2))}\n"
        if asked.after:
            yield f"{asked.after}\n"


def _join(rest: str) -> str:
    """What follows a letter, with a space where it begins with a word."""
    return rest if rest[:1] in (".", ",", ":") else f" {rest}"


def table(chapters: list[Chapter], times: list[dict]) -> str:
    """The table of chapters: minutes, seconds, predictions and exercises, in Markdown."""
    seconds = times[0]["seconds"] if times else {}
    rows = [
        "\n| | chapter | to read | first run | again | predictions | exercises |",
        "|---|---|---|---:|---:|---:|---:|",
    ]
    for chapter in chapters:
        first, again = seconds.get(chapter.path.stem, (None, None))
        exercises = [text for _, _, text in chapter.headings if text.startswith("Exercise ")]
        rows.append(
            f"| {chapter.number} | [{chapter.headings[0][2]}]({chapter.path.name}) | {_minutes(chapter)} "
            f"| {_seconds(first)} | {_seconds(again)} | {len(predictions(chapter))} | {len(exercises)} |"
        )
    return "\n".join(rows) + "\n\n"


def _minutes(chapter: Chapter) -> str:
    """How long the chapter itself says that reading takes."""
    found = re.search(r"\*\*Takes about\*\* (.*?)(?: to read|,)", chapter.cells[0].source)
    return found.group(1) if found else "not said"


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f} s"


def all_chapters() -> list[Chapter]:
    return [Chapter.read(path) for path in notebooks.chapters(BOOK)]


def measured() -> list[dict]:
    """The committed run times; none if there are none."""
    path: Path = BOOK / "run-times.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def guide(text: str, chapters: list[Chapter], times: list[dict]) -> str:
    """The guide's ``text`` with the table of chapters as it is today. Raises Refused if it has no place for it."""
    if not TABLE.search(text):
        raise Refused(
            f"{GUIDE.name} has no place for the table: put `<!-- chapters -->` and `<!-- end -->`."
        )
    return TABLE.sub(lambda _: table(chapters, times), text)


def main(argv: list[str] | None = None) -> int:
    arguments.Parser(description=__doc__).parse_args(argv)
    chapters = all_chapters()
    filled = guide(GUIDE.read_text(encoding="utf-8"), chapters, measured())
    write_whole(PAGE, page(chapters))
    write_whole(GUIDE, filled)
    print(f"Wrote {PAGE.relative_to(ROOT)} and the table in {GUIDE.relative_to(ROOT)}.")
    return 0


if __name__ == "__main__":
    arguments.command_line(main)
