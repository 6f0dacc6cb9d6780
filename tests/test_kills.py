"""Processes that are killed, stopped, or meet a full disk: the next one ends with the same numbers,
and nothing is left over.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import time
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from labsupport import cache, files, sweep
from labsupport.cache import locks, upkeep
from labsupport.data import Dataset
from labsupport.problem import Problem
from labsupport.recipe import Recipe

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills need signals of Unix")


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path, set_threads):
    set_threads(1)
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    upkeep._swept.clear()
    return tmp_path / "store"


def small_problem():
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(120, 40, generator=draw), torch.arange(120) % 10
    return Problem("F0-plain", Dataset(x[:100], y[:100], x[100:], y[100:], 10, "drawn", "drawn"))


def three_trainings() -> list:
    problem = small_problem()
    return [sweep.trained(problem, Recipe(size, epochs=1), (0, 1)) for size in (10, 20, 50)]


def names(runs) -> list[str]:
    """Of the points and histories, to the last bit."""
    return [cache.fingerprint([run.x0, run.x, run.history]) for run in runs]


@contextmanager
def child(work):
    """A process that does ``work()``; killed at the end if it still lives. Yields its number and the end of a pipe."""
    ours, its = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(ours)
            work(its)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(its)
    try:
        yield process, ours
    finally:
        os.close(ours)
        try:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass


def killed_after(seconds: float) -> None:
    with child(lambda pipe: three_trainings()) as (process, _):
        time.sleep(seconds)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def killed_in_a_write(number: int) -> None:
    """Killed when half of the ``number``-th entry is on the disk."""

    def work(pipe):
        whole, count = files.whole, iter(range(100))

        @contextmanager
        def slowly(path, **rest):
            with whole(path, **rest) as file:
                yield Halves(file, pipe) if next(count) == number else file

        files.whole = slowly
        three_trainings()

    killed_at_its_sign(work)


def killed_at_its_sign(work) -> None:
    """A process that does ``work`` and is killed when that writes a "w" to its pipe."""
    with child(work) as (process, pipe):
        assert os.read(pipe, 1) == b"w"
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


class Halves:
    """A file that says when half is written, and then waits for ever."""

    def __init__(self, file, pipe):
        self.file, self.pipe = file, pipe

    def write(self, content):
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        os.write(self.pipe, b"w")
        time.sleep(600)


def test_seventy_five_kills_a_fifth_of_them_inside_a_write_change_no_bit(store):
    truth = names(three_trainings())
    shutil.rmtree(store)
    began = time.monotonic()
    assert names(three_trainings()) == truth
    usual = time.monotonic() - began
    draw, partials = random.Random(0), 0
    for number in range(75):
        shutil.rmtree(store, ignore_errors=True)
        if number % 5 == 0:
            killed_in_a_write(number // 5 % 3)
            partials += len(list(store.glob("*.partial")))
        else:
            killed_after(draw.uniform(0, 1.2 * usual))
        upkeep._swept.clear()  # a new process would look anew
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert names(three_trainings()) == truth
        left = [path.name for path in store.iterdir()]
        assert len(left) == 3 and all(name.endswith(".npz") for name in left), left
    assert partials == 15


def test_who_is_killed_after_the_last_write_leaves_no_lock_to_who_only_reads(store):
    def work(pipe):
        def wait_for_ever(file, path):
            os.write(pipe, b"w")
            time.sleep(600)

        locks.release = wait_for_ever
        other()

    killed_at_its_sign(work)
    assert {path.suffix for path in store.iterdir()} == {".lock", ".npz"}
    upkeep._swept.clear()
    assert other() == 1
    assert {path.suffix for path in store.iterdir()} == {".npz"}


def test_what_the_killed_have_left_of_other_results_goes_away_too(store):
    killed_in_a_write(0)
    assert {path.suffix for path in store.iterdir()} == {".lock", ".partial"}
    upkeep._swept.clear()
    other()
    assert {path.suffix for path in store.iterdir()} == {".npz"}


@cache.remember
def other():
    return 1


@cache.remember
def slow(folder, seconds):
    (Path(folder) / f"{os.getpid()}.call").touch()
    time.sleep(seconds)
    return np.arange(5)


def wait_for(condition, seconds=60.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def said_while(call):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return call(), [str(warning.message) for warning in said]


def test_a_stopped_process_is_named_and_nobody_waits_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0.7)
    monkeypatch.setattr(locks, "BEAT", 0.1)
    with child(lambda pipe: slow(str(tmp_path), 1.0)) as (process, _):
        wait_for(lambda: list(tmp_path.glob("*.call")))
        os.kill(process, signal.SIGSTOP)
        assert slow.busy(str(tmp_path), 1.0)
        found, said = said_while(lambda: slow(str(tmp_path), 1.0))
        assert found.tolist() == [0, 1, 2, 3, 4] and len(said) == 1
        assert f"Process {process} on " in said[0] and "which has been computing slow-" in said[0]
        assert (
            "has given no sign of life for" in said[0] and "the result is computed here" in said[0]
        )
        os.kill(process, signal.SIGCONT)  # it ends as if nothing had been
        assert os.waitpid(process, 0)[1] == 0
    assert said_while(lambda: slow(str(tmp_path), 1.0))[1] == []
    assert [path.suffix for path in cache.folder().iterdir()] == [".npz"]


def test_a_process_that_works_is_waited_for_and_its_result_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 1.0)
    monkeypatch.setattr(locks, "BEAT", 0.1)
    monkeypatch.setattr(locks, "LONG", 1.5)
    with child(lambda pipe: slow(str(tmp_path), 2.5)) as (process, _):
        wait_for(lambda: list(tmp_path.glob("*.call")))
        found, said = said_while(lambda: slow(str(tmp_path), 2.5))
        assert found.tolist() == [0, 1, 2, 3, 4] and len(list(tmp_path.glob("*.call"))) == 1
        (line,) = said
        assert line.startswith(f"Process {process} on ") and line.endswith(
            "is still at it. This process waits for its result."
        )


def test_six_processes_on_one_store_one_killed_and_one_stopped_give_one_result(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(locks, "PATIENCE", 1.0)
    monkeypatch.setattr(locks, "BEAT", 0.1)

    def work(pipe):
        warnings.simplefilter("ignore")
        os.write(pipe, repr(slow(str(tmp_path), 3.0).tolist()).encode())

    from contextlib import ExitStack

    with ExitStack() as stack:
        workers = [stack.enter_context(child(work)) for _ in range(6)]
        wait_for(lambda: list(tmp_path.glob("*.call")))
        first = int(next(tmp_path.glob("*.call")).stem)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len(list(tmp_path.glob("*.call"))) == 2)
        second = next(int(path.stem) for path in tmp_path.glob("*.call") if int(path.stem) != first)
        os.kill(second, signal.SIGSTOP)
        answers = [
            os.read(pipe, 100) for process, pipe in workers if process not in (first, second)
        ]
    assert answers == [b"[0, 1, 2, 3, 4]"] * 4


def test_a_folder_without_locks_costs_time_and_is_said_once(monkeypatch, tmp_path):
    def refuse(*args):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    monkeypatch.setattr(locks, "_told", set())
    found, said = said_while(lambda: [slow(str(tmp_path), 0), slow(str(tmp_path), 0.01)])
    assert len(found) == 2 and len(said) == 1
    assert (
        "has no file locks (Function not implemented). Two processes may compute the same result there"
        in said[0]
    )
    assert len(list(cache.folder().glob("*.npz"))) == 2 and not slow.busy(str(tmp_path), 1)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_the_workers_of_a_killed_process_end_too(tmp_path, monkeypatch):
    monkeypatch.setenv("LABSUPPORT_WORKERS", "2")
    jobs = {"one": (str(tmp_path), 300.0), "two": (str(tmp_path), 301.0)}
    with child(lambda pipe: sweep.each(slow, jobs)) as (process, _):
        wait_for(lambda: len(list(tmp_path.glob("*.call"))) == 2, 120)
        workers = [int(path.stem) for path in tmp_path.glob("*.call")]
        assert process not in workers and all(map(alive, workers))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        wait_for(lambda: not any(map(alive, workers)), 30)


# -- disks and users ---------------------------------------------------------------------------------------------------


@contextmanager
def little_space(folder: Path, monkeypatch):
    """A disk of 128 kB at ``folder``; where none may be mounted, writes that fail as on a full one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode == 0:
        try:
            yield True
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        return

    @contextmanager
    def full(path, **rest):
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    monkeypatch.setattr(files, "whole", full)
    yield False


