"""The walk from one minimum to another, at smoke size, against slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from labsupport import experiments, settings, symmetry
from labsupport.errors import UnknownName
from labsupport.experiments import landscapes

pytestmark = pytest.mark.usefixtures("smoke")
s = settings.TABLE["smoke"]


def test_between_is_the_loss_at_the_mixed_weights():
    found, f, g = experiments.minima(s), s.main.objective(), s.main.objective("test")
    table = landscapes.between(s, splits=("train", "test"))
    assert len(table) == 2 * 25 * 2 and set(table.split) == {"train", "test"}
    x_sb, x_lb = found["SB"].x[1], found["LB"].x[1]
    for split, function in (("train", f), ("test", g)):
        rows = table[(table.seed == 1) & (table.split == split)]
        wanted = [float(function(x_sb + alpha * (x_lb - x_sb))) for alpha in rows.alpha]
        assert np.allclose(rows.loss, wanted, rtol=1e-4)


def test_a_curve_passes_the_same_two_minima():
    line, curve = (
        landscapes.between(s, path=path).set_index(["seed", "alpha"]).loss
        for path in ("line", "curve")
    )
    for alpha in (0.0, 1.0):
        assert np.allclose(line.xs(alpha, level="alpha"), curve.xs(alpha, level="alpha"), rtol=1e-4)
    assert not np.isclose(line[0, -1.0], curve[0, -1.0], rtol=1e-2)


def test_normalized_rows_keep_the_ends_and_forget_their_lengths():
    x_b = symmetry.scale_rows("F0", experiments.minima(s)["LB"].x, 4.0)
    ends, way = (0.0, 1.0), (0.0, 0.5, 1.0)
    raw, raw_scaled = (
        landscapes.between(s, alphas=way, x_b=x).set_index(["seed", "alpha"]).loss
        for x in (None, x_b)
    )
    even, even_scaled = (
        landscapes.between(s, alphas=way, x_b=x, weights="rows normalized")
        .set_index(["seed", "alpha"])
        .loss
        for x in (None, x_b)
    )
    assert not np.isclose(raw[0, 0.5], raw_scaled[0, 0.5], rtol=1e-2)
    assert np.allclose(even, even_scaled, rtol=1e-3)
    for alpha in ends:
        for other in (raw_scaled, even, even_scaled):
            assert np.allclose(
                raw.xs(alpha, level="alpha"), other.xs(alpha, level="alpha"), rtol=1e-3
            )


def test_bad_names():
    with pytest.raises(UnknownName, match="line"):
        landscapes.between(s, path="lime")
    with pytest.raises(UnknownName, match="rows normalized"):
        landscapes.between(s, weights="row normalized")
