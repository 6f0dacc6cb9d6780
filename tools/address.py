"""Where this copy of the project lives: its address and branch, derived where the book is built.

    python -m tools.address            says what was found, and from where
    python -m tools.address --pages    says where the rendered book is served
    python -m tools.address --check    fails if a committed file sends readers to another repository

The address is `REPOSITORY` where that is set, else git's remote. Committed notebooks hold none, so that a fork, a
mirror and a copy without a remote are all right as they are; `tools.render` and `tools.publish` write it into the
copies that they make. Uses the standard library alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = "published"  #: the branch whose notebooks know where they are; Colab opens these
#: What stands for an address in a text, and must never be followed.
PLACEHOLDERS = {("owner", "name"), ("sharp-minima", "large-batch-course")}
FORMS = "https://HOST/OWNER/NAME or git@HOST:OWNER/NAME"
_SSH = re.compile(r"(?:ssh://)?[\w.-]+@([\w.-]+)(?::\d+/|[:/])/?(.+)")


@dataclass(frozen=True)
class Address:
    """One repository on one host, and the branch that the book's edit buttons lead to.

    >>> here = Address("https://github.com/someone/their-fork", "main")
    >>> here.colab("book/02-x.ipynb")
    'https://colab.research.google.com/github/someone/their-fork/blob/published/book/02-x.ipynb'
    """

    url: str
    branch: str = "main"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def path(self) -> str:
        """``owner/name``; a host with groups has more parts."""
        return urlsplit(self.url).path.strip("/")

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def kind(self) -> str:
        """Whose addresses these are: github, gitlab, bitbucket, gitea; empty for a host that is not known."""
        for kind in ("github", "gitlab", "bitbucket"):
            if (
                self.host == f"{kind}.com"
                or self.host == f"{kind}.org"
                or self.host.startswith(f"{kind}.")
            ):
                return kind
        return "gitea" if re.match(r"(codeberg|gitea|forgejo)\.", self.host) else ""

    @property
    def on_colab(self) -> bool:
        """Colab opens notebooks from github.com, and from no other host."""
        return self.host == "github.com"

    def colab(self, file: str) -> str:
        """What opens the published copy of a notebook in Colab."""
        return f"https://colab.research.google.com/github/{self.path}/blob/{PUBLISHED}/{file}"

    def blob(self, file: str, branch: str = "") -> str:
        """The page that shows a file; the repository's own page where the host is not known."""
        forms = {
            "github": "{url}/blob/{branch}/{file}",
            "gitlab": "{url}/-/blob/{branch}/{file}",
            "bitbucket": "{url}/src/{branch}/{file}",
            "gitea": "{url}/src/branch/{branch}/{file}",
        }
        return forms.get(self.kind, "{url}").format(
            url=self.url, branch=branch or self.branch, file=file
        )

    def archive(self, ref: str) -> str:
        """A zip of the sources at a tag or commit, for pip without git; empty where the host is not known."""
        forms = {
            "github": "{url}/archive/{ref}.zip",
            "gitlab": "{url}/-/archive/{ref}/{name}-{ref}.zip",
            "bitbucket": "{url}/get/{ref}.zip",
            "gitea": "{url}/archive/{ref}.zip",
        }
        return forms.get(self.kind, "").format(url=self.url, name=self.name, ref=ref)

    def release(self, tag: str, file: str) -> str:
        """A file of a release; empty where the host has no such addresses."""
        known = self.kind in ("github", "gitea")
        return f"{self.url}/releases/download/{tag}/{file}" if known else ""

    @property
    def pages(self) -> str:
        """Where the rendered book is served: ``PAGES_URL``, else what GitHub Pages gives; empty if neither."""
        if given := os.environ.get("PAGES_URL", "").strip():
            return given.rstrip("/") + "/"
        owner, _, name = self.path.partition("/")
        if self.host != "github.com":
            return ""
        site = f"{owner.lower()}.github.io"
        return f"https://{site}/" if name.lower() == site else f"https://{site}/{name}/"


def parse(given: str, branch: str = "main") -> Address | None:
    """The address that ``given`` names, without password and `.git`; None for a folder or a placeholder.

    >>> parse("git@github.com:someone/their-fork.git")
    Address(url='https://github.com/someone/their-fork', branch='main')
    >>> parse("https://user:secret@gitlab.com/group/sub/name/").url
    'https://gitlab.com/group/sub/name'
    >>> parse("/srv/git/course.git") is None and parse("https://github.com/OWNER/NAME") is None
    True
    """
    given = given.strip()
    if ssh := _SSH.fullmatch(given):
        host, path = ssh.groups()
    else:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https", "git"):
            return None
        host, path = parts.hostname or "", parts.path
    path = path.strip("/").removesuffix(".git")
    words = path.split("/")
    sound = all(re.fullmatch(r"[\w.~-]+", word) for word in words)
    if (
        "." not in host
        or len(words) < 2
        or not sound
        or tuple(w.lower() for w in words) in PLACEHOLDERS
    ):
        return None
    return Address(f"https://{host}/{path}", branch)


