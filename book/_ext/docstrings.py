"""Sphinx extension: docstrings of the package, as their authors write them, become pages.

In a docstring ``|x|`` is an absolute value. In reStructuredText it would be a substitution, of which
the package has none; so its bars are escaped, outside of examples and of what stands in backticks.

A long signature has a parameter a line. Sphinx writes these lines as a list of descriptions that describe nothing,
which screen readers announce; here they are plain lines, which `book.css` sets under each other.
"""

from __future__ import annotations

import re

#: What is kept as it stands: text in one or two backticks, also where it goes on in the next line.
KEPT = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
#: A signature of several lines: its opening bracket, the parameters, and its closing bracket.
SIGNATURE = re.compile(
    r'(<span class="sig-paren">\(</span>)\s*<dl>(.*?)</dl>\s*(<span class="sig-paren">\)</span>)',
    re.DOTALL,
)


def escape_bars(app, what, name, thing, options, lines: list[str]) -> None:
    """Change the lines in place, as Sphinx asks for."""
    blocks = "\n".join(lines).split("\n\n")
    before = ["", *blocks]
    found = [_escaped(block, after) for block, after in zip(blocks, before)]
    lines[:] = "\n\n".join(found).split("\n")


def _escaped(block: str, after: str) -> str:
    """The block; ``after`` is the one before it, which may announce a literal one."""
    example = block.lstrip().startswith(">>>")
    literal = after.rstrip().endswith("::") and block.startswith(" ")
    if example or literal:
        return block
    parts = KEPT.split(block)
    return "".join(part if KEPT.fullmatch(part) else part.replace("|", r"\|") for part in parts)


def hide_factory(app, what, name, thing, options, signature, returned) -> tuple | None:
    """A field whose default is made anew each time shows dots, where Python says ``<factory>``, which is no code."""
    return signature and (signature.replace("<factory>", "..."), returned)


def mend_signatures(app, pagename, templatename, context, doctree) -> None:
    """Make plain lines of a long signature's parameters."""
    context["body"] = SIGNATURE.sub(_plain, context.get("body", ""))


def _plain(found: re.Match) -> str:
    lines = (
        found.group(2).replace("<dd>", '<span class="lab-parameter">').replace("</dd>", "</span>")
    )
    return f"{found.group(1)}{lines}{found.group(3)}"


def setup(app) -> dict:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", escape_bars)
    app.connect("autodoc-process-signature", hide_factory)
    app.connect("html-page-context", mend_signatures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
