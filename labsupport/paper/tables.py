"""The numbers that stand in the paper's tables and text, printed."""

from __future__ import annotations

import pandas as pd

from labsupport.paper.networks import with_datasets

#: ||x_SB - x0|| / ||x_LB - x0|| lies between these two (the paper's text, printed).
DISTANCE_RATIO = (3, 10)


def table1() -> pd.DataFrame:
    """The six networks (Table 1 and appendix B, printed): network, dataset, samples, batch sizes, layers, parameters.

    ``parameters`` counts weights, biases, and batch norm's scale and shift. C1 and C3 follow the authors'
    code, since the stride printed in appendix B.3 gives another network. Large batches are a tenth of the data.

    >>> table1().set_index("network").parameters.to_dict()["F1"]
    1462794
    """
    shallow = "2 x [conv 5x5x64, BN, ReLU, max-pool 3x3 stride 2], 384, 192 [BN, ReLU, dropout .5]"
    deep = "3x3 convs 2x64, 2x128, 3x256, 3x512, 3x512 [BN, ReLU], max-pool 2 after each stack, 512"
    rows = [
        ("F1", 60_000, 10_000, 10, 256, 6_000, "5 x [512, BN, ReLU]", 1_462_794),
        ("F2", 721_329, 310_621, 1_973, 256, 72_133, "7 x [512, BN, ReLU]", 2_780_085),
        ("C1", 50_000, 10_000, 10, 256, 5_000, shallow, 1_757_834),
        ("C2", 50_000, 10_000, 10, 256, 5_000, deep, 14_991_946),
        ("C3", 50_000, 10_000, 100, 256, 5_000, shallow, 1_775_204),
        ("C4", 50_000, 10_000, 100, 256, 5_000, deep, 15_038_116),
    ]
    columns = [
        "network",
        "train_size",
        "test_size",
        "classes",
        "small_batch",
        "large_batch",
        "layers",
        "parameters",
    ]
    return with_datasets(pd.DataFrame(rows, columns=columns))


def table2() -> pd.DataFrame:
    """Accuracy of small and large batches (Table 2, printed, percent).

    Columns: network, dataset, batch (SB, LB), split, mean, std.

    >>> t = table2()
    >>> t[(t.network == "F1") & (t.split == "test")]["mean"].tolist()            # SB, LB
    [98.03, 97.81]
    """
    published = {  # train SB, train LB, test SB, test LB
        "F1": [(99.66, 0.05), (99.92, 0.01), (98.03, 0.07), (97.81, 0.07)],
        "F2": [(99.99, 0.03), (98.35, 2.08), (64.02, 0.2), (59.45, 1.05)],
        "C1": [(99.89, 0.02), (99.66, 0.2), (80.04, 0.12), (77.26, 0.42)],
        "C2": [(99.99, 0.04), (99.99, 0.01), (89.24, 0.12), (87.26, 0.07)],
        "C3": [(99.56, 0.44), (99.88, 0.30), (49.58, 0.39), (46.45, 0.43)],
        "C4": [(99.10, 1.23), (99.57, 1.84), (63.08, 0.5), (57.81, 0.17)],
    }
    columns = [("train", "SB"), ("train", "LB"), ("test", "SB"), ("test", "LB")]
    return with_datasets(
        pd.DataFrame(
            [
                {"network": network, "batch": batch, "split": split, "mean": mean, "std": std}
                for network, row in published.items()
                for (split, batch), (mean, std) in zip(columns, row)
            ]
        )
    )


def _sharpness(published: dict) -> pd.DataFrame:
    columns = [("SB", 1e-3), ("LB", 1e-3), ("SB", 5e-4), ("LB", 5e-4)]
    return with_datasets(
        pd.DataFrame(
            [
                {"network": network, "batch": batch, "epsilon": epsilon, "mean": mean, "std": std}
                for network, row in published.items()
                for (batch, epsilon), (mean, std) in zip(columns, row)
            ]
        )
    )


