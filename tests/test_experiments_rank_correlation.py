"""Chapter 9's experiments: what they share with other chapters, intervals that count recipes, verdicts that are
not typed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from labsupport import check, curvature, data, experiments, settings, symmetry
from labsupport.experiments import full_batch, rank_correlation, rescaling, scorecards
from labsupport.objective import Objective

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


# -- rescaling -----------------------------------------------------------------------------------------------------


def test_rescaling_moves_the_papers_measure_and_nothing_else():
    def by_factor(**settings):
        table = experiments.rescaled(s, (1.0, 64.0), **settings).set_index(
            ["batch", "factor", "seed"]
        )
        return (table.xs(factor, level="factor") for factor in (1.0, 64.0))

    before, after = by_factor()
    assert np.allclose(before.loss, after.loss, rtol=1e-12)
    assert (after.sharpness > 3 * before.sharpness).all()
    before, after = by_factor(epsilon=experiments.RELATIVE, offset=0.0)
    assert np.allclose(before.sharpness, after.sharpness, rtol=1e-9)


def test_the_valley_has_its_bottom_at_the_minimizer_and_ends_at_the_measured_maximum():
    run = rescaling.plain_minima(s)["LB"]
    found = experiments.valley(s, "LB", 1.0, points=5)
    phi = experiments.sharpness_of(run.problem, run.x[:1], starts=1, epsilons=(1e-3,)).iloc[0]
    middle, end = found.loss[2], found.loss[4]
    assert middle == pytest.approx(phi.loss, rel=1e-5)
    assert 100 * (end - middle) / (1 + middle) == pytest.approx(phi.sharpness, rel=1e-3)


# -- the edge ------------------------------------------------------------------------------------------------------


def test_the_eigenvalues_belong_to_the_checkpoints():
    table = experiments.edge_of_stability(s)
    run = full_batch.edge_runs(s)[0.3]
    assert run.recipe.batch_size == s.edge_train_size and run.recipe.momentum == 0
    one = table[(table.rate == 0.3) & (table.step == 2) & (table.seed == 1)].iloc[0]
    d = data.load("mnist1d", train_size=s.edge_train_size)
    f = Objective("F0-plain", d.x_train, d.y_train)
    assert one.train_loss == pytest.approx(f(run.checkpoints[2][1]).item(), rel=1e-5)
    assert one.eigenvalue == pytest.approx(
        curvature.top_eigenvalues(f, run.checkpoints[2][1]).item(), rel=0.02
    )
    assert one.limit == pytest.approx(2 / 0.3)


def test_full_batch_descent_is_its_definition():
    run = full_batch.edge_runs(s)[0.15]
    d = data.load("mnist1d", train_size=s.edge_train_size)
    f = Objective("F0-plain", d.x_train, d.y_train)
    x = run.x0[0]
    for _ in range(2):
        x = x - 0.15 * f.gradient(x)
    assert torch.allclose(x, run.checkpoints[2][0], atol=1e-6)


# -- the grid ------------------------------------------------------------------------------------------------------


def test_the_grid_has_each_recipe_once_and_trains_none_of_its_own():
    runs = rank_correlation.grid_runs(s)
    recipes = [run.recipe for run in runs.values()]
    assert len(set(recipes)) == len(recipes)
    known = {experiments.closing_runs(s)[name].recipe for name in ("SB", "LB", "SAM")}
    assert known <= set(recipes)
    table = experiments.grid(s)
    assert len(table) == sum(len(run.x) for run in runs.values())
    first = table[table.recipe == "B = 32"]
    assert first.test_accuracy.tolist() == experiments.minima(s)["SB"].final.test_accuracy.tolist()
    assert (table[list(rank_correlation.MEASURES)] > 0).all(axis=None)


def test_the_repaired_measures_do_not_see_a_rescaling():
    x = experiments.minima(s)["SB"].x
    before = experiments.four_measures(s, x)
    after = experiments.four_measures(s, symmetry.rescale("F0", x, 8.0))
    assert np.allclose(before["relative"], after["relative"], rtol=1e-6)
    rows = experiments.four_measures(s, symmetry.scale_rows("F0", x, 8.0))
    assert np.allclose(before["rows"], rows["rows"], rtol=0.02)  # batch norm's eps
    assert not np.allclose(before["sharpness"], rows["sharpness"], rtol=0.1)


@pytest.fixture
def made_up():
    """Twelve recipes of five seeds: between recipes sharper is worse, within one sharper is better."""
    rng = np.random.default_rng(1)
    rows = []
    for recipe in range(12):
        for seed in range(5):
            rows.append(
                {
                    "recipe": f"r{recipe}",
                    "m": recipe + 0.1 * seed,
                    "test_accuracy": 80 - 3 * recipe + 0.1 * seed,
                    "noise": rng.normal(),
                }
            )
    return pd.DataFrame(rows)


def test_between_and_within_are_told_apart(made_up):
    between, within = rank_correlation.between(made_up, "m"), rank_correlation.within(made_up, "m")
    assert between["correlation"] == -1 and between["recipes"] == 12 and between["runs"] == 60
    assert within["correlation"] == 1
    noise = rank_correlation.between(made_up, "noise")
    middle = made_up.groupby("recipe")[["noise", "test_accuracy"]].median()
    assert noise["correlation"] == pytest.approx(
        spearmanr(middle.noise, middle.test_accuracy).statistic
    )
    assert noise["low"] < noise["correlation"] < noise["high"] and noise["low"] < 0 < noise["high"]


def test_what_is_left_when_another_column_is_held_fixed():
    table = of_forty(seed=1)
    ranks = table[["m", "z", "test_accuracy"]].rank()
    m, outcome = (
        ranks[name] - np.polyval(np.polyfit(ranks.z, ranks[name], 1), ranks.z)
        for name in ("m", "test_accuracy")
    )
    found = rank_correlation.partial_correlation(table, "m", "z")
    assert (
        found["correlation"] == pytest.approx(np.corrcoef(m, outcome)[0, 1])
        and found["recipes"] == 40
    )
    assert (
        0
        < found["low"]
        < found["correlation"]
        < found["high"]
        < rank_correlation.between(table, "m")["high"]
    )


def test_an_interval_of_95_percent_contains_what_is_true_nearly_always():
    found = [
        rank_correlation.partial_correlation(of_forty(seed), "echo", "z", resamples=400)
        for seed in range(30)
    ]
    assert (
        sum(one["low"] < 0 < one["high"] for one in found) >= 26
    )  # beyond z, the echo of z knows nothing


def of_forty(seed):
    """Forty recipes whose accuracy follows z and m; ``echo`` follows z alone."""
    z, own, chance, noise = np.random.default_rng(seed).normal(size=(4, 40))
    return pd.DataFrame(
        {
            "recipe": [f"r{k}" for k in range(40)],
            "z": z,
            "m": z + own,
            "test_accuracy": z + own + chance,
            "echo": z + 0.3 * noise,
        }
    )


def test_more_seeds_of_the_same_recipes_do_not_narrow_the_interval(made_up):
    twice = pd.concat([made_up, made_up])
    widths = [
        (found := rank_correlation.between(table, "noise"))["high"] - found["low"]
        for table in (made_up, twice)
    ]
    assert widths[0] == pytest.approx(widths[1])


def test_recipes_of_one_seed_say_nothing_about_within(made_up):
    lone = pd.DataFrame({"recipe": ["x", "y"], "m": [0, 1], "test_accuracy": [50, 60]})
    assert rank_correlation.within(pd.concat([made_up, lone]), "m") == rank_correlation.within(
        made_up, "m"
    )


def test_equal_ratios_are_ties_and_a_growing_batch_has_none():
    s = settings.TABLE["laptop"]
    cells = rank_correlation.dial_recipes(s)
    assert len({rank_correlation.dial(recipe) for recipe in cells.values()}) == 7  # seven diagonals
    assert np.isnan(rank_correlation.dial(s.SB.but(growth=((1, 64),))))


def test_two_measures_are_compared_on_the_same_draws():
    table = of_forty(seed=2).assign(same=lambda t: 2 * t.m)
    found = rank_correlation.partial_difference(table, "m", "same", "z")
    assert found["correlation"] == found["low"] == found["high"] == 0
    other = rank_correlation.partial_difference(table, "m", "echo", "z")
    alone = [
        rank_correlation.partial_correlation(table, name, "z")["correlation"]
        for name in ("m", "echo")
    ]
    assert other["correlation"] == pytest.approx(alone[0] - alone[1])


# -- the scorecard -------------------------------------------------------------------------------------------------


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


def test_without_any_claim_nothing_is_decided(monkeypatch):
    monkeypatch.setattr(check, "recorded", lambda: pd.DataFrame())
    assert set(scorecards.verdicts(scorecards.scorecard()).verdict) == {"undecided"}


def test_cards_escape_and_name_the_claim(monkeypatch):
    claims(monkeypatch, [claim("2.1", 3, 1, True)])
    page = scorecards.Cards(scorecards.scorecard())._repr_html_()
    assert "2.1 says 2.1 &lt; x" in page
    assert "for: 2.1 says 2.1 < x [3]" in repr(scorecards.Cards(scorecards.scorecard()))


def test_no_committed_claim_is_left_out(monkeypatch):
    committed = pd.DataFrame(check.records.committed())
    monkeypatch.setattr(check, "recorded", lambda: committed)
    assert set(scorecards.scorecard().key) == set(committed.key)


def test_no_claim_is_typed_on_both_sides_of_a_question():
    for question in scorecards.QUESTIONS:
        assert not set(question.yes) & set(question.no)
