"""Chapter 9's scorecard: verdicts that are not typed, and the paper's own networks where they were trained."""

from __future__ import annotations

import pandas as pd
import pytest

from labsupport import check
from labsupport.exercises import chapter09
from labsupport.experiments import reproduction, scorecards
from tests.test_reproduce import made_up


def claims(monkeypatch, rows):
    columns = [
        "key",
        "says",
        "held",
        "evidence",
        "margin",
        "mean",
        "low",
        "high",
        "bound",
        "exploratory",
        "source",
    ]
    monkeypatch.setattr(check, "recorded", lambda: pd.DataFrame(rows, columns=columns))


def claim(key, mean, half, held, exploratory=False):
    return [
        key,
        f"says {key} < x",
        held,
        f"{mean}",
        1.0,
        mean,
        mean - half,
        mean + half,
        "above 0",
        exploratory,
        "committed",
    ]


def test_a_claim_points_where_its_interval_lies(monkeypatch):
    claims(
        monkeypatch,
        [
            claim("2.1", 3, 1, True),
            claim("2.3", 0.5, 1, False),
            claim("7.1", -3, 1, False),
            claim("2.5", 2, 1, True),
            claim("1.1", 1, 0.5, True),
        ],
    )
    card = scorecards.scorecard()
    assert card[card.question == 1].set_index("key").side.to_dict() == {
        "2.1": "for",
        "2.3": "open",
        "7.1": "against",
        "2.5": "against",
        "1.1": "beside",
    }
    assert card.set_index(["question", "key"]).lean[1, "2.1"] == 3


def test_a_verdict_follows_from_its_claims(monkeypatch):
    claims(monkeypatch, [claim("4.1", 3, 1, True), claim("4.2", 3, 1, True)])
    found = scorecards.verdicts(scorecards.scorecard())
    assert (found.verdict[2], found.confidence[2]) == ("yes", "moderate")
    assert found.verdict[1] == "undecided"
    claims(
        monkeypatch,
        [
            claim("4.1", 3, 1, True, True),
            claim("4.2", 3, 1, True, True),
            claim("4.3", -3, 1, False),
        ],
    )
    found = scorecards.verdicts(scorecards.scorecard())
    assert (found.verdict[2], found.confidence[2]) == ("mostly yes", "low")


def test_large_batches_made_flatter_that_still_test_worse_speak_against_a_cause(monkeypatch):
    claims(monkeypatch, [claim("9.17", 2, 1, True, True), claim("9.18", -2, 1, False, True)])
    card = scorecards.scorecard()
    assert card[card.question == 5].set_index("key").side.to_dict() == {
        "9.17": "for",
        "9.18": "against",
    }
    assert scorecards.verdicts(card).verdict[5] == "undecided"


def test_without_any_claim_nothing_is_decided(monkeypatch):
    monkeypatch.setattr(check, "recorded", lambda: pd.DataFrame())
    assert set(scorecards.verdicts(scorecards.scorecard()).verdict) == {"undecided"}


def test_cards_escape_and_name_the_claim(monkeypatch):
    claims(monkeypatch, [claim("2.1", 3, 1, True)])
    page = scorecards.Cards(scorecards.scorecard())._repr_html_()
    assert "2.1 says 2.1 &lt; x" in page
    assert "for: 2.1 says 2.1 < x [3]" in repr(scorecards.Cards(scorecards.scorecard()))


def test_cards_say_of_a_claim_that_it_did_not_hold(monkeypatch):
    claims(monkeypatch, [claim("2.1", 3, 1, True), claim("2.3", -3, 1, False)])
    shown = repr(scorecards.Cards(scorecards.scorecard()))
    assert "for: 2.1 says" in shown and "against: 2.3 NOT HELD: says" in shown


def test_the_exercise_says_which_claims_change_sides(monkeypatch, capsys):
    claims(
        monkeypatch,
        [claim("7.1", -3, 1, False), claim("7.3", 0.5, 1, False), claim("7.5", 3, 1, True)],
    )
    mine = {"asks": "Is it over-fitting?", "for": ["7.5", "7.1"], "against": ["7.3"]}
    assert chapter09.ANSWERS["9.4"].test(mine, claims=check.recorded()) is None
    told = capsys.readouterr().out
    assert "7.1 did not hold, beyond its bound: it speaks against, not for" in told
    assert "7.3 is open" in told and "7.5" not in told


def test_no_committed_claim_is_left_out(monkeypatch):
    committed = pd.DataFrame(check.records.committed())
    monkeypatch.setattr(check, "recorded", lambda: committed)
    assert set(scorecards.scorecard().key) == set(committed.key)


def test_no_claim_is_typed_on_both_sides_of_a_question():
    for question in scorecards.QUESTIONS:
        assert not set(question.yes) & set(question.no)


# -- the paper's own networks --------------------------------------------------------------------------------------


def test_without_committed_rows_nothing_was_run(tmp_path):
    found = reproduction.reproduced(tmp_path)
    assert found["gaps"].empty and found["ratios"].empty


def test_committed_rows_of_the_papers_networks_become_gaps_and_ratios(tmp_path):
    made_up(tmp_path, gap=0.5, ratio=20.0)
    found = reproduction.reproduced(tmp_path)
    gap, ratio = found["gaps"].iloc[0], found["ratios"].iloc[0]
    assert len(found["gaps"]) == len(found["ratios"]) == 1 and gap.seeds == ratio.seeds == 5
    assert gap.gap == pytest.approx(0.5, abs=0.05) and gap.low < gap.gap < gap.high
    assert ratio.ratio == pytest.approx(20, rel=0.1)


def test_fewer_seeds_than_a_claim_needs_stand_on_no_card(tmp_path):
    made_up(tmp_path, seeds=4)
    found = reproduction.reproduced(tmp_path)
    assert found["gaps"].empty and found["ratios"].empty


def test_the_card_shows_what_was_run_of_the_papers_networks(monkeypatch):
    claims(monkeypatch, [claim("2.1", 3, 1, True)])
    row = {"network": "F1", "dataset": "mnist", "seeds": 5, "gap": 0.2, "low": 0.1, "high": 0.3}
    rows = [{**row, "run": f"F1, {samples}"} for samples in ("all", "10,000")]
    found = {"gaps": pd.DataFrame(rows), "ratios": pd.DataFrame()}
    monkeypatch.setattr(scorecards, "reproduced", lambda: found)
    shown = repr(scorecards.Cards(scorecards.scorecard()))
    for samples in ("all", "10,000"):
        assert (
            f"F1, {samples} samples of mnist, 5 seeds: SB minus LB +0.20 points (+0.10 to +0.30)"
            in shown
        )
