"""Data sets: what is in them, and that they are the same every time."""

import numpy as np
import pytest
import torch

from labsupport import data
from labsupport.errors import UnknownName

# -- MNIST-1D ------------------------------------------------------------------------------------------------------


def test_mnist1d_is_the_packages_own_data_shuffled():
    from mnist1d.data import get_dataset_args, make_dataset

    args = get_dataset_args()
    args.num_samples, args.train_split = 14_000, 4_000 / 14_000
    made = make_dataset(args)
    got = data.load("mnist1d", device="cpu")
    assert (
        got.x_train.shape == (4000, 40)
        and got.x_test.shape == (10_000, 40)
        and got.num_classes == 10
    )
    assert got.x_train.dtype == torch.float32 and got.y_train.dtype == torch.int64
    order = np.random.default_rng([0, False]).permutation(4000)
    assert (
        np.allclose(got.x_train, made["x"][order], atol=1e-6)
        and (got.y_train.numpy() == made["y"][order]).all()
    )


def test_loading_twice_gives_the_same_and_another_seed_other_data():
    one, two, other = data.load("mnist1d"), data.load("mnist1d"), data.load("mnist1d", seed=1)
    assert torch.equal(one.x_train, two.x_train) and torch.equal(one.y_test, two.y_test)
    assert not torch.allclose(one.x_train.sort(0).values, other.x_train.sort(0).values)
    assert one.key == two.key != other.key


def test_generating_it_leaves_numpys_and_torchs_generators_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))  # so that it is made, not read
    np.random.seed(3)
    torch.manual_seed(3)
    before, state = np.random.get_state()[1].copy(), torch.get_rng_state()
    data.load("mnist1d", seed=2)
    assert (np.random.get_state()[1] == before).all() and torch.equal(torch.get_rng_state(), state)


def test_a_part_is_the_beginning_of_the_whole():
    whole, part = data.load("mnist1d"), data.load("mnist1d", train_size=100)
    assert torch.equal(part.x_train, whole.x_train[:100]) and torch.equal(part.x_test, whole.x_test)
    assert part.num_classes == 10 and part.key != whole.key


def test_every_chunk_is_a_fair_sample_of_the_classes():
    labels = data.load("mnist1d").y_train
    for chunk in labels.split(500):
        assert chunk.bincount(minlength=10).min() > 25 and chunk.bincount().max() < 80


@pytest.mark.parametrize("size", [0, -1, 4001])
def test_a_part_that_cannot_be(size):
    with pytest.raises(
        ValueError,
        match=f"train_size is {size}; MNIST-1D has 4,000 training samples, so give 1 to 4000",
    ):
        data.load("mnist1d", train_size=size)


def test_an_unknown_data_set():
    with pytest.raises(UnknownName, match="No data set is called 'mnsit'. Did you mean 'mnist'"):
        data.load("mnsit")
    with pytest.raises(UnknownName, match="Did you mean 'cifar10'"):
        data.available("cifar-10")


def test_a_data_set_says_what_it_is():
    assert repr(data.load("mnist1d", device="cpu", train_size=50)) == (
        "MNIST-1D: 50 training and 10,000 test samples of shape (40,), 10 classes, on cpu"
    )
