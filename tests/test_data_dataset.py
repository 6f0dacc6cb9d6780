"""A data set is checked when it is made, and known by its content."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from labsupport import data
from labsupport.data import Dataset

X, Y = torch.randn(12, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def plain(**changes) -> Dataset:
    fields = {"x_train": X, "y_train": Y, "x_test": X[:5], "y_test": Y[:5], "num_classes": 3}
    return Dataset(**(fields | changes))


# -- content -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": X + 1e-6},
        {"y_train": Y.flip(0)},
        {"x_test": torch.zeros_like(X[:5])},
        {"y_test": Y[:5].flip(0)},
        {"num_classes": 4},
        {"x_train": X.double(), "x_test": X[:5].double()},
        {"x_train": X[:11], "y_train": Y[:11]},
        {"x_train": X.reshape(12, 2, 2), "x_test": X[:5].reshape(5, 2, 2)},
    ],
)
def test_other_content_has_another_key(changes):
    assert plain(**changes).key != plain().key


def test_the_same_content_has_the_same_key_whatever_its_name_and_memory():
    scattered = torch.cat([X, X], 1)[:, :4]
    assert not scattered.is_contiguous()
    same = plain(x_train=scattered, y_train=Y.int(), name="other", edition="another", seed=3)
    assert same.key == plain().key == pickle.loads(pickle.dumps(plain())).key


def test_a_change_in_place_is_another_key_however_it_was_made():
    array = np.arange(12) % 3
    one = plain(x_train=X.clone(), y_train=torch.from_numpy(array))
    keys = [one.key]
    one.y_train[0] = 2
    keys.append(one.key)
    array[1] = 2  # behind torch's back
    keys.append(one.key)
    one.x_train.data[0, 0] = 7
    keys.append(one.key)
    assert len(set(keys)) == 4 and keys[0] == plain().key


def test_labels_that_were_replaced_are_not_the_known_edition_any_more():
    one = data.load("mnist1d", device="cpu", train_size=100)
    changed = dataclasses.replace(one, y_train=one.y_train.roll(1))
    assert changed.edition == "MNIST-1D, changed" and changed.key != one.key
    assert dataclasses.replace(changed, x_test=one.x_test * 0).edition == "MNIST-1D, changed"
    assert dataclasses.replace(one, x_train=one.x_train.clone()).edition == "MNIST-1D"


def test_an_honest_part_keeps_its_edition():
    one = data.load("mnist1d", device="cpu", train_size=100)
    rest, x, y = one.split(30)
    assert rest.edition == one.first(9).edition == "MNIST-1D"
    assert torch.equal(torch.cat([rest.x_train, x]), one.x_train) and torch.equal(
        torch.cat([rest.y_train, y]), one.y_train
    )
    assert torch.equal(rest.x_test, one.x_test)
    assert dataclasses.replace(rest, y_train=rest.y_train.flip(0)).edition == "MNIST-1D, changed"


@pytest.mark.parametrize("size", [0, 12, -1, 2.5, "3", None])
def test_a_split_that_leaves_nothing(size):
    with pytest.raises(
        (TypeError, ValueError), match="held_out is .*; a whole number from 1 to 11 is needed"
    ):
        plain().split(size)


def test_a_part_that_is_not_there():
    with pytest.raises(
        ValueError,
        match="train_size is 13; a whole number from 1 to 12 is needed. yours has no more.",
    ):
        plain().first(13)


# -- what is accepted ----------------------------------------------------------------------------------------------


def test_what_has_a_plain_meaning_is_taken():
    images = (X[:, :, None, None].abs() * 50).to(torch.uint8)
    one = plain(
        x_train=images, x_test=images[:5], y_train=Y.to(torch.int32), y_test=Y[:5].to(torch.uint8)
    )
    assert (
        one.x_train.dtype == torch.float32 and one.y_train.dtype == one.y_test.dtype == torch.int64
    )
    assert torch.equal(one.x_train, images.float() / 255)
    assert not plain(x_train=torch.nn.Parameter(X)).x_train.requires_grad


def test_token_numbers_stay_whole_numbers():
    tokens = torch.randint(0, 50, (12, 7))
    assert plain(x_train=tokens, x_test=tokens[:5]).x_train.dtype == torch.int64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_point_type_has_a_key(dtype):
    assert len(plain(x_train=X.to(dtype), x_test=X[:5].to(dtype)).key) == 64


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes, says",
    [
        (
            {"y_train": Y[:11]},
            "x_train has 12 samples and y_train 11 labels; equally many, and at least one, are needed",
        ),
        ({"x_test": X[:0], "y_test": Y[:0]}, "x_test has 0 samples and y_test 0 labels"),
        (
            {"y_train": Y - 100},
            "y_train holds the label -100; with 3 classes labels go from 0 to 2",
        ),
        ({"y_test": Y[:5] + 2}, "y_test holds the label 4; with 3 classes labels go from 0 to 2"),
        (
            {"y_train": Y.float()},
            r"y_train is a tensor \(torch.float32\) of shape \(12,\); whole numbers",
        ),
        (
            {"y_train": Y[:, None]},
            r"y_train is a tensor \(torch.int64\) of shape \(12, 1\); whole numbers of shape \(N,\)",
        ),
        ({"y_train": Y > 1}, r"y_train is a tensor \(torch.bool\)"),
        ({"x_train": X / 0 * 0}, "x_train has 12 samples with numbers that are not finite"),
        (
            {"x_train": X.numpy()},
            r"x_train is a ndarray of shape \(12, 4\); a tensor \(N, ...\) is needed. Dataset.of",
        ),
        ({"y_test": None}, r"y_test is None; a tensor \(N,\) is needed"),
        ({"x_train": X.to_sparse()}, r"x_train is a tensor \(torch.float32, torch.sparse_coo\)"),
        ({"x_train": torch.tensor(1.0)}, "x_train is a tensor .* of shape"),
        (
            {"x_test": X[:5, :3]},
            r"x_train holds samples of torch.float32 \(4,\), x_test of torch.float32 \(3,\)",
        ),
        (
            {"x_test": X[:5].double()},
            r"x_train holds samples of torch.float32 \(4,\), x_test of torch.float64",
        ),
        (
            {"x_test": X[:5].to("meta")},
            "The tensors lie on cpu and meta; put all four on one device",
        ),
        ({"num_classes": 1}, "num_classes is 1; a whole number of at least 2 is needed"),
        ({"num_classes": 2.5}, "num_classes is 2.5; a whole number of at least 2"),
        ({"name": ""}, "name is ''; a text that is not blank"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_sentence(changes, says):
    with pytest.raises((TypeError, ValueError), match=f"^{says}") as caught:
        plain(**changes)
    assert "\n" not in str(caught.value)


# -- data of one's own ---------------------------------------------------------------------------------------------


def test_tensors_arrays_and_lists_give_the_same():
    forms = [
        Dataset.of(X, Y, X[:5], Y[:5]),
        Dataset.of(X.numpy(), Y.numpy(), X[:5].numpy(), Y[:5].numpy()),
        Dataset.of(X.tolist(), Y.tolist(), X[:5].tolist(), Y[:5].tolist()),
        Dataset.of(X, Y[:, None], X[:5], Y[:5].float()),
        Dataset.of(
            X, torch.nn.functional.one_hot(Y), X[:5], torch.nn.functional.one_hot(Y[:5]).float()
        ),
    ]
    assert {one.key for one in forms} == {plain().key} and forms[0].edition == "yours"


def test_torch_data_sets_and_loaders_are_read_once():
    reads = []

    class Counted(TensorDataset):
        def __getitem__(self, index):
            reads.append(index)
            return super().__getitem__(index)

    train, test = Counted(X, Y), Counted(X[:5], Y[:5])
    assert Dataset.of(train, test).key == plain().key and len(reads) == 17
    loaders = (
        DataLoader(TensorDataset(X, Y), batch_size=5),
        DataLoader(TensorDataset(X[:5], Y[:5]), batch_size=2),
    )
    assert Dataset.of(*loaders).key == plain().key


def test_a_name_and_a_number_of_classes_may_be_given():
    one = Dataset.of(X, Y, X, Y, num_classes=7, name="mine")
    assert (one.num_classes, one.name, one.edition) == (7, "mine", "mine")


def test_data_of_ones_own_do_not_change_with_the_array_they_came_from():
    array = X.numpy().copy()
    one = Dataset.of(array, Y, X, Y)
    array[:] = 0
    assert torch.equal(one.x_train, X)


@pytest.mark.parametrize(
    "given, says",
    [
        ((X, Y), "inputs is a Tensor of shape .* and there are no labels"),
        (
            (3, 4),
            "inputs is 3 and there are no labels; give two tensors of N samples and N labels, a torch Dataset",
        ),
        (
            (TensorDataset(X), TensorDataset(X)),
            "The loader gives .*; pairs of .samples, labels. are needed",
        ),
        ((X, ["a"] * 12, X, Y), "y_train is .*; a tensor, an array or a list of numbers is needed"),
        ((X, Y + 0.5, X, Y), "y_train holds torch.float32 numbers that are not whole"),
        (
            (X, torch.rand(12, 3), X, Y),
            r"y_train has shape \(12, 3\); one label a sample is needed",
        ),
        (([[1.0], [1.0, 2.0]], Y, X, Y), "x_train is .*; a tensor, an array or a list of numbers"),
        ((X, Y, X, [0, 1]), "x_test has 12 samples and y_test 2 labels"),
        (
            (np.array([np.nan] * 12)[:, None], Y, np.ones((12, 1)), Y),
            "x_train has 12 samples with numbers that are not finite",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(given, says):
    with pytest.raises((TypeError, ValueError), match=f"^{says}"):
        Dataset.of(*given)
