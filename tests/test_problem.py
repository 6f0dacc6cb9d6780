"""A problem: which f, known by content, loaded once."""

import dataclasses
import pickle
import re

import numpy as np
import pytest
import torch
from torch import nn

from labsupport import Problem, data, problem
from labsupport.data import Dataset
from labsupport.errors import UnknownName


@pytest.fixture
def forgotten(monkeypatch):
    """Nothing is loaded yet; and the number of loads from now on."""
    monkeypatch.setattr(problem, "_loaded", type(problem._loaded)())
    calls, load = [], data.load
    monkeypatch.setattr(
        data, "load", lambda *args, **kwargs: calls.append(args) or load(*args, **kwargs)
    )
    return calls


def small() -> Dataset:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 40, generator=generator), torch.arange(60) % 10
    return Dataset(x[:40], y[:40], x[40:], y[40:], 10)


# -- what it is made of --------------------------------------------------------------------------------------------


def test_a_problem_gives_its_data_its_network_and_both_losses():
    one = Problem("F0", "mnist1d", 200)
    loaded = one.load("cpu")
    assert len(loaded.y_train) == 200 and one.num_classes == 10
    x = torch.zeros(one.objective().n)
    assert one.objective()(x).item() == pytest.approx(np.log(10))
    assert len(one.objective("test").labels) == 10_000


def test_building_a_network_leaves_torchs_generator_alone():
    state = torch.get_rng_state()
    Problem("F0", "mnist1d").build()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_has_an_output_for_each_class_of_its_data_without_loading_them(forgotten):
    assert Problem("F2", "fsdd").build()[-1].out_features == 50
    assert Problem("F2", "timit").build()[-1].out_features == 61
    assert Problem("C1", "cifar100").build()[-1].out_features == 100
    assert (
        Problem("F0", dataclasses.replace(small(), num_classes=12)).build()[-1].out_features == 12
    )
    assert forgotten == []


def test_data_of_ones_own_are_cut_too():
    mine = small()
    assert Problem("F0", mine).load() is mine
    assert torch.equal(Problem("F0", mine, 7).load().x_train, mine.x_train[:7])
    assert len(Problem("F0", mine, 7).objective().labels) == 7


@pytest.mark.parametrize("size", [100, 100.0, np.int64(100), torch.tensor(100)])
def test_a_size_of_any_kind_of_whole_number(size):
    one = Problem("F0", "mnist1d", size)
    assert (
        one.train_size == 100
        and type(one.train_size) is int
        and one == Problem("F0", "mnist1d", 100)
    )


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("F9", "mnist1d"), "No network is called 'F9'"),
        (("F0", "mnsit1d"), "No data set is called 'mnsit1d'. Did you mean 'mnist1d'"),
        ((3, "mnist1d"), "network is 3; a torch module is needed, or a name: F0"),
        (
            (nn.Linear, "mnist1d"),
            "network is <class 'torch.nn.modules.linear.Linear'>; a torch module is needed",
        ),
        (("F0", None), "dataset is None; a data.Dataset is needed"),
        (
            ("F0", torch.ones(3, 2)),
            r"dataset is a Tensor of shape \(3, 2\); a data.Dataset is needed",
        ),
        (("F0", "mnist1d", 2.5), "train_size is 2.5; a whole number of at least 1 is needed"),
        (("F0", "mnist1d", 0), "train_size is 0; a whole number of at least 1"),
        (("F0", "mnist1d", "100"), "train_size is '100'; a whole number"),
        (("F0", "mnist1d", True), "train_size is True; a whole number"),
        (
            ("F0", small(), 41),
            "train_size is 41; a whole number from 1 to 40 is needed. yours has no more.",
        ),
    ],
)
def test_what_is_no_problem_is_refused_in_one_sentence(arguments, says):
    with pytest.raises((TypeError, ValueError), match=f"^{says}") as caught:
        Problem(*arguments)
    assert "\n" not in str(caught.value)


def test_a_split_that_does_not_exist():
    with pytest.raises(UnknownName, match="No split is called 'trian'. Did you mean 'train'"):
        Problem("F0", small()).objective("trian")


