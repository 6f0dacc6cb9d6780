"""A chapter's prose, as every front end shows it: no raw markup, and links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tools.chapters import Chapter, commonmark

HTML_TAGS = {"details", "summary", "br", "sub", "sup", "kbd"}
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
