"""Results on disk: found again when nothing changed, made again when anything did, and never half-written."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import cache
from labsupport.data import Dataset
from labsupport.recipe import Recipe


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))


CALLS = []
SIGNALS = Dataset(torch.zeros(2, 40), torch.arange(2), torch.zeros(1, 40), torch.zeros(1, dtype=torch.int64), 2, "mnist1d", "MNIST-1D")


@cache.remember
def doubled(x, *, times: int = 2):
    CALLS.append(x)
    return {"x": x, "y": times * x}


def test_computed_once_and_read_afterwards():
    CALLS.clear()
    assert not doubled.known(3)
    assert doubled(3) == doubled(3) == {"x": 3, "y": 6}
    assert CALLS == [3] and doubled.known(3) and not doubled.known(4)
    assert doubled.fresh(3)["y"] == 6 and CALLS == [3, 3]


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
    names = {
        cache.fingerprint(change)
        for change in (
            SIGNALS,
            replace(SIGNALS, y_train=SIGNALS.y_train.flip(0)),
            replace(SIGNALS, x_test=SIGNALS.x_test + 1),
            replace(SIGNALS, num_classes=3),
        )
    }
    assert len(names) == 4


def test_the_order_of_a_dict_is_no_difference_and_a_view_is_no_copy():
    assert cache.fingerprint({"a": 1, "b": 2}) == cache.fingerprint({"b": 2, "a": 1})
    x = torch.arange(6.0)
    assert cache.fingerprint(x[::2]) == cache.fingerprint(x[::2].clone())


def test_what_cannot_be_named():
    with pytest.raises(TypeError, match="A function cannot be part of a stored result's name. Possible: numbers"):
        cache.fingerprint([1, lambda: 2])


def test_names_do_not_depend_on_the_process():
    """Python's own hash() does."""
    code = "from labsupport import store; print(cache.fingerprint([{'b', 'a'}, {'k': 1.5, 'j': None}]))"
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
        return torch.arange(n), pd.DataFrame({"a": range(n)}), {0: torch.ones(n, dtype=torch.float64)}

    for _ in range(2):
        tensor, table, rest = several(4)
        assert (
            torch.equal(tensor, torch.arange(4)) and table.a.tolist() == [0, 1, 2, 3] and rest[0].dtype == torch.float64
        )


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_damaged_result_is_made_again(content):
    CALLS.clear()
    doubled(5)
    (path,) = cache.folder().glob("doubled*.joblib")
    path.write_bytes(path.read_bytes()[:-3] if content is None else content)
    assert doubled(5)["y"] == 10 and CALLS == [5, 5]


def test_deleting_the_store_is_safe():
    doubled(6)
    shutil.rmtree(cache.folder())
    assert doubled(6)["y"] == 12


def fails(error):
    def dump(value, file, **rest):
        file.write(b"half of it")
        raise error

    return dump


def test_a_full_disk_costs_the_memory_and_not_the_result(monkeypatch):
    monkeypatch.setattr(joblib, "dump", fails(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.warns(UserWarning, match="could not be stored in .*No space left.*computed again next time"):
        assert doubled(7)["y"] == 14
    assert not list(cache.folder().glob("*.joblib")) and not list(cache.folder().glob("*.partial"))


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
    monkeypatch.setattr(joblib, "dump", fails(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        doubled(9)
    assert not [path for path in cache.folder().iterdir() if path.suffix != ".lock"]


def test_two_processes_compute_it_once(tmp_path):
    """The second waits for the first."""
    module = tmp_path / "slow_module.py"
    module.write_text(
        "import os, time\nfrom labsupport import store\n\n@cache.remember\ndef slow(x):\n"
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


# -- what counts as another code -----------------------------------------------------------------------------------


def version(tmp_path, text):
    path = tmp_path / "module.py"
    path.write_text(text)
    cache._parsed.cache_clear()
    cache.code_version.cache_clear()
    return cache.code_version(path)


def test_comments_layout_and_docstrings_do_not_count_and_code_does(tmp_path):
    plain = version(tmp_path, '"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 1\n')
    assert version(tmp_path, '"""Uno."""\ndef f(x):   # why\n    """Dos."""\n\n    return (x + 1)\n') == plain
    assert version(tmp_path, '"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 2\n') != plain


def test_an_imported_module_counts_and_one_beside_it_does_not(tmp_path, monkeypatch):
    package = tmp_path / "labsupport"
    shutil.copytree(Path(cache.__file__).parent.parent, package, ignore=shutil.ignore_patterns("__pycache__", "results"))
    monkeypatch.setattr(cache, "__file__", str(package / "cache" / "__init__.py"))

    def now():
        cache._parsed.cache_clear()
        cache.code_version.cache_clear()
        return {name: cache.code_version(package / f"{name}.py") for name in ("training", "landscape", "sweep")}

    before = now()
    with (package / "remedies.py").open("a") as file:
        file.write("\nNEW = 1\n")
    after = now()
    assert after["training"] != before["training"] and after["sweep"] != before["sweep"]
    assert after["landscape"] == before["landscape"]  # reaches functions alone
    cache._parsed.cache_clear()
    cache.code_version.cache_clear()


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