# -- loaded once ---------------------------------------------------------------------------------------------------


def test_data_are_loaded_once_in_a_process(forgotten):
    first = Problem("F0", "mnist1d", 100).load()
    assert Problem("C0", "mnist1d", 100).load() is first and Problem("F0", "mnist1d", 100).key
    assert len(forgotten) == 1
    assert len(Problem("F0", "mnist1d", 101).load().y_train) == 101 and len(forgotten) == 2


def test_data_that_a_reader_changed_in_place_are_loaded_anew(forgotten):
    one = Problem("F0", "mnist1d", 100)
    before = one.key
    one.load().x_train.mul_(2)
    assert one.key == before and len(forgotten) == 2


def test_only_the_last_few_are_kept(forgotten):
    for size in range(10, 10 + problem.KEPT + 2):
        Problem("F0", "mnist1d", size).load()
    assert len(problem._loaded) == problem.KEPT


def test_a_stored_set_that_is_swapped_is_loaded_anew_and_has_another_key(
    forgotten, monkeypatch, tmp_path
):
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    monkeypatch.setitem(data.images.SHAPES, "mnist", (20, 10, (1, 28, 28), 10))
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (20, 1, 28, 28), dtype=np.uint8),
        "y_train": np.arange(20) % 10,
        "x_test": rng.integers(0, 256, (10, 1, 28, 28), dtype=np.uint8),
        "y_test": np.arange(10) % 10,
    }
    one, keys = Problem("F1s", "mnist"), []
    swaps = [
        arrays,
        arrays | {"y_train": np.roll(arrays["y_train"], 1)},
        arrays | {"x_test": np.zeros_like(arrays["x_test"])},
    ]
    for swapped in swaps:
        data.save(tmp_path / "mnist.npz", swapped)
        with pytest.warns(match="mnist.npz holds no edition of MNIST that is known here"):
            keys.append(one.key)
        assert one.load().edition == "MNIST (unknown edition)"
    assert len(set(keys)) == 3 and len(forgotten) == 3


# -- the same and not the same -------------------------------------------------------------------------------------


def test_the_key_holds_the_data_and_not_their_name():
    named, given = (
        Problem("F0", "mnist1d", 100),
        Problem("F0", data.load("mnist1d", train_size=100)),
    )
    assert named.key == given.key
    changed = dataclasses.replace(given.dataset, y_train=given.dataset.y_train.flip(0))
    assert Problem("F0", changed).key != given.key
    assert Problem("F0", "mnist1d", 99).key != named.key
    assert Problem("C0", "mnist1d", 100).key != named.key


def test_equal_problems_have_equal_hashes_and_keys():
    one, two = Problem("F0", small()), Problem("F0", small())
    assert one == two and hash(one) == hash(two) and one.key == two.key
    others = [Problem("C0", small()), Problem("F0", small(), 10), Problem("F0", "mnist1d"), "F0"]
    assert all(one != other for other in others)
    assert len({one, two, Problem("F0", "mnist1d"), Problem("F0", "mnist1d", None)}) == 2


def test_networks_of_ones_own_are_told_apart():
    torch.manual_seed(0)
    wide, narrow = (
        nn.Sequential(nn.Linear(40, 9), nn.Linear(9, 10)),
        nn.Sequential(nn.Linear(40, 10)),
    )
    assert Problem(wide, small()) == Problem(wide, small()) != Problem(narrow, small())
    assert Problem(wide, small()).key == Problem(wide, small()).key != Problem(narrow, small()).key


def test_a_problem_survives_a_trip_to_another_process():
    for one in (Problem("F0", "mnist1d", 100), Problem("F0", small(), 7)):
        back = pickle.loads(pickle.dumps(one))
        assert back == one and back.key == one.key


def test_a_problem_is_shown_short():
    assert repr(Problem("F1", "mnist", 10_000)) == "Problem(F1, mnist, 10000)"
    assert repr(Problem(nn.Sequential(nn.Linear(40, 10)), small())) == "Problem(Sequential, yours)"
    assert not re.search("tensor", repr(Problem("F0", small())))
