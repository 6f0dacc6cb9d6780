"""A fork's book leads to the fork, a copy without an address leads nowhere, and nothing committed names a repository."""

from __future__ import annotations

import shutil
import subprocess

import nbformat
import pytest
import yaml

from tools import address, notebooks, published, render
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
    shutil.copytree(ROOT / "book", source / "book", ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
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
        ("https://gitlab.example.org/group/sub/name.git", "https://gitlab.example.org/group/sub/name"),
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
    with pytest.raises(SystemExit, match="REPOSITORY is 'their-fork', which is no address. Possible: https://HOST"):
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
    for path in notebooks.chapters(book / "book"):
        notebook = nbformat.read(path, as_version=4)
        link = f"https://colab.research.google.com/github/some-one/their-fork/blob/published/book/{path.name}"
        assert f"[Open in Colab]({link})" in notebook.cells[0].source
        assert f'PACKAGE = "{FORK.url}/archive/v1.0.0.zip"' in notebook.cells[1].source
    setup = (book / "book" / "setup.md").read_text()
    assert f"git clone {FORK.url} " in setup and "pip install https://github.com/some-one/their-fork/archive" in setup
    assert "REPOSITORY_ADDRESS" not in setup and "<!--" not in setup and "Press the rocket" in setup


@pytest.mark.parametrize(
    "url, buttons",
    [("https://gitlab.com/g/s/n", True), ("https://bitbucket.org/a/b", True), ("https://codeberg.org/a/b", False)],
)
def test_on_another_host_nothing_leads_to_colab(book, url, buttons):
    published.write_into(book, Place(Address(url), "v1.0.0"))
    config = yaml.safe_load((book / "_config.yml").read_text())
    assert "launch_buttons" not in config
    assert config["html"].get("use_repository_button", False) is buttons
    assert buttons or url in config["html"]["extra_footer"]
    texts = [path.read_text() for path in sorted((book / "book").glob("*.*")) if path.suffix in (".md", ".ipynb")]
    assert not any("colab.research.google.com/github" in text for text in texts)
    assert f'PACKAGE = \\"{url}/' in (book / "book" / "01-minibatch-sgd.ipynb").read_text()


def test_without_an_address_the_copies_are_as_committed(book):
    before = {path: path.read_bytes() for path in (book / "book").glob("*.*") if path.suffix in (".md", ".ipynb")}
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


@pytest.mark.parametrize("name", ["github.com", "github.mine.org", "gitlab.mine.org", "codeberg.org", "bitbucket.org"])
def test_every_host_has_a_page_for_a_file_and_an_archive(name):
    here = Address(f"https://{name}/a/b", "main")
    assert here.kind and here.blob("README.md").endswith("README.md")
    assert here.archive("v1.0.0").startswith(f"https://{name}/a/b/") and "v1.0.0" in here.archive("v1.0.0")
    assert here.on_colab == (name == "github.com")


def test_a_site_of_its_own_has_no_folder(monkeypatch):
    assert Address("https://github.com/Ann/ann.github.io").pages == "https://ann.github.io/"
    assert Address("https://github.com/Ann/course").pages == "https://ann.github.io/course/"
    assert Address("https://gitlab.com/a/b").pages == ""
    monkeypatch.setenv("PAGES_URL", "https://course.example.org")
    assert Address("https://gitlab.com/a/b").pages == "https://course.example.org/"
