"""The environment's folders are whole paths, whatever the reader's machine lacks."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from labsupport import provenance
from labsupport.settings import environment


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    for name in ("LABSUPPORT_STORE", "LABSUPPORT_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_home(monkeypatch):
    """As where HOME is not set and the system's list has no such user: nothing is known of `~`."""
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr(Path, "home", lambda: Path("~"))


@pytest.mark.parametrize("given", ["", "  ", "some/where"])
def test_an_empty_or_relative_cache_home_counts_as_none(given, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert environment.store_folder() == Path.home() / ".cache" / "labsupport" / "store"


def test_without_a_home_the_cache_home_is_enough(no_home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.data_folder() == tmp_path / "labsupport" / "data"


def test_without_a_home_and_without_a_cache_home_a_temporary_folder_is_used(no_home):
    folder = environment.store_folder()
    assert folder.is_absolute() and folder.is_relative_to(tempfile.gettempdir())


@pytest.mark.parametrize("variable", ["LABSUPPORT_STORE", "LABSUPPORT_DATA"])
def test_a_relative_folder_is_refused(variable, monkeypatch):
    monkeypatch.setenv(variable, "runs")
    store = variable == "LABSUPPORT_STORE"
    with pytest.raises(ValueError, match=f"{variable} is 'runs'; an absolute folder is needed"):
        environment.store_folder() if store else environment.data_folder()


def test_the_commit_is_unknown_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == "unknown"


def test_the_commit_of_another_repository_around_a_zip_is_not_taken(tmp_path):
    for words in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    (tmp_path / "unpacked").mkdir()
    assert provenance.commit(tmp_path / "unpacked") == "unknown"
