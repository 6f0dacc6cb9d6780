"""What two replies to the paper print."""

from __future__ import annotations

import pandas as pd

from labsupport.paper.networks import with_datasets


def hoffer() -> pd.DataFrame:
    """Test accuracy (percent, printed) in Hoffer et al. 2017, "Train longer, generalize better".

    Columns: network, dataset, method, value. The networks are Keskar's. Methods, each added to the one
    before: SB; LB; +LR, the rate times sqrt(B_LB / B_SB); +GBN, ghost batch norm of 128 samples; +RA,
    regime adaptation, as many updates as SB.

    >>> hoffer().query("network == 'C1'").set_index("method")["value"].to_dict()["+RA"]
    88.2
    """
    published = {
        "F1": [98.27, 97.05, 97.55, 97.60, 98.53],
        "C1": [87.80, 83.95, 86.15, 86.4, 88.20],
        "C3": [61.25, 51.50, 57.38, 57.5, 63.20],
    }
    methods = ["SB", "LB", "+LR", "+GBN", "+RA"]
    return with_datasets(
        pd.DataFrame(
            [
                {"network": network, "method": method, "value": value}
                for network, row in published.items()
                for method, value in zip(methods, row)
            ]
        )
    )


def goyal() -> pd.DataFrame:
    """ImageNet error of ResNet-50 (percent, printed) in Goyal et al. 2017: batch_size, method, mean, std.

    Warm-up is gradual, over 5 epochs; both large-batch runs scale the rate linearly. The std without
    warm-up is NaN here.

    >>> goyal().set_index("method")["mean"].to_dict()["linear scaling, gradual warm-up"]
    23.74
    """
    return pd.DataFrame(
        {
            "batch_size": [256, 8192, 8192],
            "method": ["baseline", "linear scaling, gradual warm-up", "linear scaling, no warm-up"],
            "mean": [23.60, 23.74, 24.84],
            "std": [0.12, 0.09, float("nan")],
        }
    )
