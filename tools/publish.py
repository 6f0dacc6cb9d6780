"""Write the branch `published`: the notebooks as Colab opens them, each with this repository's address.

    python -m tools.publish            makes the branch here
    python -m tools.publish --push     and pushes it to the remote

Colab opens what is committed, so the address must stand in a commit: a setup cell pinned to this version, the link to
Colab, and links between chapters that work there. The branch has one commit, on top of the one it was made from, and
is written without touching the working tree.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from tools import notebooks, published
from tools.address import PUBLISHED, ROOT

NOTICE = """\
# {name}: the notebooks that Colab opens

Written by `python -m tools.publish` from {ref}. Do not edit: change the sources at <{url}> instead.
"""


def all_notebooks(place: published.Place, root: Path = ROOT) -> dict[str, str]:
    """{path in the repository: text} of every notebook with this repository's address in it."""
    home, texts = place.home, {}
    for path in notebooks.every(root / "book"):
        notebook = nbformat.read(path, as_version=4)
        published.set_up(notebook, path.stem, place, alone=published.seconds_alone(path.stem))
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = published.leads_home(cell.source, home)
        texts[f"book/{path.name}"] = nbformat.writes(notebook) + "\n"
    return texts


def git(*words: str, root: Path, feed: str = "", **more: str) -> str:
    """Run git in ``root``; its answer. Raises SystemExit with git's own words if it refuses."""
    told = subprocess.run(
        ["git", *words],
        cwd=root,
        input=feed,
        text=True,
        encoding="utf-8",
        capture_output=True,
        env=os.environ | more,
    )
    if told.returncode:
        raise SystemExit(f"git {' '.join(words[:2])} failed: {told.stderr.strip()}")
    return told.stdout.strip()


def commit(texts: dict[str, str], message: str, root: Path = ROOT) -> str:
    """Set the branch `published` to HEAD with ``texts`` in it; return the commit's hash.

    Uses an index of its own, so that neither the working tree nor what is staged changes.
    """
    who = {"NAME": "published", "EMAIL": "published@localhost"}
    author = {
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        git("read-tree", "HEAD", root=root, **index)
        for path, text in texts.items():
            blob = git("hash-object", "-w", "--stdin", root=root, feed=text)
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", root=root, **index)
        tree = git("write-tree", root=root, **index)
    made = git("commit-tree", tree, "-p", "HEAD", "-m", message, root=root, **author)
    git("update-ref", f"refs/heads/{PUBLISHED}", made, root=root)
    return made


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--push", action="store_true", help="push the branch to the remote `origin`"
    )
    parser.add_argument(
        "--minima", type=Path, help="the minima of a release, which the setup cells are to fetch"
    )
    given = parser.parse_args(argv)
    place = published.Place.here(root)
    here = place.home
    if given.minima:
        place = published.with_minima(place, given.minima)
    texts = all_notebooks(place, root)
    notice = NOTICE.format(name=here.name, ref=place.ref, url=here.url)
    texts["PUBLISHED.md"] = notice
    made = commit(texts, f"The notebooks of {place.ref}, as Colab opens them", root)
    print(
        json.dumps(
            {"branch": PUBLISHED, "commit": made, "from": place.ref, "notebooks": len(texts) - 1}
        )
    )
    if given.push:
        git("push", "--force", "origin", f"refs/heads/{PUBLISHED}", root=root)
        print(f"Pushed. For example: {here.colab('book/02-generalization-gap.ipynb')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
