"""Claims hold or not by a rule fixed beforehand; exercises say how it went in one line."""

import json
import math

import numpy as np
import pytest
import torch

from labsupport import cache, check


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))
    monkeypatch.setenv("LABSUPPORT_SCALE", "smoke")


# -- claims --------------------------------------------------------------------------------------------------------


def test_the_margin_is_mean_over_standard_error(capsys):
    values = np.array([1.0, 2.0, 4.0, 3.0])
    made = check.claim("2.1", "It is positive", values, unit="points", paper="Table 2")
    assert made.held and made.margin == pytest.approx(values.mean() / (values.std(ddof=1) / 2))
    assert capsys.readouterr().out == "held      2.1 It is positive [+2.5 points, 3.9 standard errors]\n"


@pytest.mark.parametrize(
    "values, above, held",
    [
        ([1.0, 1.1, 0.9], 0, True),
        ([-1.0, -1.1, -0.9], 0, False),
        ([1.0, 1.1, 0.9], 2, False),
        ([1.0, -0.9, 0.5], 0, False),  # on the right side, but by less than two standard errors
        ([2.0, 2.0], 1, True),
        ([2.0, 2.0], 3, False),
    ],
)  # no spread at all
def test_what_holds(values, above, held, capsys):
    assert check.claim("2.2", "A sentence", values, above=above).held is held
    assert capsys.readouterr().out.startswith("held      2.2" if held else "NOT HELD  2.2")


def test_no_spread_and_no_distance_does_not_hold():
    assert not check.claim("2.3", "Equal is more", [1.0, 1.0], above=1.0).held


@pytest.mark.parametrize("fact", [True, False, np.bool_(True)])
def test_a_plain_fact(fact, capsys):
    made = check.claim("2.4", "It is so", fact, evidence="0.3 in [0.1, 0.5]")
    assert made.held is bool(fact) and math.isnan(made.margin) and "[0.3 in [0.1, 0.5]]" in capsys.readouterr().out


@pytest.mark.parametrize("values", [[1.0], [], [1.0, math.nan], [1.0, math.inf]])
def test_too_little_to_claim_anything_from(values):
    with pytest.raises(ValueError, match="Claim 2.5 needs at least two finite numbers, one per seed"):
        check.claim("2.5", "A sentence", values)


def test_tensors_and_tables_are_values_too():
    assert check.claim("2.6", "A sentence", torch.tensor([1.0, 1.1])).margin == pytest.approx(
        check.claim("2.6", "A sentence", [1.0, 1.1]).margin, rel=1e-4
    )


def test_the_last_answer_is_remembered_in_the_order_of_the_book():
    for key, fact in [("10.1", True), ("2.10", True), ("2.9", False), ("2.9", True)]:
        check.claim(key, "A sentence", fact)
    table = check.recorded()
    here = table[table.source == "this machine"]
    assert here.key.tolist() == ["2.9", "2.10", "10.1"] and here.held.all()
    assert set(here.scale) == {"smoke"}


def test_claims_of_this_machine_replace_the_committed_ones(monkeypatch):
    committed = [{"key": "1.1", "says": "Old", "held": True}, {"key": "1.2", "says": "Old", "held": True}]
    monkeypatch.setattr(check, "_committed", lambda: committed)
    check.claim("1.2", "New", False)
    table = check.recorded().set_index("key")
    assert table.source.to_dict() == {"1.1": "committed", "1.2": "this machine"} and table.says["1.2"] == "New"


def test_a_stored_claim_is_plain_json():
    check.claim("3.1", "A sentence", [1.0, 1.2])
    (path,) = (cache.folder() / "claims").rglob("*.json")
    assert json.loads(path.read_text())["claim"]["says"] == "A sentence"


def test_a_store_that_cannot_be_written_to_does_not_stop_a_chapter(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="could not be stored"):
        assert check.claim("3.2", "A sentence", True).held
    assert "held" in capsys.readouterr().out


# -- exercises -----------------------------------------------------------------------------------------------------


def said(capsys, *args, **rest):
    check.exercise("4.1", *args, **rest)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, expected",
    [
        (4, 4),
        (4.001, 4),
        (torch.tensor(4.0), 4),
        ([1, 2], [1, 2]),
        (torch.ones(3), np.ones(3)),
        ("c", "c"),
        ("(C)", "c"),
        (" c ", "c"),
        (0, 0),
        (True, True),
    ],
)
def test_right_answers(capsys, answer, expected):
    assert said(capsys, answer, expected) == "Exercise 4.1: correct.\n"


@pytest.mark.parametrize(
    "answer, expected, hint",
    [
        (5, 4, "Your answer is 5"),
        ("b", "c", "Your answer is 'b'"),
        ([1, 2, 3], [1, 2], "has shape (3,); (2,) is wanted"),
        ([1, 9], [1, 2], "Some entries differ"),
        ("four", 4, "is not a number"),
        (math.nan, 4, "Your answer is nan"),
        (4.1, 4, "Your answer is 4.1"),
        (4, "c", "Your answer is 4"),
        ([[1], [2, 3]], [1, 2], "is not a number"),
    ],
)
def test_wrong_answers_are_no_errors(capsys, answer, expected, hint):
    out = said(capsys, answer, expected)
    assert out.startswith("Exercise 4.1: not yet.") and hint in out and out.endswith("The hint below may help.\n")


def test_no_answer_yet(capsys):
    assert "no answer yet" in said(capsys, None, 4)
    assert "no answer yet" in said(capsys, None, test=lambda f: f(1))  # and the test is not run


def test_tolerance(capsys):
    assert "correct" in said(capsys, 4.3, 4, tolerance=0.1)


def test_a_function_is_tested_by_a_function(capsys):
    wants_square = lambda f: None if f(3) == 9 else f"f(3) is {f(3)}."  # noqa: E731
    assert "correct" in said(capsys, lambda x: x * x, test=wants_square)
    assert "f(3) is 6." in said(capsys, lambda x: 2 * x, test=wants_square)
    assert "It stopped with ZeroDivisionError" in said(capsys, lambda x: x / 0, test=wants_square)
    assert "It stopped with TypeError" in said(capsys, 7, test=wants_square)
