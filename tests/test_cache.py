"""Results on disk: found again when nothing changed, made again when anything did, and never half-written."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import cache
from labsupport.cache import upkeep
from labsupport.data import Dataset
from labsupport.recipe import Recipe


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CALLS", "")


def calls() -> list[int]:
    """What was computed since the test began. A list would be a value that the function depends on."""
    return [int(word) for word in os.environ["CALLS"].split()]


SIGNALS = Dataset(
    torch.zeros(2, 40),
    torch.arange(2),
    torch.zeros(1, 40),
    torch.zeros(1, dtype=torch.int64),
    2,
    "mnist1d",
    "MNIST-1D",
)


@cache.remember
def doubled(x, *, times: int = 2):
    os.environ["CALLS"] += f" {x}"
    return {"x": x, "y": times * x}


def test_computed_once_and_read_afterwards():
    assert not doubled.known(3)
    assert doubled(3) == doubled(3) == {"x": 3, "y": 6}
    assert calls() == [3] and doubled.known(3) and not doubled.known(4)
    assert doubled.fresh(3)["y"] == 6 and calls() == [3, 3]


@pytest.mark.parametrize(
    "one, two",
    [
        (1, 2),
        (1, 1.5),
        ("1", 1),
        (torch.zeros(2), torch.zeros(3)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(1, 4), torch.zeros(4)),
        ([1, 2], [2, 1]),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        (None, 0),
        (True, "True"),
        (Recipe(32, steps=1), Recipe(32, steps=2)),
        (Recipe(32, steps=1), Recipe(32, epochs=1)),
        (np.arange(3), np.arange(3.0)),
    ],
)
def test_different_arguments_have_different_names(one, two):
    assert cache.fingerprint(one) != cache.fingerprint(two)


@pytest.mark.parametrize(
    "make",
    [
        lambda: {"b": 2, "a": (1, 2.5)},
        lambda: torch.arange(4),
        lambda: Recipe(32, epochs=3, growth=((1, 64),)),
        lambda: {3, 1, 2},
        lambda: SIGNALS,
    ],
)
def test_equal_arguments_have_the_same_name(make):
    assert cache.fingerprint(make()) == cache.fingerprint(make())


def test_a_data_set_is_named_by_its_content():
    flipped = replace(SIGNALS, y_train=SIGNALS.y_train.flip(0))
    assert cache.fingerprint(SIGNALS) != cache.fingerprint(flipped)
    assert cache.fingerprint(SIGNALS) != cache.fingerprint(
        replace(SIGNALS, x_test=torch.ones(1, 40))
    )
    assert cache.fingerprint(SIGNALS) == cache.fingerprint(
        replace(SIGNALS, edition="the same by another name")
    )


def test_the_order_of_a_dict_is_no_difference_and_a_view_is_no_copy():
    assert cache.fingerprint({"a": 1, "b": 2}) == cache.fingerprint({"b": 2, "a": 1})
    x = torch.arange(6.0)
    assert cache.fingerprint(x[::2]) == cache.fingerprint(x[::2].clone())


def test_what_cannot_be_named():
    with pytest.raises(
        TypeError, match="A object cannot be part of a stored result's name. Possible: numbers"
    ):
        cache.fingerprint([1, object()])


def test_names_do_not_depend_on_the_process():
    """Python's own hash() does."""
    code = "from labsupport import cache; print(cache.fingerprint([{'b', 'a'}, {'k': 1.5, 'j': None}]))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1 and found != {""}


def test_tensors_and_tables_come_back_as_they_were():
    @cache.remember
    def several(n):
        return (
            torch.arange(n),
            pd.DataFrame({"a": range(n)}),
            {0: torch.ones(n, dtype=torch.float64)},
        )

    for _ in range(2):
        tensor, table, rest = several(4)
        assert (
            torch.equal(tensor, torch.arange(4))
            and table.a.tolist() == [0, 1, 2, 3]
            and rest[0].dtype == torch.float64
        )


def test_deleting_the_store_is_safe():
    doubled(6)
    shutil.rmtree(cache.folder())
    assert doubled(6)["y"] == 12


def fails(error):
    def replace(old, new):
        raise error

    return replace


