"""A fork's book leads to the fork, one without an address nowhere, and nothing committed names a repository."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import numpy as np
import pytest
import yaml

from tools import address, notebooks, publish, published, release, render
from tools.address import Address
from tools.execute import ROOT
from tools.published import Place

FORK = Address("https://github.com/some-one/their-fork", "spring")
PLACE = Place(FORK, "v1.0.0")
OLD_NAME = "sharp-minima" + "/large-batch-course"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in ("REPOSITORY", "BRANCH", "PAGES_URL", "BASE_URL", "GITHUB_SHA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clone(tmp_path):
    """A repository with one commit on `main`."""
    root = tmp_path / "clone"
    root.mkdir()

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    (root / "README.md").write_text("text\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return root, git


@pytest.fixture
def book(tmp_path):
    """The committed book as `make book` copies it, before it is rendered."""
    source = tmp_path / "src"
    shutil.copytree(
        ROOT / "book",
        source / "book",
        ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
    )
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(ROOT / name, source / name)
    return source


# The address


@pytest.mark.parametrize(
    "given, url",
    [
        ("https://github.com/some-one/their-fork", "https://github.com/some-one/their-fork"),
        ("https://github.com/some-one/their-fork.git/", "https://github.com/some-one/their-fork"),
        ("https://x-access-token:s3cret@github.com/a/b.git", "https://github.com/a/b"),
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("ssh://git@codeberg.org:2222/a/b.git", "https://codeberg.org/a/b"),
        (
            "https://gitlab.example.org/group/sub/name.git",
            "https://gitlab.example.org/group/sub/name",
        ),
        ("/srv/git/course.git", None),
        ("../course", None),
        ("file:///srv/git/course", None),
        ("https://github.com/OWNER/NAME", None),
        ("https://github.com/" + OLD_NAME, None),
        ("https://github.com/only-owner", None),
        ("https://github.com/a/b?x=1&<script>", "https://github.com/a/b"),
        ("https://github.com/a/b c", None),
    ],
)
def test_a_remote_is_an_address_without_password_or_none(given, url):
    found = address.parse(given)
    assert (found.url if found else None) == url


def test_the_address_is_gits_remote_and_its_main_branch(clone):
    root, git = clone
    assert address.find(root) is None, "no remote"
    git("remote", "add", "origin", "git@github.com:some-one/their-fork.git")
    assert address.find(root) == Address("https://github.com/some-one/their-fork", "main")
    git("checkout", "-qb", "mine")
    git("update-ref", "refs/remotes/origin/spring", "HEAD")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/spring")
    assert address.find(root).branch == "spring"


def test_repository_and_branch_may_be_given(clone, monkeypatch):
    root, git = clone
    git("remote", "add", "origin", "https://github.com/a/b")
    monkeypatch.setenv("REPOSITORY", "https://codeberg.org/c/d")
    monkeypatch.setenv("BRANCH", "autumn")
    assert address.find(root) == Address("https://codeberg.org/c/d", "autumn")
    monkeypatch.setenv("REPOSITORY", "none")
    assert address.find(root) is None
    monkeypatch.setenv("REPOSITORY", "their-fork")
    with pytest.raises(
        SystemExit, match="REPOSITORY is 'their-fork', which is no address. Possible: https://HOST"
    ):
        address.find(root)


def test_a_folder_inside_another_repository_has_no_address_of_its_own(clone):
    root, git = clone
    git("remote", "add", "origin", "https://github.com/a/b")
    (root / "unzipped").mkdir()
    assert address.find(root / "unzipped") is None
    assert address.tag(root / "unzipped") == ""


def test_without_git_there_is_no_address(clone, monkeypatch):
    root, git = clone
    git("remote", "add", "origin", "https://github.com/a/b")
    monkeypatch.setenv("PATH", str(root))
    assert address.find(root) is None


def test_a_setup_cell_is_pinned_to_what_the_remote_has(clone):
    root, git = clone
    assert address.pin(root) == "main", "a commit that nobody pushed cannot be fetched"
    git("update-ref", "refs/remotes/origin/main", "HEAD")
    assert len(address.pin(root)) == 40
    git("tag", "v1.2.3")
    assert address.pin(root) == "v1.2.3"


def test_committed_files_send_no_reader_to_a_repository():
    assert address.sent_elsewhere(ROOT) == {}


@pytest.mark.parametrize(
    "text",
    [
        "[c](https://colab.research.google.com/github/a/b/blob/main/x.ipynb)",
        'pip install "labsupport @ git+https://github.com/a/b"',
        "git clone https://github.com/a/b",
        "https://github.com/" + OLD_NAME,
    ],
)
def test_a_committed_address_is_found(clone, text):
    root, _ = clone
    (root / "page.md").write_text(text)
    assert list(address.sent_elsewhere(root)) == ["page.md"]


# The copies


def test_a_fork_on_github_gets_its_buttons_links_and_install(book):
    published.write_into(book, PLACE, base="https://some-one.github.io/their-fork/")
    config = yaml.safe_load((book / "_config.yml").read_text())
    assert config["repository"]["url"] == FORK.url and config["repository"]["branch"] == "spring"
    assert config["launch_buttons"]["colab_url"] == "https://colab.research.google.com"
    assert config["html"]["baseurl"] == "https://some-one.github.io/their-fork/"
    for path in notebooks.every(book / "book"):
        notebook = nbformat.read(path, as_version=4)
        link = f"https://colab.research.google.com/github/some-one/their-fork/blob/published/book/{path.name}"
        assert f"[Open in Colab]({link})" in notebook.cells[0].source
        assert f'PACKAGE = "{FORK.url}/archive/v1.0.0.zip"' in notebook.cells[1].source
    setup = (book / "book" / "setup.md").read_text()
    assert (
        f"git clone {FORK.url} " in setup
        and "pip install https://github.com/some-one/their-fork/archive" in setup
    )
    assert "REPOSITORY_ADDRESS" not in setup and "<!--" not in setup and "Press the rocket" in setup


@pytest.mark.parametrize(
    "url, buttons",
    [
        ("https://gitlab.com/g/s/n", True),
        ("https://bitbucket.org/a/b", True),
        ("https://codeberg.org/a/b", False),
    ],
)
def test_on_another_host_nothing_leads_to_colab(book, url, buttons):
    published.write_into(book, Place(Address(url), "v1.0.0"))
    config = yaml.safe_load((book / "_config.yml").read_text())
    assert "launch_buttons" not in config
    assert config["html"].get("use_repository_button", False) is buttons
    assert buttons or url in config["html"]["extra_footer"]
    texts = [
        path.read_text()
        for path in sorted((book / "book").glob("*.*"))
        if path.suffix in (".md", ".ipynb")
    ]
    assert not any("colab.research.google.com/github" in text for text in texts)
    assert f'PACKAGE = \\"{url}/' in (book / "book" / "01-minibatch-sgd.ipynb").read_text()


def test_without_an_address_the_copies_are_as_committed(book):
    before = {
        path: path.read_bytes()
        for path in (book / "book").glob("*.*")
        if path.suffix in (".md", ".ipynb")
    }
    published.write_into(book, Place(None))
    config = yaml.safe_load((book / "_config.yml").read_text())
    assert not {"repository", "launch_buttons"} & set(config)
    assert not [key for key in config["html"] if key.endswith("_button")]
    assert {path: path.read_bytes() for path in before} == before
    assert "Download a chapter" in (book / "book" / "setup.md").read_text()


def test_what_was_rendered_can_be_rendered_again_for_another_address(book, tmp_path):
    render.place_copy(book, tmp_path / "pages", PLACE)
    render.place_copy(book, tmp_path / "pages", Place(Address("https://github.com/c/d"), "v2.0.0"))
    text = (tmp_path / "pages" / "book" / "02-generalization-gap.ipynb").read_text()
    assert "github/c/d/" in text and "their-fork" not in text


@pytest.mark.parametrize(
    "name", ["github.com", "github.mine.org", "gitlab.mine.org", "codeberg.org", "bitbucket.org"]
)
def test_every_host_has_a_page_for_a_file_and_an_archive(name):
    here = Address(f"https://{name}/a/b", "main")
    assert here.kind and here.blob("README.md").endswith("README.md")
    assert here.archive("v1.0.0").startswith(f"https://{name}/a/b/") and "v1.0.0" in here.archive(
        "v1.0.0"
    )
    assert here.on_colab == (name == "github.com")


def test_a_site_of_its_own_has_no_folder(monkeypatch):
    assert Address("https://github.com/Ann/ann.github.io").pages == "https://ann.github.io/"
    assert Address("https://github.com/Ann/course").pages == "https://ann.github.io/course/"
    assert Address("https://gitlab.com/a/b").pages == ""
    monkeypatch.setenv("PAGES_URL", "https://course.example.org")
    assert Address("https://gitlab.com/a/b").pages == "https://course.example.org/"


# The branch that Colab opens


@pytest.fixture
def fork(tmp_path, clone):
    """A clone with two chapters and a page, a remote that can be pushed to, and the address of a fork on GitHub."""
    root, git = clone
    (root / "book").mkdir()
    for name in ("02-generalization-gap", "03-sharp-and-flat-minima", *notebooks.PAGES):
        shutil.copy2(ROOT / "book" / f"{name}.ipynb", root / "book")
    git("add", "-A")
    git("commit", "-qm", "chapters")
    git("tag", "v1.0.0")
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote.git")], check=True)
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    git("push", "-q", "origin", "main", "v1.0.0")
    return root, git


def test_publishing_needs_no_more_than_its_workflow_installs():
    absent = "import sys; sys.modules |= dict.fromkeys(['PIL', 'torch', 'matplotlib', 'numpy'])"
    call = [sys.executable, "-c", f"{absent}; import tools.publish"]
    found = subprocess.run(call, cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_the_published_branch_holds_the_address_and_main_does_not(fork, monkeypatch):
    root, git = fork
    monkeypatch.setenv("REPOSITORY", FORK.url)
    place = Place.here(root)
    assert place.package == f"{FORK.url}/archive/v1.0.0.zip"
    made = publish.commit(publish.all_notebooks(place, root), "published", root)
    shown = publish.git("show", f"{made}:book/03-sharp-and-flat-minima.ipynb", root=root)
    notebook = nbformat.reads(shown, as_version=4)
    there = "https://colab.research.google.com/github/some-one/their-fork/blob/published/book"
    assert f"[Open in Colab]({there}/03-sharp-and-flat-minima.ipynb)" in notebook.cells[0].source
    assert f"[chapter 2]({there}/02-generalization-gap.ipynb)" in notebook.cells[0].source
    assert "](https://some-one.github.io/their-fork/book/setup.html)" in notebook.cells[0].source
    assert "v1.0.0.zip" in notebook.cells[1].source
    nbformat.validate(notebook)
    page = publish.git("show", f"{made}:book/your-own-network.ipynb", root=root)
    assert f"[Open in Colab]({there}/your-own-network.ipynb)" in page and "v1.0.0.zip" in page
    assert publish.git("status", "--porcelain", root=root) == "", (
        "neither the files here nor what is staged changed"
    )
    assert "some-one" not in publish.git(
        "show", "main:book/03-sharp-and-flat-minima.ipynb", root=root
    )
    assert publish.git("rev-parse", "published^", root=root) == publish.git(
        "rev-parse", "main", root=root
    )


def test_publishing_twice_replaces_the_branch_on_the_remote(fork, monkeypatch):
    root, git = fork
    monkeypatch.setenv("REPOSITORY", FORK.url)
    assert publish.main(["--push"], root) == 0 == publish.main(["--push"], root)
    remote = publish.git("ls-remote", "origin", "refs/heads/published", root=root).split()[0]
    assert remote == publish.git("rev-parse", "published", root=root)


def test_without_an_address_nothing_is_published(clone):
    root, _ = clone
    with pytest.raises(
        SystemExit, match="no address, so its notebooks cannot be published. Possible: git remote"
    ):
        publish.all_notebooks(Place(None), root)


def test_the_minima_of_a_release_are_fetched_by_their_hash(tmp_path):
    archive = tmp_path / "minima-colab.zip"
    archive.write_bytes(b"zip")
    place = published.with_minima(PLACE, archive)
    notebook = notebooks.skeleton("02-miniature", "A miniature")
    published.set_up(notebook, "02-miniature", place)
    setup = notebook.cells[1].source
    sha = hashlib.sha256(b"zip").hexdigest()
    assert (
        f'archive.bring("{FORK.url}/releases/download/v1.0.0/minima-colab.zip", "{sha}")\nprint(device'
        in setup
    )
    gitlab = Place(Address("https://gitlab.com/a/b"), "v1.0.0")
    assert published.with_minima(gitlab, archive) == gitlab, "no address that could be fetched"


def test_a_chapter_opened_alone_says_how_long_it_takes(tmp_path):
    measured = tmp_path / "run-times.json"
    measured.write_text('[{"seconds": {}}, {"alone": {"02-miniature": 184.0}}]')
    assert published.seconds_alone("02-miniature", measured) == 184.0
    assert published.seconds_alone("03-other", measured) is None
    notebook = notebooks.skeleton("02-miniature", "A miniature")
    published.set_up(notebook, "02-miniature", PLACE, alone=184.0)
    assert notebook.cells[0].source.endswith(
        "it takes about 3 minutes (measured on two CPU cores).*"
    )


# A release


def test_a_release_holds_notebooks_wheel_minima_and_their_sums(fork, monkeypatch, tmp_path):
    root, _ = fork
    shutil.copytree(
        ROOT / "labsupport", root / "labsupport", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("CHANGELOG.md", "LICENSE", "LICENSE-text.md"):
        shutil.copy2(ROOT / name, root)
    (root / "_build").mkdir()
    (root / "_build" / "book.pdf").write_bytes(b"%PDF-1.7")
    store = tmp_path / "store"
    store.mkdir()
    np.savez(store / "train-1a2b.npz", x=np.arange(3))
    made = tmp_path / "release"
    release.gather(made, PLACE, store, root)
    wheel = f"labsupport-{release.version()}-py3-none-any.whl"
    names = {path.name for path in made.iterdir() if not path.name.startswith(".")}
    assert names == {
        "book.pdf",
        "minima-colab.zip",
        "notebooks.zip",
        wheel,
        "notes.md",
        "SHA256SUMS",
    }
    assert (
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=made).returncode == 0
    )
    with zipfile.ZipFile(made / "notebooks.zip") as file:
        text = file.read("their-fork-notebooks/02-generalization-gap.ipynb").decode()
        assert "their-fork-notebooks/LICENSE" in file.namelist()
    assert "archive/v1.0.0.zip" in text and "releases/download/v1.0.0/minima-colab.zip" in text


def test_the_changelog_and_the_citation_have_this_version():
    assert release.notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), release.version())
    assert (
        yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"]
        == release.version()
    )
    with pytest.raises(SystemExit, match="has no part `## 9.9.9`"):
        release.notes("## 1.0.0\n", "9.9.9")


def test_every_test_that_the_accessibility_page_names_is_there():
    page = (ROOT / "book" / "accessibility.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    sources = "".join(
        path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))
    )
    assert named and not [name for name in named if f"def {name}(" not in sources]
