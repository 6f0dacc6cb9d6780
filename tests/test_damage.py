"""Whatever happens to a file of the store: it is noticed, said once, put aside, and the result is
right. Nothing in it is run.
"""

import io
import json
import os
import pickle
import random
import re
import shutil
import tempfile
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from labsupport import cache
from labsupport.cache import entries, results, upkeep
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.training import Runs


@pytest.fixture(autouse=True)
def store(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "store"


def numbers(count):
    return torch.randn(count, generator=torch.Generator().manual_seed(count))


def some_runs():
    history = pd.DataFrame(
        {"seed": [0, 1], "epoch": [2, 2], "train_loss": [0.5, 0.25], "test_loss": [np.nan, 1.0]}
    )
    x = numbers(2000).reshape(2, -1)
    return Runs(
        Problem("F0", "mnist1d", 200),
        Recipe(32, epochs=2),
        (0, 1),
        x,
        2 * x,
        history,
        {0: x, 2: 3 * x},
        1.5,
    )


def a_table():
    return pd.DataFrame(
        {
            "run": ["SB", "LB", None],
            "epsilon": [1e-3, 5e-4, np.nan],
            "seed": [0, 1, 2],
            "held": [True, False, True],
            "kind": pd.Categorical(["a", "b", "a"]),
            "mixed": [1, "x", 2.5],
        },
        index=[3, 1, 2],
    )


MAKE = {
    "numbers": lambda: {
        "sharpness": [1.5, float("nan"), float("-inf"), -0.0],
        "count": 3,
        7: None,
        "held": (True, False),
    },
    "text": lambda: "Größe, or \N{GREEK SMALL LETTER EPSILON}" * 40,
    "table": a_table,
    "runs": some_runs,
    "tensors": lambda: [
        numbers(50),
        numbers(8).bfloat16(),
        torch.arange(6).reshape(2, 3),
        torch.zeros(0, 4),
        torch.tensor(2.5),
    ],
    "arrays": lambda: {
        "x": np.arange(12.0).reshape(3, 4).T,
        "y": np.array(["a", "bc"]),
        "z": np.float32(0.1),
    },
    "large": lambda: numbers(100_000),
}


@cache.remember
def made(kind):
    return MAKE[kind]()


def same(one, two) -> bool:
    """Equal in type and to the last bit."""
    if type(one) is not type(two):
        return False
    if isinstance(one, torch.Tensor):
        return (
            one.dtype == two.dtype
            and one.shape == two.shape
            and torch.equal(one.nan_to_num(9), two.nan_to_num(9))
        )
    if isinstance(one, np.ndarray | np.generic):
        return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, two, check_exact=True)
        return True
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, Runs):
        return all(same(getattr(one, name), getattr(two, name)) for name in vars(one))
    return repr(one) == repr(two)


def said_while(call):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        return call(), [str(warning.message) for warning in said]


_paths = {}


def path_of(kind) -> Path:
    if kind not in _paths:
        _paths[kind] = results.call(made.fresh, (kind,), {}).path.name
    return cache.folder() / _paths[kind]


@pytest.mark.parametrize("kind", MAKE)
def test_every_kind_of_result_comes_back_as_it_was(kind):
    for _ in range(3):
        found, said = said_while(lambda: made(kind))
        assert same(found, MAKE[kind]()) and said == []


def test_an_entry_is_an_ordinary_npz_without_a_pickle():
    made("runs")
    with np.load(path_of("runs"), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != "meta.json"}
        assert len(arrays) >= 6 and not any(array.dtype.hasobject for array in arrays.values())
    assert json.loads(zipfile.ZipFile(path_of("runs")).read("meta.json"))["function"].endswith(
        "made"
    )


def heals(kind) -> None:
    """The damage is said once and put aside, the result is right, and the next call finds it stored again."""
    found, said = said_while(lambda: made(kind))
    assert same(found, MAKE[kind]())
    (line,) = said
    name = path_of(kind).name
    assert re.fullmatch(
        rf"The stored result {name} is damaged: .+\. It was put aside in damaged/, and the result is "
        r"computed again\.",
        line,
    )
    found, said = said_while(lambda: made(kind))
    assert same(found, MAKE[kind]()) and said == []


