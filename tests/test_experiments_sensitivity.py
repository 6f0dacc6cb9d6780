"""Chapter 4's experiments at smoke scale, and the facts that its text rests on."""

import numpy as np
import pytest
import torch

from labsupport import Problem, experiments, settings
from labsupport.experiments import sensitivity
from labsupport.sharpness import sharpness

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_both_tables_have_a_row_for_each_batch_seed_and_width():
    seeds, manifolds = s.seeds, s.manifolds
    full, manifold = experiments.sharpness_table(experiments.minima(s)), experiments.manifold_table(s)
    assert len(full) == 2 * seeds * 2 and len(manifold) == 2 * seeds * 2 * manifolds
    for table in (full, manifold):
        assert (table.sharpness > 0).all() and table.loss.gt(0).all()
        wide, narrow = (table[table.epsilon == e].sharpness.to_numpy() for e in (1e-3, 5e-4))
        assert (wide > narrow).all()


def bowl(x):
    """A quadratic with its minimum at 1, where the slope vanishes: 2 n epsilon^2 is its rise to a corner at |x| = 1."""
    return ((x - 1) ** 2).sum() / 2


class Bowl:
    def double(self):
        return self

    def __call__(self, x):
        return bowl(x)

    def value_and_gradient(self, x):
        return bowl(x), x - 1


def test_the_port_finds_nothing_at_a_minimum_and_all_of_it_beside_one():
    f, n = Bowl(), 50
    value, said = experiments.naive_port(f, torch.ones(n))
    assert value == 0 and said.nfev == 1 and "CONVERGENCE" in str(said.message)
    true = 100 * 2 * n * 1e-3**2
    assert float(sharpness(bowl, torch.ones(n, dtype=torch.float64), method="paper").value[0]) == pytest.approx(true, rel=1e-6)
    assert experiments.naive_port(f, torch.ones(n), scale=1e4, start=1.0, gtol=0.0, ftol=0.0)[0] == pytest.approx(true, rel=1e-6)


def test_followed_to_the_bottom_is_lower_and_the_gradient_smaller():
    f, found = s.main.objective(), experiments.finished(s)
    for batch, run in experiments.minima(s).items():
        assert (f(found[batch]) < f(run.x)).all()
    small = Problem("F0", "mnist1d", 200)
    at = sensitivity._finished(small, torch.randn(1, f.n, generator=torch.Generator().manual_seed(0)) / 10, 300)
    assert small.objective().gradient(at).abs().max() <= 1.01e-5


def test_in_a_slice_the_box_is_a_square():
    """The corner (epsilon, epsilon) of the slice with the worst signs is the corner that the search found."""
    f, x = s.main.objective(), experiments.minima(s)["LB"].x[0]
    table = experiments.box_slice(s, "LB", "worst", span=1e-3)
    corner = table[np.isclose(table.a, 1e-3) & np.isclose(table.b, 1e-3)].loss.item()
    assert corner == pytest.approx(float(sharpness(f, x).f_max[0]), rel=1e-4)
    center = table[np.isclose(table.a, 0) & np.isclose(table.b, 0)].loss.item()
    assert center == pytest.approx(float(f(x)), rel=1e-5)


def test_on_the_diagonal_zero_is_the_minimum_and_one_the_corner():
    way = experiments.along_the_diagonal(s, points=10)
    full = experiments.sharpness_table(experiments.minima(s), epsilons=(1e-3,))
    at_corner = way[np.isclose(way.t, 1)].set_index(["batch", "seed"]).rise
    for row in full.itertuples():
        assert at_corner[row.batch, row.seed] == pytest.approx(row.sharpness, rel=1e-3)
    assert way[np.isclose(way.t, 0)].rise.abs().max() < 1e-6


def test_the_definitions_differ_where_they_should():
    table = experiments.definitions(s).set_index(["variant", "batch", "seed"])
    for batch in ("SB", "LB"):
        for seed in range(s.seeds):
            plain, frozen, small = (table.loc[(v, batch, seed)] for v in ("as in this book", "frozen statistics", "chunks of 250"))
            assert frozen.loss == pytest.approx(plain.loss, rel=1e-4) and frozen.sharpness != plain.sharpness
            assert small.loss > plain.loss


def test_the_hessian_is_counted():
    table = experiments.hessian_table(s, samples=2)
    assert (table.products > 5).all() and (table.top_eigenvalue > 0).all()
    cost = experiments.cost_table(s).set_index("estimator")
    assert cost.evaluations["strong, one search"] == 11 and cost.evaluations["strong"] == 33