def test_a_full_disk_costs_the_memory_and_not_the_result(monkeypatch):
    monkeypatch.setattr(os, "replace", fails(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.warns(
        UserWarning, match="could not be stored in .*: the disk is full.*computed again next time"
    ):
        assert doubled(7)["y"] == 14
    assert not list(cache.folder().iterdir())


def test_a_folder_that_cannot_be_written_to_costs_no_more(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "file" / "store"))
    with pytest.warns(UserWarning, match="could not be stored"):
        assert doubled(8)["y"] == 16
    assert not doubled.known(8)


def test_an_error_or_an_interruption_leaves_nothing(monkeypatch):
    @cache.remember
    def broken(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken(1)
    monkeypatch.setattr(os, "replace", fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        doubled(9)
    assert not list(cache.folder().iterdir())


def test_two_processes_compute_it_once(tmp_path):
    """The second waits for the first."""
    module = tmp_path / "slow_module.py"
    module.write_text(
        "import os, time\nfrom labsupport import cache\n\n@cache.remember\ndef slow(x):\n"
        f"    open(os.path.join({str(tmp_path)!r}, f'call-{{os.getpid()}}'), 'w').close()\n"
        "    time.sleep(1.5)\n    return x + 1\n\nprint(slow(1))\n"
    )
    run = [
        subprocess.Popen(
            [sys.executable, str(module)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0].strip() for process in run] == ["2", "2"]
    assert len(list(tmp_path.glob("call-*"))) == 1


def test_where_results_are_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("LABSUPPORT_STORE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "labsupport" / "store"
    monkeypatch.setenv("LABSUPPORT_STORE", "~/x")
    assert cache.folder() == Path.home() / "x"


def test_whether_another_process_is_at_a_result(tmp_path, monkeypatch):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))
    seen = []

    @cache.remember
    def answer(x):
        seen.append(answer.busy(x))
        return x

    assert not answer.busy(1)
    assert answer(1) == 1 and seen == [True]
    assert not answer.busy(1)


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_meant_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setenv("LABSUPPORT_STORE", "runs")
    with pytest.raises(
        ValueError, match="LABSUPPORT_STORE is 'runs'; an absolute folder is needed"
    ):
        doubled(1)
    assert calls() == []


@pytest.mark.parametrize("name", ["x" * 300, "loop/store"])
def test_a_folder_that_leads_nowhere_is_refused_in_one_sentence(name, monkeypatch, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / name))
    with pytest.raises(ValueError, match="which leads nowhere: .+. Give another folder."):
        doubled(1)
    assert calls() == []


def test_a_folder_that_cannot_be_made_is_said_before_the_work_and_once(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "file" / "store"))
    with pytest.warns(UserWarning, match="a part of its path is a file, not a folder") as said:
        assert doubled(1)["y"] == 2
    assert len(said) == 1 and calls() == [1] and not doubled.known(1) and not doubled.busy(1)


def test_a_linked_folder_and_odd_names_work(monkeypatch, tmp_path):
    (tmp_path / "a folder, [Größe] é").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a folder, [Größe] é")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "link"))
    assert doubled(1) == doubled(1) and calls() == [1]
    assert len(list((tmp_path / "a folder, [Größe] é").glob("doubled-*.npz"))) == 1


# -- forget ------------------------------------------------------------------------------------------------------------


def test_forget_removes_what_this_package_made_and_names_the_rest(tmp_path):
    doubled(1)
    doubled(2)
    store = cache.folder()
    path = next(store.glob("doubled-*.npz"))
    path.write_text("damaged")
    with pytest.warns(UserWarning, match="is damaged"):
        doubled(1), doubled(2)
    for name in (
        "doubled-" + "0" * 40 + ".lock",
        "doubled-" + "0" * 40 + ".1234abcd.partial",
        "f-" + "1" * 40 + ".joblib",
    ):
        (store / name).write_bytes(b"left by a kill")
    (store / "claims" / "smoke-cpu").mkdir(parents=True)
    (store / "claims" / "smoke-cpu" / "2.1.json").write_text("{}")
    (store / "notes.txt").write_text("mine")
    (store / "thesis").mkdir()
    said = str(upkeep.forget(store))
    assert said.startswith("Removed 2 results, 1 claims and 4 leftovers (0.0 MiB) from ")
    assert "Left there: notes.txt, which this package has not made" in said and "thesis" in said
    assert sorted(path.name for path in store.iterdir()) == ["notes.txt", "thesis"]


def test_forgetting_all_leaves_an_empty_folder():
    doubled(1)
    assert (
        str(upkeep.forget(cache.folder())).endswith("It is empty.")
        and list(cache.folder().iterdir()) == []
    )
