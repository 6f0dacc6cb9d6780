"""The published numbers, against values copied from the paper by another hand."""

import json
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from labsupport import Problem, data, networks, paper
from labsupport.errors import UnknownName


def test_every_table_has_all_six_networks_and_no_holes():
    for table, rows in ((paper.table2(), 24), (paper.table3(), 24), (paper.table4(), 24)):
        assert len(table) == rows and set(table.network) == set(paper.NETWORKS)
        assert table.notna().all().all() and set(table.batch) == {"SB", "LB"}


def test_every_table_can_be_joined_with_ours_by_network_and_data_set():
    tables = [
        paper.table1(),
        paper.table2(),
        paper.table3(),
        paper.table4(),
        paper.appendix_e(),
        paper.hoffer(),
        paper.figure(3),
    ]
    for table in tables:
        assert table.columns[:2].tolist() == ["network", "dataset"] and set(table.dataset) <= set(
            data.NAMES
        )
        for network, found in table.groupby("network"):
            assert found.dataset.unique().tolist() == [networks.REGISTRY[network].dataset]


def test_a_table_of_ours_joined_with_table_3_stands_beside_the_published_value():
    ours = pd.DataFrame(
        [
            {
                **Problem("C1", "cifar10", 10_000).names,
                "batch": "LB",
                "epsilon": 1e-3,
                "sharpness": 500.0,
            }
        ]
    )
    beside = ours.merge(paper.table3(), on=["network", "dataset", "batch", "epsilon"])
    assert beside["mean"].tolist() == [707.23] and beside.sharpness.tolist() == [500.0]


@pytest.mark.parametrize(
    "network, split, batch, mean, std",
    [
        ("F1", "train", "LB", 99.92, 0.01),
        ("F2", "test", "LB", 59.45, 1.05),
        ("C3", "train", "SB", 99.56, 0.44),
        ("C4", "test", "SB", 63.08, 0.5),
    ],
)
def test_table2(network, split, batch, mean, std):
    row = (
        paper.table2().query("network == @network and split == @split and batch == @batch").iloc[0]
    )
    assert (row["mean"], row["std"]) == (mean, std)


def test_table2_says_that_large_batches_fit_the_training_set_better_on_three_and_tie_on_one():
    """So what small batches win is test accuracy."""
    wide = (
        paper.table2()
        .pivot(index=["network", "split"], columns="batch", values="mean")
        .reset_index()
    )
    train = wide[wide.split == "train"].set_index("network")
    assert (
        set(train.index[train.LB > train.SB]) == {"F1", "C3", "C4"}
        and train.LB["C2"] == train.SB["C2"]
    )
    test = wide[wide.split == "test"]
    assert (test.SB > test.LB).all()


@pytest.mark.parametrize(
    "table, ratios",
    [
        (paper.table3, {"F1": 167, "F2": 223, "C1": 25, "C2": 107, "C3": 8.7, "C4": 33}),
        (paper.table4, {"F1": 84, "F2": 81, "C1": 63, "C2": 26, "C3": 14, "C4": 12}),
    ],
)
def test_ratios_of_sharpness_at_the_wider_box(table, ratios):
    wide = table().query("epsilon == 1e-3").pivot(index="network", columns="batch", values="mean")
    for network, ratio in ratios.items():
        assert wide.LB[network] / wide.SB[network] == pytest.approx(ratio, abs=0.5)


def test_ratios_of_the_two_boxes_are_no_parabola():
    wide = paper.table3().pivot(index=["network", "batch"], columns="epsilon", values="mean")
    both = [
        wide,
        paper.table4().pivot(index=["network", "batch"], columns="epsilon", values="mean"),
    ]
    found = np.concatenate([(table[1e-3] / table[5e-4]).to_numpy() for table in both])
    assert found.min() == pytest.approx(1.01, abs=0.01) and found.max() == pytest.approx(
        5.8, abs=0.01
    )


def test_appendix_e():
    table = paper.appendix_e()
    assert len(table) == 4 * 4 + 6 * 3
    accuracy = table[table.quantity == "test_accuracy"]
    assert accuracy.epsilon.isna().all()
    sharp = table.query("network == 'F2' and remedy == 'conservative' and epsilon == 5e-4").iloc[0]
    assert (sharp["mean"], sharp["std"]) == (190.77, 25.33)
    assert set(table[table.remedy == "augmented"].network) == {"C1", "C2", "C3", "C4"}


@pytest.mark.parametrize(
    "network, sb, lb",
    [
        ("F1", 98.37, 98.12),
        ("F2", 66.32, 61.03),
        ("C1", 80.52, 77.26),
        ("C2", 89.80, 89.17),
        ("C3", 48.26, 44.25),
        ("C4", 63.73, 64.31),
    ],
)
def test_figure_3_at_both_ends(network, sb, lb):
    found = paper.curve(3, network, "test_accuracy").set_index("alpha").value
    assert len(found) == 25 and (found[0.0], found[1.0]) == (sb, lb)


@pytest.mark.parametrize("network, sb, lb", [("F2", 64.7, 60.8), ("C1", 80.3, 77.1)])
def test_figure_2_at_its_end(network, sb, lb):
    last = [
        paper.curve(2, network, f"{batch}_test_accuracy").set_index("epoch").value[99]
        for batch in ("SB", "LB")
    ]
    assert last == pytest.approx([sb, lb], abs=0.06)


def test_figure_4_and_6_are_the_dossiers_points():
    assert paper.curve(4, "C1", "test_accuracy").value.tolist() == [
        79.1,
        79.2,
        78.0,
        77.8,
        76.8,
        75.7,
    ]
    assert paper.curve(6, "C1", "LB_sharpness_1e-3").values.tolist() == [
        [1.79, 50],
        [0.53, 302],
        [0.04, 760],
    ]


def test_figure_5_falls_from_532():
    phi = paper.curve(5, "C1", "sharpness_1e-3")
    assert phi.value.iloc[0] == 532 and phi.value.min() < 1
    assert paper.curve(5, "F2", "LB_test_accuracy").value.iloc[[0, -1]].tolist() == pytest.approx(
        [60.4, 66.8], abs=0.05
    )


def test_every_curve_of_the_file_can_be_had():
    stored = json.loads(
        (resources.files("labsupport") / "results" / "paper-figures.json").read_text(
            encoding="utf-8"
        )
    )
    count = sum(len(paper.figure(number).groupby(["network", "name"])) for number in (2, 3, 5))
    assert count == len(stored) - 1
    assert "digitised" in paper.about() and paper.figure(3).notna().all().all()


def test_replies():
    assert paper.hoffer().query("network == 'F1' and method == '+RA'").value.item() == 98.53
    assert paper.goyal()["mean"].tolist() == [23.60, 23.74, 24.84]


def test_a_table_that_a_reader_changes_is_whole_again_next_time():
    for table in (changed := paper.table2(), figure := paper.figure(3)):
        table.iloc[:, -1] = 0.0
    assert changed["std"].max() == figure["value"].max() == 0
    assert paper.table2()["std"].min() > 0 and paper.figure(3)["value"].max() > 0


def test_unknown_figures_networks_and_names():
    with pytest.raises(UnknownName, match="Known: 2, 3, 4, 5, 6"):
        paper.figure(1)
    with pytest.raises(UnknownName, match="Known: F2, C1"):
        paper.curve(2, "F1", "SB_test_accuracy")
    with pytest.raises(UnknownName, match="Did you mean 'test_loss'"):
        paper.curve(3, "C1", "tets_loss")