def git(*words: str, root: Path = ROOT) -> str:
    """What git answers in ``root``; empty where there is no git, no repository or no answer."""
    try:
        told = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    except OSError:
        return ""
    inside = told.returncode == 0
    return told.stdout.strip() if inside else ""


def is_clone(root: Path) -> bool:
    """Whether ``root`` is a repository of its own, and not a folder inside another one."""
    top = git("rev-parse", "--show-toplevel", root=root)
    return bool(top) and Path(top).resolve() == root.resolve()


def branch(root: Path = ROOT) -> str:
    """``BRANCH`` where set, else the remote's main branch, else the one checked out, else ``main``."""
    if given := os.environ.get("BRANCH", "").strip():
        return given
    main = git("symbolic-ref", "--short", "refs/remotes/origin/HEAD", root=root).removeprefix(
        "origin/"
    )
    here = git("symbolic-ref", "--short", "HEAD", root=root)
    return main or (here if here != PUBLISHED else "") or "main"


def find(root: Path = ROOT) -> Address | None:
    """The address of the copy in ``root``, or None if it has none that readers can be sent to.

    Raises SystemExit if ``REPOSITORY`` is set to what is no address; ``REPOSITORY=none`` means none.
    """
    given = os.environ.get("REPOSITORY", "").strip()
    if given.lower() == "none":
        return None
    if given:
        found = parse(given, branch(root))
        if found is None:
            raise SystemExit(
                f"REPOSITORY is {given!r}, which is no address. Possible: {FORMS}; or none."
            )
        return found
    if not is_clone(root):
        return None
    remotes = git("remote", root=root).split()
    names = [name for name in ("origin", *remotes) if name in remotes]
    return parse(git("remote", "get-url", names[0], root=root), branch(root)) if names else None


def tag(root: Path = ROOT) -> str:
    """What names the present commit for ever: its version tag if it has one, else its hash; empty without git."""
    if not is_clone(root):
        return ""
    tags = git("tag", "--points-at", "HEAD", "--list", "v*", root=root).split()
    return tags[-1] if tags else git("rev-parse", "HEAD", root=root)


def pin(root: Path = ROOT) -> str:
    """What readers can fetch this copy by: `tag` where the remote has the commit, else the branch.

    A commit that was never pushed has no address yet; the branch is the nearest that has one.
    """
    pushed = os.environ.get("GITHUB_SHA") or git(
        "branch", "--remotes", "--contains", "HEAD", root=root
    )
    return (tag(root) if pushed else "") or branch(root)


def text_files(root: Path = ROOT) -> list[Path]:
    """The text files that git tracks, or would track."""
    if not is_clone(root):
        return [
            path
            for path in sorted(root.glob("*.*")) + sorted((root / "book").glob("*.*"))
            if path.is_file()
        ]
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", root=root)
    paths = sorted({root / name for name in listed.split("\0") if name})
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:4096]]


#: An address that lets a reader run code: what Colab opens, what pip or git fetches, or a placeholder.
_SENT = re.compile(
    r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/"
    r"|(?:git\+|git clone )https?://([\w.-]+/[\w.-]+/[\w.-]+)"
    r"|(sharp-minima/large-batch-course)"
)


def sent_elsewhere(root: Path = ROOT) -> dict[str, list[str]]:
    """{file: addresses} of committed pages and notebooks that send readers to a repository."""
    found = {}
    for path in text_files(root):
        if path.suffix in (".md", ".ipynb", ".yml", ".toml", ".cff"):
            text = path.read_text(encoding="utf-8", errors="replace")
            if hits := sorted({hit.group() for hit in _SENT.finditer(text)}):
                found[str(path.relative_to(root))] = hits
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="do committed files send readers to another repository?",
    )
    parser.add_argument(
        "--pages", action="store_true", help="print where the rendered book is served, or nothing"
    )
    given = parser.parse_args(argv)
    here = find()
    if given.pages:
        print(here.pages if here else os.environ.get("PAGES_URL", ""))
        return 0
    if given.check:
        wrong = sent_elsewhere()
        for file, hits in wrong.items():
            print(
                f"{file} sends readers to {', '.join(hits)}; leave it to the build, which knows the address."
            )
        return int(bool(wrong))
    if here is None:
        print(
            "This copy has no address: no remote, or a folder. The book is built without buttons and links to it.\n"
            f"To give it one: git remote add origin ADDRESS, or REPOSITORY=ADDRESS, of the form {FORMS}."
        )
        return 0
    print(f"{here.url}, branch {here.branch}")
    print(f"Rendered book: {here.pages or 'say where in PAGES_URL'}")
    print(
        f"Colab: {here.colab('book/') if here.on_colab else 'opens no notebooks from ' + here.host}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
