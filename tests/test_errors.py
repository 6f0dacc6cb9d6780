"""What is said to a learner who mistypes a name."""

import numpy as np
import pytest
import torch

from labsupport.errors import UnknownName, choose


def test_a_known_name_comes_back():
    assert choose("network", "F0", ["F0", "F1"]) == "F0"


@pytest.mark.parametrize(
    "given, meant", [("mnsit", "mnist"), ("MNIST", "mnist"), ("cifar-10", "cifar10")]
)
def test_the_nearest_name_is_suggested(given, meant):
    with pytest.raises(
        UnknownName, match=f"called '{given}'. Did you mean '{meant}'\\? Known: mnist, cifar10"
    ):
        choose("data set", given, ["mnist", "cifar10"])


def test_nothing_is_suggested_where_nothing_is_near():
    with pytest.raises(UnknownName) as caught:
        choose("optimizer", "zzz", ["adam", "sgd"])
    assert "Did you mean" not in str(caught.value) and "adam, sgd" in str(caught.value)


@pytest.mark.parametrize("given", [None, 3, ("a",)])
def test_what_is_no_name_at_all_is_answered_too(given):
    with pytest.raises(UnknownName, match="Known: adam, sgd"):
        choose("optimizer", given, ["adam", "sgd"])


def test_names_may_be_numbers():
    with pytest.raises(UnknownName, match="Known: 2, 3"):
        choose("figure", 9, [2, 3])


@pytest.mark.parametrize("given", [torch.ones(2), np.array(["adam", "sgd"]), ["adam"] * 99, True])
def test_what_is_no_name_is_shown_short(given):
    with pytest.raises(
        UnknownName, match="^No optimizer is called [^\n]{1,60}. Known: adam, sgd.$"
    ):
        choose("optimizer", given, ["adam", "sgd"])


def test_numpys_text_and_numbers_are_names_too():
    assert choose("optimizer", np.str_("adam"), ["adam", "sgd"]) == "adam"
    assert choose("figure", np.int64(2), [2, 3]) == 2


def test_it_is_a_value_error():
    assert issubclass(UnknownName, ValueError)
