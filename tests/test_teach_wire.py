"""What passes between a submission and the grader: data of known forms, whole and small, and nothing else."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from labsupport.teach import judging, wire


def through(value):
    """A value after its way over the wire."""
    return wire.decode(wire.loads(wire.dumps({"value": wire.encode(value)}))["value"])


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -5, 2**62, 1.5, "text é", [], [1, [2.0, "a"]], {"a": [1, {"b": None}]}, ...],
)
def test_plain_values_arrive_as_they_were(value):
    assert through(value) == value or through(value) is value


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.int64, torch.bool, torch.float16]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 4)])
def test_tensors_arrive_with_their_type_and_shape(dtype, shape):
    value = (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)
    found = through(value)
    assert found.dtype == dtype and found.shape == value.shape and torch.equal(found, value)


def test_what_comes_close_to_a_tensor_arrives_as_one():
    strided = np.arange(12, dtype=">f8").reshape(3, 4)[:, ::2]
    assert torch.equal(
        through(strided), torch.tensor([[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]]).double()
    )
    assert through(np.float32(0.5)) == 0.5 and through(np.bool_(True)) is True
    assert torch.equal(through(torch.ones(2, requires_grad=True)), torch.ones(2))
    assert through(torch.tensor([1.5], dtype=torch.bfloat16)).item() == 1.5
    table = through(pd.DataFrame({"x": [1.0, 2.0], "name": ["a", "b"]}))
    assert torch.equal(table["x"], torch.tensor([1.0, 2.0]).double()) and table["name"] == [
        "a",
        "b",
    ]


def test_numbers_that_json_has_no_word_for_arrive():
    assert math.isnan(through(float("nan"))) and through(float("-inf")) == -math.inf


def test_everything_else_is_named_and_equal_to_nothing():
    for value in (object(), {1, 2}, 10**400, {(1, 2): 3}, torch.ones(2, dtype=torch.complex64)):
        found = through(value)
        assert isinstance(found, wire.Other) and found != found and not judging.close(found, 1.0)
    assert isinstance(through(len), wire.Callable)


def test_a_number_that_only_claims_to_be_one_is_not_taken_at_its_word():
    class Equal(float):
        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    assert isinstance(through(Equal(3.0)), wire.Other)


@pytest.mark.parametrize(
    "message",
    [
        {"pickle": "gASVAAAA"},
        {"tensor": "AAAA", "dtype": "object", "shape": [1]},
        {"tensor": "AAAA", "dtype": "float32", "shape": [2]},
        {"tensor": "AAAA", "dtype": "float32", "shape": [-1, -1]},
        {"tensor": "AAAA", "dtype": "float32", "shape": [1 << 20, 1 << 20]},
        {"tensor": "AAAA", "dtype": "float32", "shape": ["1"]},
        {"tensor": "????", "dtype": "uint8", "shape": [3]},
        {"tensor": "Ag==", "dtype": "bool", "shape": [1]},
        {"tensor": 5, "dtype": "uint8", "shape": [0]},
        {"float": "1e5"},
        {"dict": [1]},
        {"other": 5},
        {"blank": True, "float": "nan"},
        {},
        2**64,
        "x" * (wire.TEXT + 1),
        [0] * (wire.ITEMS + 1),
    ],
)
def test_what_fits_no_form_is_an_error(message):
    with pytest.raises(wire.WireError):
        wire.decode(message)


def test_nesting_has_an_end():
    deep = 1
    for _ in range(wire.DEPTH + 2):
        deep = [deep]
    with pytest.raises(wire.WireError):
        wire.decode(deep)
    assert isinstance(through([[[1]]]), list)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"1",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"a": 1' + b"0" * 10_000 + b"}",
    ],
)
def test_a_line_that_is_no_message_is_an_error(line):
    with pytest.raises(wire.WireError):
        wire.decode(wire.loads(line)["a"])


def test_a_line_that_is_too_long_is_not_even_read():
    with pytest.raises(wire.WireError, match="more than 16 MiB"):
        wire.loads(json.dumps({"a": "x" * wire.MESSAGE}).encode())


@pytest.mark.parametrize(
    ("given", "wanted", "is_close"),
    [
        (1.0, 1.00001, True),
        ([1, 2], torch.tensor([1.0, 2.0]), True),
        (torch.tensor(1.0), 1.0, True),
        (np.array([0.1, 0.2]), [0.1, 0.2], True),
        ([1.0, 2.0], 1.0, False),
        (torch.ones(3), torch.ones(1), False),
        (float("inf"), 1e9, False),
        (None, 0.0, False),
        (..., 0.0, False),
        (True, 1.0, False),
        ({"a": 1}, 1.0, False),
    ],
)
def test_close_is_strict_about_form_and_mild_about_digits(given, wanted, is_close):
    assert judging.close(given, wanted) is is_close
