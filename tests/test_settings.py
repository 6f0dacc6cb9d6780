"""What is chosen from outside: what the environment may say, and what the table of scales holds."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labsupport import files, settings
from labsupport.settings import environment


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in (
        "XDG_CACHE_HOME",
        "LABSUPPORT_STORE",
        "LABSUPPORT_DATA",
        "LABSUPPORT_SCALE",
        "LABSUPPORT_WORKERS",
        "LABSUPPORT_COMMIT",
        "LABSUPPORT_MEASURE",
    ):
        monkeypatch.delenv(name, raising=False)


# -- folders -------------------------------------------------------------------------------------------------------


def test_folders_lie_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.store_folder() == tmp_path / "labsupport" / "store"
    assert environment.data_folder() == tmp_path / "labsupport" / "data"


@pytest.mark.parametrize("given", ["", "  ", "runs", "./runs"])
def test_an_empty_or_relative_cache_home_is_as_unset(monkeypatch, given):
    usual = environment.cache_home()
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    assert environment.cache_home() == usual and usual.is_absolute()


def test_without_home_and_passwd_entry_the_cache_home_is_enough(monkeypatch, tmp_path):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(
        os.path, "expanduser", lambda path: path
    )  # what it does where nobody is known
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert environment.store_folder() == tmp_path / "labsupport" / "store"


def test_without_any_home_a_folder_for_temporary_files_is_used(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert (
        environment.cache_home().is_absolute() and str(os.getuid()) in environment.cache_home().name
    )


@pytest.mark.parametrize("read", [environment.store_folder, environment.data_folder])
@pytest.mark.parametrize("given", ["runs", "./runs", "../runs"])
def test_a_relative_folder_is_refused(monkeypatch, read, given):
    variable = "LABSUPPORT_STORE" if read is environment.store_folder else "LABSUPPORT_DATA"
    monkeypatch.setenv(variable, given)
    with pytest.raises(
        ValueError,
        match=f"^{variable} is '{given}'; an absolute folder is needed, or one that begins",
    ):
        read()


def test_an_over_long_folder_or_a_circle_of_links_is_refused(monkeypatch, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for given in (
        f"/tmp/{'x' * 300}",
        "/" + "/".join("y" * 100 for _ in range(60)),
        str(tmp_path / "loop"),
    ):
        monkeypatch.setenv("LABSUPPORT_DATA", given)
        with pytest.raises(
            ValueError,
            match="^LABSUPPORT_DATA is '/.{1,59}', which leads nowhere: .*. Give another folder.$",
        ):
            environment.data_folder()


def test_a_folder_in_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LABSUPPORT_DATA", "~/meine Daten [1] é")
    assert environment.data_folder() == tmp_path / "meine Daten [1] é"


def test_a_folder_that_can_be_written_is_made_and_left_empty(tmp_path):
    found = files.require_writable(tmp_path / "a" / "b", "LABSUPPORT_STORE")
    assert found.is_dir() and list(found.iterdir()) == []


def test_folders_that_cannot_be_used_are_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    cases = {
        tmp_path / "file": "a part of its path is a file, not a folder",
        tmp_path / "file" / "inner": "a part of its path is a file, not a folder",
        tmp_path / ("x" * 300): "its name is too long for this file system",
        tmp_path / "loop" / "inner": "a link in its path leads back to itself",
    }
    for folder, reason in cases.items():
        with pytest.raises(
            OSError, match=f"Nothing can be kept in .*: {reason}. Point LABSUPPORT_STORE at another"
        ) as caught:
            files.require_writable(folder, "LABSUPPORT_STORE")
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(
        OSError, match="it may not be written to by you. Point LABSUPPORT_DATA at another folder"
    ):
        files.require_writable(tmp_path, "LABSUPPORT_DATA")


def test_a_full_disk_is_noticed_before_long_work():
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")

    def file(*args, **kwargs):
        return open(full, "wb", buffering=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.tempfile, "TemporaryFile", file)
        with pytest.raises(OSError, match="the disk is full. Point LABSUPPORT_STORE"):
            files.require_writable(Path("/tmp"), "LABSUPPORT_STORE")


# -- scale, workers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["smoke", "laptop", "gpu", " Laptop "])
def test_a_scale_may_be_named(monkeypatch, given):
    monkeypatch.setenv("LABSUPPORT_SCALE", given)
    assert settings.current() is settings.TABLE[given.strip().lower()]


@pytest.mark.parametrize(
    "given, hint", [("lptop", "Did you mean 'laptop'"), ("42", "LABSUPPORT_SCALE can be smoke")]
)
def test_an_unknown_scale_is_said_in_one_sentence(monkeypatch, given, hint):
    monkeypatch.setenv("LABSUPPORT_SCALE", given)
    with pytest.raises(ValueError, match=f"^No scale is called '{given}'.*{hint}"):
        settings.current()


@pytest.mark.parametrize("given, found", [("", None), ("3", 3), ("0", 1), (" 2 ", 2)])
def test_workers_are_a_whole_number(monkeypatch, given, found):
    monkeypatch.setenv("LABSUPPORT_WORKERS", given)
    assert environment.workers() == found


@pytest.mark.parametrize("given", ["abc", "-1", "2.5", "1e3", "two", "²"])
def test_other_workers_are_refused_in_one_sentence(monkeypatch, given):
    monkeypatch.setenv("LABSUPPORT_WORKERS", given)
    with pytest.raises(
        ValueError,
        match=f"^LABSUPPORT_WORKERS is '{given}'; a whole number of at least 1 is needed",
    ):
        environment.workers()


def test_a_commit_is_said_by_its_name(monkeypatch):
    assert environment.commit() == ""
    monkeypatch.setenv("LABSUPPORT_COMMIT", "05ac20d")
    assert environment.commit() == "05ac20d"


@pytest.mark.parametrize("given", ["main", "05ac2", "05AC20D", "v1.0"])
def test_another_word_than_a_commit_is_refused(monkeypatch, given):
    monkeypatch.setenv("LABSUPPORT_COMMIT", given)
    with pytest.raises(ValueError, match=f"^LABSUPPORT_COMMIT is '{given}'; a commit's name"):
        environment.commit()


# -- the house -----------------------------------------------------------------------------------------------------


def test_the_environment_is_a_leaf():
    script = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('leaf', {environment.__file__!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "print([name for name in sys.modules if name.startswith('labsupport')])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_nothing_else_in_the_package_reads_the_environment():
    """But for `teach`, which hands it on to the processes in which it runs a student's notebook."""
    home = Path(settings.__file__).parent.parent
    readers = [
        path.relative_to(home).as_posix()
        for path in home.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "getenv("))
    ]
    assert [path for path in readers if not path.startswith("teach/")] == [
        "settings/environment.py"
    ]


def test_every_scale_has_problems_and_recipes_that_fit_them():
    for name, one in settings.TABLE.items():
        assert one.name == name and one.seeds >= 1
        for problem, recipes in (
            (one.main, (one.SB, one.LB)),
            (one.control, (one.control_SB, one.control_LB)),
        ):
            assert problem.num_classes == 10
            assert recipes[0].batch_size < recipes[1].batch_size
            assert problem.train_size is None or recipes[1].batch_size <= problem.train_size
