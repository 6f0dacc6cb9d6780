"""What counts as a number, and what is said of everything else."""

import fractions

import numpy as np
import pytest
import torch

from labsupport import arguments
from labsupport.errors import UnknownName


@pytest.mark.parametrize(
    "value",
    [
        3,
        3.0,
        np.int64(3),
        np.uint8(3),
        np.float32(3),
        torch.tensor(3),
        np.array(3),
        fractions.Fraction(3),
    ],
)
def test_whole_numbers_of_any_kind_are_whole_numbers(value):
    found = arguments.whole_number("steps", value, least=1, most=3)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize(
    "value, shown",
    [
        (2.5, "2.5"),
        (True, "True"),
        (np.True_, "True"),
        (None, "None"),
        ("3", "'3'"),
        ([3], r"\[3\]"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (3j, "3j"),
        (torch.ones(2), r"a Tensor of shape \(2,\)"),
        (np.ones((2, 3)), r"a ndarray of shape \(2, 3\)"),
    ],
)
def test_what_is_no_whole_number_is_refused_in_one_sentence(value, shown):
    with pytest.raises(
        (TypeError, ValueError),
        match=f"^steps is {shown}; a whole number of at least 1 is needed.$",
    ):
        arguments.whole_number("steps", value, least=1)


@pytest.mark.parametrize(
    "limits, possible",
    [
        ({"least": 5}, "a whole number of at least 5"),
        ({"most": 2}, "a whole number of at most 2"),
        ({"least": 5, "most": 1000}, "a whole number from 5 to 1000"),
    ],
)
def test_a_whole_number_outside_its_range(limits, possible):
    with pytest.raises(ValueError, match=f"steps is 3; {possible} is needed. Look it up."):
        arguments.whole_number("steps", 3, hint="Look it up.", **limits)


@pytest.mark.parametrize(
    "value", [0.5, np.float32(0.5), torch.tensor(0.5), fractions.Fraction(1, 2)]
)
def test_numbers_of_any_kind_are_numbers(value):
    assert arguments.positive("rate", value) == 0.5
    assert type(arguments.fraction("share", value)) is float


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), "1e-3", None, True, [1], 0, -1]
)
def test_what_is_no_positive_number(value):
    with pytest.raises(
        (TypeError, ValueError), match="^rate is .*; a finite number above 0 is needed.$"
    ):
        arguments.positive("rate", value)


def test_limits_that_are_possible_themselves_and_limits_that_are_not():
    assert arguments.number("momentum", 0, least=0) == 0
    assert arguments.fraction("share", 1) == 1
    with pytest.raises(
        ValueError, match="momentum is 1; a finite number of at least 0 and below 1 is needed."
    ):
        arguments.number("momentum", 1, least=0, below=1)
    with pytest.raises(
        ValueError, match="share is 1.5; a finite number of at least 0 and of at most 1 is needed."
    ):
        arguments.fraction("share", 1.5)


def test_truth_values_are_pythons_or_numpys():
    assert (
        arguments.boolean("signed", True) is True
        and arguments.boolean("signed", np.False_) is False
    )
    for value in (0, 1, "yes", None):
        with pytest.raises(TypeError, match="signed is .*; True or False is needed."):
            arguments.boolean("signed", value)


@pytest.mark.parametrize(
    "value",
    [[0, 4], (0, 4), np.array([0, 4]), torch.tensor([0, 4]), range(0, 8, 4), {0: 1, 4: 1}.keys()],
)
def test_seeds_in_any_list(value):
    assert arguments.seeds(value) == (0, 4)


@pytest.mark.parametrize(
    "value, says",
    [
        ([3, 3], r"seeds is \[3, 3\], where 3 stands twice; give each once"),
        ([], "seeds is empty; a list of at least one"),
        ("01", "seeds is '01'; a list of whole numbers is needed"),
        (3, "seeds is 3; a list of whole numbers is needed"),
        (None, "seeds is None; a list of whole numbers is needed"),
        ([0, 0.5], r"seeds\[1\] is 0.5; a whole number from 0 to 9223372036854775807 is needed"),
        ([-1], r"seeds\[0\] is -1; a whole number from 0"),
        ([2**70], r"seeds\[0\] is 1180591620717411303424; a whole number from 0"),
    ],
)
def test_what_are_no_seeds(value, says):
    with pytest.raises((TypeError, ValueError), match=says):
        arguments.seeds(value)


def test_names_are_looked_up_with_the_nearest_one():
    assert arguments.one_of("split", "train", ("train", "test")) == "train"
    with pytest.raises(UnknownName, match="No split is called 'trian'. Did you mean 'train'"):
        arguments.one_of("split", "trian", ("train", "test"))


def test_text_and_instances():
    assert arguments.text("name", "F0") == "F0" and arguments.instance("x", 3, int, "a number") == 3
    with pytest.raises(ValueError, match="name is ' '; a text that is not blank is needed."):
        arguments.text("name", " ")
    with pytest.raises(TypeError, match="x is None; a tensor is needed."):
        arguments.instance("x", None, torch.Tensor, "a tensor")


def test_a_long_or_broken_value_is_shown_short_and_on_one_line():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    assert arguments.shown(Broken()) == "a Broken"
    assert len(arguments.shown("x\n" * 100)) == 60 and "\n" not in arguments.shown([["a\nb"], {}])
