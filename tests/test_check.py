"""Claims hold or not by a rule fixed beforehand; exercises say how it went in one line."""

import json
import math

import numpy as np
import pytest
import scipy.stats
import torch

from labsupport import cache, check


@pytest.fixture(autouse=True)
def empty(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_STORE", str(tmp_path))
    monkeypatch.setenv("LABSUPPORT_SCALE", "smoke")


# -- claims --------------------------------------------------------------------------------------------------------


def test_the_interval_is_students(capsys):
    values = np.array([1.0, 2.0, 4.0, 3.0])
    made = check.claim("2.1", "It is positive", values, unit="points", paper="Table 2")
    slow = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert made.held and (made.low, made.high) == pytest.approx((slow.low, slow.high))
    assert (made.mean, made.count, made.over) == (2.5, 4, "seeds")
    assert made.margin == pytest.approx(values.mean() / (values.std(ddof=1) / 2))
    line = "held      2.1 It is positive [+2.5 points, 95% interval +0.4 to +4.6, 4 seeds; claimed: above 0]\n"
    assert capsys.readouterr().out == line


def test_interval_against_scipy_for_many_samples():
    rng = np.random.default_rng(0)
    for count in (2, 3, 5, 16):
        values = rng.standard_normal(count)
        for confidence in (0.5, 0.95, 0.99):
            slow = scipy.stats.ttest_1samp(values, 0).confidence_interval(confidence)
            found = check.interval(values, confidence)
            assert tuple(found) == pytest.approx((values.mean(), slow.low, slow.high))


def test_ninety_five_of_a_hundred_intervals_hold_the_truth():
    """What the words mean: intervals of five values, of a thousand experiments."""
    values = np.random.default_rng(1).standard_normal((1000, 5)) + 3
    found = [check.interval(five) for five in values]
    assert sum(one.low < 3 < one.high for one in found) == pytest.approx(950, abs=25)


def test_two_standard_errors_are_not_enough_for_five_seeds():
    """The former rule held such a claim: mean 2.2 standard errors above the bound, one-sided p of .05."""
    values = np.array([-1, -0.5, 0, 0.5, 1]) * np.sqrt(1 / 0.625) * np.sqrt(5) / 2.2 + 1
    made = check.claim("2.2", "It is positive", values)
    assert made.margin == pytest.approx(2.2) and made.low < 0 and not made.held


@pytest.mark.parametrize(
    "values, within, held",
    [
        ([0.1, -0.1, 0.0, 0.05], 0.5, True),
        ([0.1, -0.1, 0.0, 0.05], 0.05, False),  # the mean lies inside, the interval does not
        ([1.1, 0.9, 1.0, 1.0], (0.5, 1.5), True),
        ([1.1, 0.9, 1.0, 1.0], 0.5, False),
        ([1.0, 1.0], (0.5, 1.5), True),  # no spread
        ([0.5, 0.5], (0.5, 1.5), False),  # on the edge
    ],
)
def test_equality_is_an_interval_inside_a_margin(values, within, held):
    assert check.claim("2.3", "They are equal", values, within=within).held is held


def test_an_exploratory_claim_says_so_and_is_remembered_as_one(capsys):
    check.claim("2.4", "It is positive", [1.0, 1.2, 1.1], exploratory=True)
    check.claim("2.5", "It is so", True, exploratory=True)
    assert all(line.endswith("; exploratory]") for line in capsys.readouterr().out.splitlines())
    table = check.recorded()
    assert table[table.source == "this machine"].exploratory.all()


def test_no_more_digits_than_the_interval_deserves(capsys):
    check.claim("2.6", "A", [1234.567, 1240.1, 1239.9])
    check.claim("2.7", "B", [0.0123456, 0.0123457, 0.0123458])
    check.claim("2.8", "C", [1 / 3, 1 / 3])
    one, two, three = capsys.readouterr().out.splitlines()
    assert "[+1238.2, 95% interval +1230.4 to +1246.0," in one
    assert (
        "[+0.01234570, 95% interval +0.01234545 to +0.01234595," in two
        and "[+0.333, no spread, 2 seeds" in three
    )


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
    assert (
        made.held is bool(fact)
        and math.isnan(made.margin)
        and "[0.3 in [0.1, 0.5]]" in capsys.readouterr().out
    )


@pytest.mark.parametrize("values", [[1.0], [], [1.0, math.nan], [1.0, math.inf]])
def test_too_little_to_claim_anything_from(values):
    with pytest.raises(
        ValueError,
        match="Claim 2.5 cannot be checked. At least two finite numbers are needed, one per seed",
    ):
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
    committed = [
        {"key": "1.1", "says": "Old", "held": True},
        {"key": "1.2", "says": "Old", "held": True},
    ]
    monkeypatch.setattr(check.records, "committed", lambda: committed)
    check.claim("1.2", "New", False)
    table = check.recorded().set_index("key")
    assert (
        table.source.to_dict() == {"1.1": "committed", "1.2": "this machine"}
        and table.says["1.2"] == "New"
    )


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


@pytest.mark.parametrize(
    "key", ["s", "", "2", "2.1.1", "../../../x", "2.1/../../x", "2.1\n", 2.1, None, "2.²"]
)
def test_a_claim_is_named_by_chapter_and_number(key, tmp_path):
    with pytest.raises(
        ValueError, match="A claim is named by its chapter and number, such as '2.1'; given: "
    ):
        check.claim(key, "A sentence", True)
    assert not list(tmp_path.rglob("*.json"))


def flipped(path):
    path.write_text(path.read_text().replace("true", "false", 1))


def truncated(path):
    path.write_text(path.read_text()[:-20])


def foreign(path):
    path.write_text('{"key": "2.1", "held": true}')


def another_ones_name(path):
    path.rename(path.with_name("3.7.json"))


def a_folder(path):
    path.unlink()
    path.mkdir()


def bytes_of_no_text(path):
    path.write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    "damage", [flipped, truncated, foreign, another_ones_name, a_folder, bytes_of_no_text]
)
def test_a_claim_that_is_not_what_was_recorded_is_left_out_and_said(damage):
    check.claim("2.1", "A sentence", True)
    check.claim("2.2", "Another", True)
    (path,) = (cache.folder() / "claims").rglob("2.1.json")
    damage(path)
    with pytest.warns(
        UserWarning,
        match=r"Left out of the claims recorded on this machine: (2.1|3.7).json \(.+\)\. Run their",
    ):
        table = check.recorded()
    assert table[table.source == "this machine"].key.tolist() == ["2.2"]


def test_a_claim_of_other_code_is_left_out_and_said(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(check.records, "_code", lambda: "other")
        check.claim("2.1", "A sentence", True)
    with pytest.warns(UserWarning, match=r"2.1.json \(made by other code\)"):
        table = check.recorded()
    assert not (table.source == "this machine").any()


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
    assert (
        out.startswith("Exercise 4.1: not yet.")
        and hint in out
        and out.endswith("The hint below may help.\n")
    )


def test_no_answer_yet(capsys):
    assert "no answer yet" in said(capsys, None, 4)
    assert "no answer yet" in said(capsys, None, test=lambda f: f(1))  # and the test is not run


def test_tolerance(capsys):
    assert "correct" in said(capsys, 4.3, 4, tolerance=0.1)


def test_a_function_is_tested_by_a_function(capsys):
    wants_square = lambda f: None if f(3) == 9 else f"f(3) is {f(3)}."
    assert "correct" in said(capsys, lambda x: x * x, test=wants_square)
    assert "f(3) is 6." in said(capsys, lambda x: 2 * x, test=wants_square)
    assert "It stopped with ZeroDivisionError" in said(capsys, lambda x: x / 0, test=wants_square)
    assert "It stopped with TypeError" in said(capsys, 7, test=wants_square)