def table3() -> pd.DataFrame:
    """Sharpness in full space (Table 3, printed, percent, Metric 2.1).

    Columns: network, dataset, batch (SB, LB), epsilon, mean, std.

    >>> t = table3().query("network == 'C1' and epsilon == 1e-3").set_index("batch")["mean"]
    >>> round(t["LB"] / t["SB"])                                                  # compare ratios, not values
    25
    """
    return _sharpness(
        {
            "F1": [(1.23, 0.83), (205.14, 69.52), (0.61, 0.27), (42.90, 17.14)],
            "F2": [(1.39, 0.02), (310.64, 38.46), (0.90, 0.05), (93.15, 6.81)],
            "C1": [(28.58, 3.13), (707.23, 43.04), (7.08, 0.88), (227.31, 23.23)],
            "C2": [(8.68, 1.32), (925.32, 38.29), (2.07, 0.86), (175.31, 18.28)],
            "C3": [(29.85, 5.98), (258.75, 8.96), (8.56, 0.99), (105.11, 13.22)],
            "C4": [(12.83, 3.84), (421.84, 36.97), (4.07, 0.87), (109.35, 16.57)],
        }
    )


def table4() -> pd.DataFrame:
    """Sharpness in random manifolds of 100 dimensions (Table 4, printed, percent); the columns of `table3`.

    >>> table4().query("network == 'F1' and batch == 'LB'")["mean"].tolist()      # hardly moves with epsilon
    [9.22, 9.17]
    """
    return _sharpness(
        {
            "F1": [(0.11, 0.00), (9.22, 0.56), (0.05, 0.00), (9.17, 0.14)],
            "F2": [(0.29, 0.02), (23.63, 0.54), (0.05, 0.00), (6.28, 0.19)],
            "C1": [(2.18, 0.23), (137.25, 21.60), (0.71, 0.15), (29.50, 7.48)],
            "C2": [(0.95, 0.34), (25.09, 2.61), (0.31, 0.08), (5.82, 0.52)],
            "C3": [(17.02, 2.20), (236.03, 31.26), (4.03, 1.45), (86.96, 27.39)],
            "C4": [(6.05, 1.13), (72.99, 10.96), (1.89, 0.33), (19.85, 4.12)],
        }
    )


def appendix_e() -> pd.DataFrame:
    """Attempts to rescue large batches (appendix E, printed, percent).

    Columns: network; dataset; remedy (augmented, conservative); batch (SB, LB); quantity (test_accuracy,
    sharpness); epsilon, NaN for accuracies; mean; std. Sharpness is given for LB only, augmentation for
    the convolutional networks only.
    *Augmented* is flips, rotations up to 10 degrees and shifts up to a fifth of the size. *Conservative* is
    lambda = 1e-3 and three ADAM steps a batch. Augmented C2 and C4 LB and conservative F1 LB beat SB, still sharp.

    >>> e = appendix_e().query("network == 'C2' and remedy == 'augmented' and quantity == 'test_accuracy'")
    >>> dict(zip(e.batch, e["mean"]))
    {'SB': 89.82, 'LB': 90.26}
    """
    augmented = {  # accuracy SB, accuracy LB, LB's sharpness at 1e-3 and 5e-4
        "C1": [(83.63, 0.14), (82.50, 0.67), (231.77, 30.50), (45.89, 3.83)],
        "C2": [(89.82, 0.12), (90.26, 1.15), (468.65, 47.86), (105.22, 19.57)],
        "C3": [(54.55, 0.44), (53.03, 0.33), (103.68, 11.93), (37.67, 3.46)],
        "C4": [(63.05, 0.5), (65.88, 0.13), (271.06, 29.69), (45.31, 5.93)],
    }
    conservative = {  # LB: accuracy, sharpness at 1e-3 and 5e-4
        "F1": [(98.12, 0.01), (232.25, 63.81), (46.02, 12.58)],
        "F2": [(61.94, 1.10), (928.40, 51.63), (190.77, 25.33)],
        "C1": [(78.41, 0.22), (520.34, 34.91), (171.19, 15.13)],
        "C2": [(88.495, 0.63), (632.01, 208.01), (108.88, 47.36)],
        "C3": [(45.98, 0.54), (337.92, 33.09), (110.69, 3.88)],
        "C4": [(62.51, 0.67), (354.94, 20.23), (68.76, 16.29)],
    }
    large = [("LB", "test_accuracy", None), ("LB", "sharpness", 1e-3), ("LB", "sharpness", 5e-4)]
    tables = [
        ("augmented", augmented, [("SB", "test_accuracy", None), *large]),
        ("conservative", conservative, large),
    ]
    return with_datasets(
        pd.DataFrame(
            [
                {
                    "network": network,
                    "remedy": remedy,
                    "batch": batch,
                    "quantity": quantity,
                    "epsilon": epsilon,
                    "mean": mean,
                    "std": std,
                }
                for remedy, published, columns in tables
                for network, row in published.items()
                for (batch, quantity, epsilon), (mean, std) in zip(columns, row)
            ]
        ).astype({"epsilon": float})
    )
