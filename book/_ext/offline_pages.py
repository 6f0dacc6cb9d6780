"""Sphinx extension: pages that ask no other host for anything, and that show a picture where no script runs.

- `sphinx_thebe`, which Jupyter Book always loads, refers to a script elsewhere and declares its constants twice,
  an error on every page. The book starts no kernels from its pages, so its scripts and styles are dropped.
- The list of references says it is a list and then holds no list items; screen readers are spared the claim.
- A figure to explore (`labsupport.explore`) is drawn by scripts. The still picture that its output carries for
  the repository's page also goes into a `noscript` element.
- The picture of the first page, which the reader moves, stands in the page itself, where a script can reach it.
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes

VIEW = "application/vnd.jupyter.widget-view+json"
PICTURE = "image/png"


def drop_thebe(app, pagename, templatename, context, doctree) -> None:
    """Remove what `sphinx_thebe` added to the page."""
    for kind in ("script_files", "css_files"):
        context[kind] = [entry for entry in context.get(kind, []) if "thebe" not in _content(entry)]


def mend_references(app, pagename, templatename, context, doctree) -> None:
    """Take the role of a list from the references, whose entries have a role of their own."""
    context["body"] = context.get("body", "").replace(
        '<div role="list" class="citation-list">', '<div class="citation-list">'
    )


def open_picture(app, pagename, templatename, context, doctree) -> None:
    """Put `opening.svg` into the page in the place of the link to it."""
    picture = re.compile(r'<img [^>]*src="[^"]*\bopening\.svg"[^>]*>')
    body = context.get("body", "")
    if picture.search(body):
        drawn = (Path(app.srcdir) / "book" / "_static" / "opening.svg").read_text(encoding="utf-8")
        context["body"] = picture.sub(lambda _: drawn, body)


def _content(entry) -> str:
    return f"{entry} {getattr(entry, 'attributes', {}).get('body', '')}".lower()


def add_still(app, doctree) -> None:
    """Put the picture of a widget's output beside the widget, for readers without scripts."""
    for bundle in list(doctree.findall(nodes.container)):
        if bundle.get("nb_element") != "mime_bundle":
            continue
        forms = {child.get("mime_type"): child for child in bundle.children}
        if VIEW in forms and PICTURE in forms:
            image = next(iter(forms[PICTURE].findall(nodes.image))).deepcopy()
            if not image.get("alt") and "text/plain" in forms:
                image["alt"] = forms["text/plain"].astext()
            forms[VIEW] += [_raw("<noscript>"), image, _raw("</noscript>")]


def _raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="html")


def setup(app) -> dict:
    app.connect("doctree-read", add_still)
    app.connect("html-page-context", drop_thebe, priority=900)
    app.connect("html-page-context", mend_references)
    app.connect("html-page-context", open_picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
