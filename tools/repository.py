"""The repository's address: it stands in _config.yml, and this rewrites every place that repeats it.

    python -m tools.repository https://github.com/someone/their-fork

Links, Colab buttons, install lines and the pages' address (someone.github.io/their-fork) follow.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORM = re.compile(r"https://github\.com/([A-Za-z0-9][\w-]*)/([\w.-]+?)(?:\.git)?/?")


def address(root: Path = ROOT) -> str:
    """The address in ``root``'s _config.yml, for example ``https://github.com/owner/name``."""
    config = (root / "_config.yml").read_text(encoding="utf-8")
    found = re.search(r"^repository:\n(?:[ \t]+.*\n)*?[ \t]+url:[ \t]*(\S+)", config, re.M)
    if not found:
        raise SystemExit("_config.yml names no repository. Expected `repository:` with a line `  url: https://...`.")
    return found.group(1)


def split(url: str) -> tuple[str, str]:
    """Owner and name of the repository at ``url``.

    >>> split("https://github.com/someone/their-fork.git")
    ('someone', 'their-fork')
    """
    found = FORM.fullmatch(url.strip())
    if not found:
        raise SystemExit(f"{url!r} is no address Colab can open. Expected https://github.com/OWNER/NAME.")
    return found.group(1), found.group(2)


def text_files(root: Path) -> list[Path]:
    """The files that git tracks, or would track, and that are text."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    paths = sorted({root / name for name in names if name})
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


def places(owner: str, name: str) -> re.Pattern:
    """What to look for: ``owner/name`` and the pages' address, each as a whole."""
    ends = r"(?=$|[^\w.-]|\.git\b|\.(?!\w))"
    return re.compile(rf"(?<![\w.-]){re.escape(owner)}(?:\.github\.io)?/{re.escape(name)}{ends}", re.M)


def rewrite(root: Path, url: str) -> list[Path]:
    """Put ``url`` in the place of the present address in every text file of ``root``; return the files changed."""
    old, new = places(*split(address(root))), split(url)
    changed = []
    for path in text_files(root):
        before = path.read_text(encoding="utf-8", errors="surrogateescape")
        after = old.sub(
            lambda hit: f"{new[0]}{'.github.io' if '.github.io/' in hit.group() else ''}/{new[1]}", before
        )
        if after != before:
            path.write_text(after, encoding="utf-8", errors="surrogateescape")
            changed.append(path)
    return changed


def main(argv: list[str]) -> int:
    if len(argv) != 1:
        print(f"The address is {address()}. To change it: make repository URL=https://github.com/OWNER/NAME")
        return 0 if not argv else 1
    for path in rewrite(ROOT, argv[0]):
        print(path.relative_to(ROOT))
    print(f"The address is now {address()}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
