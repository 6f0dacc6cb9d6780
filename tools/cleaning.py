"""Delete what was built: only what these tools or Python put there."""

from __future__ import annotations

import os
from pathlib import Path

from tools.files import BUILD, MARK, ROOT, ours, remove

#: What the commands write into _build beside folders with a mark; earlier versions made some folders without one.
BUILT = {
    ".doctrees",
    ".jupyter_cache",
    "book.pdf",
    "chapters",
    "html",
    "linkcheck",
    "pages",
    "run-times.json",
    "settings",
}
BUILT |= {"smoke", "src", "test-store", "vendor", "book.lock", "smoke.lock", "test.lock"}
CACHES = {"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache", ".ipynb_checkpoints"}
LEFT_ALONE = {".git", ".venv", "node_modules"}


def clean(root: Path = ROOT) -> int:
    """Delete the build and Python's caches below ``root``; say what is left in _build because it is not ours."""
    build = root / BUILD.name
    if build.is_symlink():
        print(f"{build.name} is a link: only the link is deleted.")
        build.unlink()
    elif build.is_dir():
        for path in build.iterdir():
            if path.name in BUILT | {MARK} or ours(path):
                remove(path)
        if left := sorted(path.name for path in build.iterdir()):
            print(f"Left in _build, since the book did not put it there: {', '.join(left)}")
        else:
            build.rmdir()
    _clean_package(root)
    for folder, folders, _ in os.walk(root):
        for name in [name for name in folders if name in CACHES]:
            remove(Path(folder) / name)
        folders[:] = [name for name in folders if name not in LEFT_ALONE | CACHES]
    return 0


def _clean_package(root: Path) -> None:
    """What setuptools leaves: its notes, and `build` if nothing else lies in it."""
    for notes in root.glob("*.egg-info"):
        remove(notes)
    made = root / "build"
    if made.is_dir() and all(
        path.name == "lib" or path.name.startswith("bdist.") for path in made.iterdir()
    ):
        remove(made)
