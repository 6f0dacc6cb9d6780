"""The numbers behind the pictures of chapter 3, at smoke size, against slow twins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

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
    line, curve = (landscapes.between(s, path=path).set_index(["seed", "alpha"]).loss for path in ("line", "curve"))
    for alpha in (0.0, 1.0):
        assert np.allclose(line.xs(alpha, level="alpha"), curve.xs(alpha, level="alpha"), rtol=1e-4)
    assert not np.isclose(line[0, -1.0], curve[0, -1.0], rtol=1e-2)


def test_normalized_rows_keep_the_ends_and_forget_their_lengths():
    x_b = symmetry.scale_rows("F0", experiments.minima(s)["LB"].x, 4.0)
    ends, way = (0.0, 1.0), (0.0, 0.5, 1.0)
    raw, raw_scaled = (landscapes.between(s, alphas=way, x_b=x).set_index(["seed", "alpha"]).loss for x in (None, x_b))
    even, even_scaled = (landscapes.between(s, alphas=way, x_b=x, weights="rows normalized").set_index(["seed", "alpha"]).loss
                         for x in (None, x_b))
    assert not np.isclose(raw[0, 0.5], raw_scaled[0, 0.5], rtol=1e-2)
    assert np.allclose(even, even_scaled, rtol=1e-3)
    for alpha in ends:
        for other in (raw_scaled, even, even_scaled):
            assert np.allclose(raw.xs(alpha, level="alpha"), other.xs(alpha, level="alpha"), rtol=1e-3)


def test_bends_of_two_parabolas():
    alpha = np.linspace(-1, 2, 25)
    table = pd.DataFrame({"seed": 0, "alpha": alpha, "loss": np.where(alpha < 0.5, 2 * alpha**2, 6 * (alpha - 1) ** 2)})
    found = landscapes.bends(table).loc[0]
    assert found.SB == pytest.approx(2 * 2 / 64) and found.LB == pytest.approx(2 * 6 / 64) and found.ratio == pytest.approx(3)


def test_distances_grow_from_the_start_and_end_at_the_minima():
    table, found = landscapes.distances(s), experiments.minima(s)
    for name, runs in found.items():
        last = table[table.run == name].groupby("seed").last()
        assert np.allclose(last.distance, (runs.x - runs.x0).norm(dim=1)) and np.array_equal(last.updates, runs.final.steps)
    way = table[(table.run == "SB") & (table.seed == 0)]
    assert way.distance.is_monotonic_increasing and way.updates.tolist() == [25, 50, 75]


def test_planes_and_slices_hold_their_minimum():
    found = experiments.minima(s)
    planes = landscapes.planes(s)
    middle = planes[(planes.a.abs() < 1e-12) & (planes.b.abs() < 1e-12)].set_index("run").loss
    slices = landscapes.slices(s, directions=1, ticks=(-0.5, 0.0, 0.5))
    for name, runs in found.items():
        assert middle[name] == pytest.approx(runs.final.train_loss.iloc[0], rel=1e-4)
        here = slices[(slices.run == name) & (slices.t == 0) & (slices.seed == 1)]
        assert np.allclose(here.loss, runs.final.train_loss.iloc[1], rtol=1e-4) and len(here) == 2
    far = slices[(slices.t == 0.5) & (slices.seed == 0)]
    assert far.loss.nunique() == 4
    x = found["SB"].x[:1]  # a slow twin of one raw step
    step = torch.randn(x.shape[1], generator=torch.Generator().manual_seed(0))
    wanted = float(s.main.objective()(x[0] + 0.5 * 15 * step / step.norm()))
    assert far[(far.run == "SB") & (far.kind == "raw")].loss.item() == pytest.approx(wanted, rel=1e-4)


def test_bad_names():
    with pytest.raises(UnknownName, match="line"):
        landscapes.between(s, path="lime")
    with pytest.raises(UnknownName, match="rows normalized"):
        landscapes.between(s, weights="row normalized")
