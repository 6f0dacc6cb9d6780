"""Lines, curves and planes against evaluations one point at a time."""

import math

import numpy as np
import pytest
import torch

from labsupport import data, landscape
from labsupport.engine.stacked import Layout
from labsupport.objective import Objective
from labsupport.training import start


@pytest.fixture(scope="module")
def f():
    signals = data.load("mnist1d", device="cpu", train_size=200)
    return Objective("F0", signals.x_train, signals.y_train)


def quadratic(x):
    return (torch.arange(1.0, 4.0) * x**2).sum()


def test_a_line_meets_both_points(f):
    x = start("F0", [0, 1])
    table = landscape.line(f, x[0], x[1], [0, 0.5, 1])
    assert list(table) == ["pair", "alpha", "loss", "accuracy"]
    slow = [float(f(point)) for point in (x[0], (x[0] + x[1]) / 2, x[1])]
    assert np.allclose(table.loss, slow, rtol=1e-6)
    assert np.allclose(
        table.accuracy, [float(f.accuracy(p)) for p in (x[0], (x[0] + x[1]) / 2, x[1])]
    )


def test_pairs_of_a_stack(f):
    a, b = start("F0", [0, 1]), start("F0", [2, 3])
    table = landscape.line(f, a, b, [-0.5, 0.25])
    assert table.pair.tolist() == [0, 0, 1, 1]
    assert np.allclose(
        table[table.pair == 1].loss, landscape.line(f, a[1], b[1], [-0.5, 0.25]).loss, rtol=1e-6
    )


def test_a_line_through_a_parabola():
    table = landscape.line(quadratic, torch.zeros(3), torch.ones(3), np.linspace(-1, 2, 7))
    assert np.allclose(table.loss, 6 * np.linspace(-1, 2, 7) ** 2) and "accuracy" not in table


def test_the_curves_ends_and_middle():
    a, b = torch.tensor([1.0, 0, 2]), torch.tensor([0.0, 3, 1])
    found = landscape.curve(quadratic, a, b, [-1, 0, 0.5, 1, 2]).loss
    middle = (a + b) / math.sqrt(2)
    assert np.allclose(found, [float(quadratic(p)) for p in (-b, a, middle, b, -a)])


def test_a_curve_keeps_the_length_between_two_points_of_equal_length():
    a, b = torch.tensor([3.0, 0, 4]), torch.tensor([0.0, 5, 0])
    lengths = landscape.curve(lambda x: x.norm(), a, b, np.linspace(0, 1, 9)).loss
    assert np.allclose(lengths, 5, atol=1e-5)  # orthogonal, so the curve is an arc
    assert (
        min(landscape.line(lambda x: x.norm(), a, b, np.linspace(0, 1, 9)).loss) < 3.6
    )  # the chord is shorter


def test_filters_of_a_network():
    """Each unit's weights are one filter; a bias, a scale and a shift are one each."""
    layout = Layout.of(
        torch.nn.Sequential(
            torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2), torch.nn.Conv2d(2, 4, 3)
        )
    )
    rows = landscape.filter_rows(layout)
    assert [r.stop - r.start for r in rows] == [3, 3, 2, 2, 2, 18, 18, 18, 18, 4]
    assert [i for r in rows for i in range(r.start, r.stop)] == list(range(layout.n))


def test_a_direction_is_as_long_as_x_filter_by_filter():
    x, rows = torch.randn(10), [slice(0, 4), slice(4, 7), slice(7, 10)]
    d = landscape.normalized_direction(x, rows, torch.Generator().manual_seed(0))
    for row in rows:
        assert float(d[row].norm()) == pytest.approx(float(x[row].norm()), rel=1e-5)
    again = landscape.normalized_direction(x, rows, torch.Generator().manual_seed(0))
    assert torch.equal(d, again)


def test_a_filter_of_zeros_stays_where_it_is():
    d = landscape.normalized_direction(
        torch.zeros(4), [slice(0, 4)], torch.Generator().manual_seed(0)
    )
    assert torch.equal(d, torch.zeros(4))


def test_a_plane_is_the_grid_of_single_evaluations(f):
    x = start("F0", [0])[0]
    table = landscape.plane(f, x, span=0.5, steps=3, seed=4)
    assert len(table) == 9 and sorted(set(table.a)) == [-0.5, 0, 0.5]
    assert table.query("a == 0 and b == 0").loss.item() == pytest.approx(float(f(x)), rel=1e-6)
    generator = torch.Generator().manual_seed(4)
    one, two = (
        landscape.normalized_direction(x, landscape.filter_rows(f.layout), generator)
        for _ in range(2)
    )
    corner = table.query("a == -0.5 and b == 0.5").iloc[0]
    assert corner.loss == pytest.approx(float(f(x - 0.5 * one + 0.5 * two)), rel=1e-5)


def test_a_plane_of_more_points_than_fit_in_one_go():
    one, two = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    table = landscape.plane(quadratic, torch.zeros(3), span=2, steps=9, directions=(one, two))
    assert len(table) == 81 and np.allclose(table.loss, table.a**2 + 2 * table.b**2, atol=1e-6)


@pytest.mark.parametrize(
    "call, says",
    [
        (
            lambda: landscape.line(quadratic, torch.zeros(3), torch.zeros(2), [0]),
            "a pair needs equal shapes",
        ),
        (
            lambda: landscape.line(quadratic, torch.zeros(3), torch.full((3,), torch.inf), [0]),
            "x_b has 3 entries that are not finite",
        ),
        (
            lambda: landscape.line(quadratic, torch.zeros(3), torch.zeros(3), []),
            "There are no alphas",
        ),
        (
            lambda: landscape.plane(quadratic, torch.zeros(3)),
            "Filter normalization needs an Objective",
        ),
        (
            lambda: landscape.plane(quadratic, torch.zeros(2, 3)),
            "a plane is drawn around one point",
        ),
    ],
)
def test_bad_input(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_point_of_the_wrong_length(f):
    with pytest.raises(
        ValueError, match=r"x_a has shape \(3,\); points of this function have shape \(40330,\)"
    ):
        landscape.line(f, torch.zeros(3), torch.zeros(3), [0])