@cache.remember
def half_a_megabyte():
    os.environ["COUNT"] = str(int(os.environ.get("COUNT", 0)) + 1)
    return torch.arange(125_000, dtype=torch.float32)


def test_a_full_disk_costs_the_memory_and_not_the_result(store, monkeypatch):
    with little_space(store, monkeypatch):
        found, said = said_while(half_a_megabyte)
        assert torch.equal(found, torch.arange(125_000).float()) and len(said) == 1
        assert said[0] == (
            f"A result could not be stored in {store}: the disk is full. It will be computed again next time. "
            "Free some space, or set LABSUPPORT_STORE to another folder."
        )
        assert list(store.iterdir()) == []


def test_a_disk_that_is_full_already_is_said_before_the_work(store, monkeypatch):
    with little_space(store, monkeypatch) as real:
        if not real:
            pytest.skip("no disk can be mounted here")
        with pytest.raises(OSError, match="No space"), open(store / "other", "wb") as file:
            while True:
                file.write(bytes(4096))
                file.flush()
        order = []
        monkeypatch.setattr(
            warnings, "warn", lambda text, **rest: order.append(os.environ.get("COUNT", "0"))
        )
        monkeypatch.setenv("COUNT", "0")
        assert len(half_a_megabyte()) == 125_000
        assert order == ["0"] and os.environ["COUNT"] == "1"


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_an_entry_has_the_mode_that_the_umask_says(mask, mode, store):
    before = os.umask(mask)
    try:
        other()
    finally:
        os.umask(before)
    (path,) = store.iterdir()
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(
    os.name != "posix" or os.getuid() != 0, reason="another user needs the rights of root"
)
def test_two_users_share_a_store(store, tmp_path):
    for folder in (tmp_path, *list(tmp_path.parents)[:-1]):
        if str(folder).startswith("/tmp/pytest-of"):
            folder.chmod(0o755)
    store.mkdir(mode=0o777)
    store.chmod(0o777)
    before = os.umask(0o022)
    try:
        other()
        entry = next(store.iterdir()).read_bytes()

        def as_somebody_else(pipe):
            os.setgid(65534)
            os.setuid(65534)
            warnings.simplefilter("error")
            assert other() == 1
            os.write(pipe, str(len(half_a_megabyte())).encode())

        with child(as_somebody_else) as (process, pipe):
            assert os.read(pipe, 100) == b"125000"
        warnings.simplefilter("error")
        assert len(half_a_megabyte()) == 125_000
    finally:
        os.umask(before)
        warnings.resetwarnings()
    kept = list(store.iterdir())
    assert len(kept) == 2 and entry in [path.read_bytes() for path in kept]