def test_none_of_two_hundred_flipped_bits_is_silent(store):
    draw = random.Random(0)
    for kind in MAKE:
        made(kind)
    for number in range(200):
        kind = list(MAKE)[number % len(MAKE)]
        content = bytearray(path_of(kind).read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path_of(kind).write_bytes(content)
        heals(kind)
    assert len(list((store / upkeep.DAMAGED).iterdir())) == 200


def a_truncated_one(path, content, draw):
    path.write_bytes(content[: draw.randrange(len(content))])


def zeros_inside(path, content, draw):
    start = draw.randrange(len(content) - 10)
    path.write_bytes(content[:start] + bytes(10) + content[start + 10 :])


def all_zeros(path, content, draw):
    path.write_bytes(bytes(len(content)))


def nothing(path, content, draw):
    path.write_bytes(b"")


def one_byte_more(path, content, draw):
    path.write_bytes(content + b"\0")


def text(path, content, draw):
    path.write_text("a note")


def another_npz(path, content, draw):
    np.savez(path, x=np.zeros(3))


def a_folder(path, content, draw):
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("kept")


def a_link(path, content, draw):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def a_link_to_nothing(path, content, draw):
    path.unlink()
    path.symlink_to("nowhere")


def a_pipe(path, content, draw):
    path.unlink()
    os.mkfifo(path)


def a_valid_one_of_another_call(path, content, draw):
    other = "numbers" if path == path_of("text") else "text"
    made(other)
    shutil.copy(path_of(other), path)


def of_an_unknown_type(path, content, draw):
    """Whole and with a right digest, as another version might have written it."""
    about, _ = entries._open(content)
    path.write_bytes(sealed(about | {"result": ["class", "os.system", {"command": "true"}]}))


def of_another_format(path, content, draw):
    about, _ = entries._open(content)
    path.write_bytes(sealed(about | {"format": "labsupport entry 999"}))


def without_its_arrays(path, content, draw):
    about, _ = entries._open(content)
    path.write_bytes(sealed(about | {"result": ["tensor", "float32", "cpu", 7]}))


def sealed(about) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("meta.json", json.dumps(about))
        file.comment = b"0" * 64
    return buffer.getvalue()[:-64] + entries.digest(buffer.getvalue()[:-64]).encode()


DAMAGES = [
    a_truncated_one,
    zeros_inside,
    all_zeros,
    nothing,
    one_byte_more,
    text,
    another_npz,
    a_folder,
    a_link,
    a_link_to_nothing,
    a_pipe,
    a_valid_one_of_another_call,
    of_an_unknown_type,
    of_another_format,
    without_its_arrays,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_no_damage_is_silent_and_all_heals(damage):
    draw = random.Random(1)
    for kind in MAKE:
        made(kind)
        damage(path_of(kind), path_of(kind).read_bytes(), draw)
        heals(kind)


def test_what_a_link_leads_to_is_left_alone(tmp_path):
    made("text")
    (tmp_path / "thesis.txt").write_text("a year's work")
    path_of("text").unlink()
    path_of("text").symlink_to(tmp_path / "thesis.txt")
    heals("text")
    assert (tmp_path / "thesis.txt").read_text() == "a year's work"


# -- nothing in the store is run ---------------------------------------------------------------------------------------


class Poison:
    def __reduce__(self):
        return os.system, ("touch MARKER",)


def planted() -> dict[str, bytes]:
    """The same poison as pickle, joblib, torch file, array of objects, .npz of objects, and an
    entry with a right digest.
    """
    files = {"pickle": pickle.dumps(Poison())}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poison"
        joblib.dump(Poison(), path)
        files["joblib"] = path.read_bytes()
        torch.save(Poison(), path)
        files["torch"] = path.read_bytes()
        objects = np.array([Poison()], dtype=object)
        np.save(path.with_suffix(".npy"), objects, allow_pickle=True)
        files["npy"] = path.with_suffix(".npy").read_bytes()
        np.savez(path.with_suffix(".npz"), **{"0": objects})
        files["npz"] = path.with_suffix(".npz").read_bytes()
    made("tensors")
    about, _ = entries._open(path_of("tensors").read_bytes())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("meta.json", json.dumps(about))
        for number in range(5):
            file.writestr(f"{number}.npy", files["npy"])
        file.comment = b"0" * 64
    files["entry"] = buffer.getvalue()[:-64] + entries.digest(buffer.getvalue()[:-64]).encode()
    return files


def test_no_file_of_the_store_can_run_code(store, tmp_path):
    for name, content in planted().items():
        made("tensors")
        entry = path_of("tensors")
        for path in (
            entry,
            entry.with_suffix(".joblib"),
            entry.with_suffix(".pkl"),
            entry.with_suffix(".lock"),
        ):
            path.write_bytes(content)
        claims = store / "claims" / "smoke-cpu"
        claims.mkdir(parents=True, exist_ok=True)
        (claims / "2.1.json").write_bytes(content)
        heals("tensors")
        assert not list(tmp_path.rglob("MARKER")), name
    os.system("touch MARKER")  # the marker itself works
    assert (tmp_path / "MARKER").exists()


def test_the_package_unpickles_nothing():
    loads = re.compile(
        r"\b(pickle|joblib|cloudpickle|dill|shelve|marshal)\.loads?\(|torch\.load\(|allow_pickle=True|read_pickle"
    )
    package = Path(cache.__file__).parents[1]
    assert not [
        path for path in package.rglob("*.py") if loads.search(path.read_text(encoding="utf-8"))
    ]


# -- what is not provably damaged stays ------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(24, "Too many open files"),
        PermissionError(13, "Permission denied"),
        OSError(5, "Input/output error"),
    ],
    ids=repr,
)
def test_a_result_that_cannot_be_read_now_stays(error, monkeypatch):
    made("table")
    before = path_of("table").read_bytes()
    with monkeypatch.context() as patch:

        def refuse(self):
            raise error

        patch.setattr(Path, "read_bytes", refuse)
        found, said = said_while(lambda: made("table"))
    assert same(found, a_table()) and len(said) == 1
    assert re.search(
        r"cannot be read now: .+\. It stays where it is; the result is computed again, and not stored\.",
        said[0],
    )
    assert path_of("table").read_bytes() == before
    assert said_while(lambda: made("table"))[1] == []


def test_what_cannot_be_stored_is_returned_and_said():
    @cache.remember
    def a_thing():
        return object()

    found, said = said_while(a_thing)
    assert (
        type(found) is object
        and "is not stored: a object cannot be stored. Possible: numbers, text" in said[0]
    )


def test_a_store_that_can_only_be_read_is_read_and_its_damage_said(store, monkeypatch):
    made("text")
    path_of("text").write_text("a note")

    def refuse(*args, **rest):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    found, said = said_while(lambda: made("text"))
    assert found == MAKE["text"]() and len(said) == 1
    assert (
        "It could not be put aside (it may not be written to by you); the result is computed again, and not stored"
        in said[0]
    )
    assert path_of("text").read_text() == "a note"
