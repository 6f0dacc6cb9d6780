"""Chapter 9's own functions: rescaled points, the edge of stability, and intervals that count recipes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from labsupport import Problem, Recipe, curvature, data, experiments, settings, sweep, symmetry
from labsupport.experiments import recipes
from labsupport.objective import Objective
from tests import chapters

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


@pytest.fixture(scope="module")
def chapter():
    wanted = (
        "without_norm",
        "plain",
        "both",
        "at_scales",
        "valley",
        "four_measures",
        "along_the_edge",
    )
    counted = (
        "all_runs",
        "grid_of",
        "dial",
        "between",
        "within",
        "spearman",
        "bootstrap",
        "partial",
    )
    return chapters.names("09", *wanted, *counted, "given_the_dial", s=s)


# -- rescaling -----------------------------------------------------------------------------------------------------


def test_rescaling_moves_the_papers_measure_and_nothing_else(chapter):
    def by_factor(**box):
        table = chapter["at_scales"]((1.0, 64.0), **box).set_index(["batch", "factor", "seed"])
        return (table.xs(factor, level="factor") for factor in (1.0, 64.0))

    before, after = by_factor()
    assert np.allclose(before.loss, after.loss, rtol=1e-12)
    assert (after.sharpness > 3 * before.sharpness).all()
    before, after = by_factor(epsilon=0.02, offset=0.0)
    assert np.allclose(before.sharpness, after.sharpness, rtol=1e-9)


def test_the_valley_has_its_bottom_at_the_minimizer_and_ends_at_the_measured_maximum(chapter):
    run = chapter["plain"]["LB"]
    found = chapter["valley"](run.problem, run.x[0], points=5)
    phi = experiments.sharpness_of(run.problem, run.x[:1], starts=1, epsilons=(1e-3,)).iloc[0]
    middle, end = found.loss[2], found.loss[4]
    assert middle == pytest.approx(phi.loss, rel=1e-5)
    assert 100 * (end - middle) / (1 + middle) == pytest.approx(phi.sharpness, rel=1e-3)


# -- the edge ------------------------------------------------------------------------------------------------------


def test_the_eigenvalues_belong_to_the_checkpoints(chapter):
    table, steps = chapter["along_the_edge"]("F0-plain"), s.edge_steps["F0-plain"]
    problem = Problem("F0-plain", s.main.dataset, s.edge_train_size)
    descent = Recipe(s.edge_train_size, epochs=steps[-1], optimizer="sgd", learning_rate=0.3)
    x = sweep.run(problem, {"run": descent}, s.seeds, checkpoints=steps, records=1)[
        "run"
    ].checkpoints[2][1]
    one = table[(table.rate == 0.3) & (table.step == 2) & (table.seed == 1)].iloc[0]
    d = data.load("mnist1d", train_size=s.edge_train_size)
    f = Objective("F0-plain", d.x_train, d.y_train)
    assert one.train_loss == pytest.approx(f(x).item(), rel=1e-5)
    assert one.eigenvalue == pytest.approx(curvature.top_eigenvalues(f, x).item(), rel=0.02)
    assert one.limit == pytest.approx(2 / 0.3)


def test_full_batch_descent_is_its_definition():
    problem = Problem("F0-plain", s.main.dataset, s.edge_train_size)
    descent = Recipe(s.edge_train_size, epochs=2, optimizer="sgd", learning_rate=0.15)
    run, f = sweep.run(problem, {"run": descent}, 1)["run"], problem.objective()
    x = run.x0[0]
    for _ in range(2):
        x = x - 0.15 * f.gradient(x)
    assert torch.allclose(x, run.x[0], atol=1e-6)


# -- the grid ------------------------------------------------------------------------------------------------------


def test_the_grid_has_each_recipe_once_and_trains_none_of_its_own(chapter):
    runs = chapter["all_runs"]()
    used = [run.recipe for run in runs.values()]
    assert len(set(used)) == len(used)
    known = {experiments.closing_runs(s)[name].recipe for name in ("SB", "LB", "SAM")}
    assert known <= set(used)
    table = chapter["grid_of"](runs)
    assert len(table) == sum(len(run.x) for run in runs.values())
    first = table[table.recipe == "B = 32"]
    assert first.test_accuracy.tolist() == experiments.minima(s)["SB"].final.test_accuracy.tolist()
    assert (table[["sharpness", "sharpness_5e-4", "relative", "rows"]] > 0).all(axis=None)


def test_the_repaired_measures_do_not_see_a_rescaling(chapter):
    four_measures = chapter["four_measures"]
    x = experiments.minima(s)["SB"].x
    before = four_measures(x)
    after = four_measures(symmetry.rescale("F0", x, 8.0))
    assert np.allclose(before["relative"], after["relative"], rtol=1e-6)
    rows = four_measures(symmetry.scale_rows("F0", x, 8.0))
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


def test_between_and_within_are_told_apart(chapter, made_up):
    between, within = chapter["between"], chapter["within"]
    assert between(made_up, "m")[0] == pytest.approx(-1)
    assert within(made_up, "m")[0] == pytest.approx(1)
    noise, low, high = between(made_up, "noise")
    middle = made_up.groupby("recipe")[["noise", "test_accuracy"]].median()
    assert noise == pytest.approx(spearmanr(middle.noise, middle.test_accuracy).statistic)
    assert low < noise < high and low < 0 < high


def test_what_is_left_when_another_column_is_held_fixed(chapter):
    table = of_forty(seed=1)
    ranks = table[["m", "dial", "test_accuracy"]].rank()
    m, outcome = (
        ranks[name] - np.polyval(np.polyfit(ranks.dial, ranks[name], 1), ranks.dial)
        for name in ("m", "test_accuracy")
    )
    found, low, high = chapter["given_the_dial"](table, "m")
    assert found == pytest.approx(np.corrcoef(m, outcome)[0, 1])
    assert 0 < low < found < high < chapter["between"](table, "m")[2]


def test_an_interval_of_95_percent_contains_what_is_true_nearly_always(chapter):
    found = [chapter["given_the_dial"](of_forty(seed), "echo") for seed in range(30)]
    # beyond the dial, the echo of the dial knows nothing
    assert sum(low < 0 < high for _, low, high in found) >= 26


def of_forty(seed):
    """Forty recipes whose accuracy follows the dial and m; ``echo`` follows the dial alone."""
    z, own, chance, noise = np.random.default_rng(seed).normal(size=(4, 40))
    return pd.DataFrame(
        {
            "recipe": [f"r{k}" for k in range(40)],
            "dial": z,
            "m": z + own,
            "test_accuracy": z + own + chance,
            "echo": z + 0.3 * noise,
        }
    )


def test_more_seeds_of_the_same_recipes_do_not_narrow_the_interval(chapter, made_up):
    twice = pd.concat([made_up, made_up])
    widths = [
        high - low for _, low, high in (chapter["between"](t, "noise") for t in (made_up, twice))
    ]
    assert widths[0] == pytest.approx(widths[1])


def test_recipes_of_one_seed_say_nothing_about_within(chapter, made_up):
    lone = pd.DataFrame({"recipe": ["x", "y"], "m": [0, 1], "test_accuracy": [50, 60]})
    assert chapter["within"](pd.concat([made_up, lone]), "m") == chapter["within"](made_up, "m")


def test_equal_values_share_their_rank(chapter):
    x, y = np.array([1, 2, 2, 4]), np.array([3, 1, 2, 2])
    assert chapter["spearman"](x, y) == pytest.approx(spearmanr(x, y).statistic)


def test_equal_ratios_are_ties_and_a_growing_batch_has_none(chapter):
    cells = recipes.dial_recipes(settings.TABLE["laptop"])
    assert len({chapter["dial"](recipe) for recipe in cells.values()}) == 7  # seven diagonals
    assert np.isnan(chapter["dial"](s.SB.but(growth=((1, 64),))))
