"""The curves of the paper's figures, read off their vector graphics."""

from __future__ import annotations

import functools
import json
from importlib import resources

import pandas as pd

from labsupport.errors import choose
from labsupport.paper.networks import with_datasets

#: What runs along each figure's horizontal axis.
AXES = {2: "epoch", 3: "alpha", 4: "batch_size", 5: "epoch", 6: "loss"}
_POINTS = {  # Figures 4 and 6: a few points of C1's curves, {(figure, network, name): (x, value)}
    (4, "C1", "test_accuracy"): (
        [100, 256, 500, 1000, 2000, 5000],
        [79.1, 79.2, 78.0, 77.8, 76.8, 75.7],
    ),
    (4, "C1", "sharpness_1e-3"): ([100, 256, 500, 1000, 2000, 5000], [4, 14, 54, 205, 515, 631]),
    (6, "C1", "SB_sharpness_1e-3"): ([1.19, 0.18, 0.03], [68, 32, 5]),
    (6, "C1", "LB_sharpness_1e-3"): ([1.79, 0.53, 0.04], [50, 302, 760]),
}
_NAMES = {  # names in the file -> names here
    "train_acc": "train_accuracy",
    "test_acc": "test_accuracy",
    "SB_train": "SB_train_accuracy",
    "LB_train": "LB_train_accuracy",
    "SB_test": "SB_test_accuracy",
    "LB_test": "LB_test_accuracy",
    "piggyback_test": "LB_test_accuracy",  # accuracy of the LB run that starts from the SB iterate
    "sharp_1e-3": "sharpness_1e-3",
    "sharp_5e-4": "sharpness_5e-4",
}


@functools.cache
def _file() -> dict:
    return json.loads(
        (resources.files("labsupport") / "results" / "paper-figures.json").read_text(
            encoding="utf-8"
        )
    )


@functools.cache
def _curves() -> dict[tuple[int, str, str], tuple[list, list]]:
    found = {}
    for key, (x, value) in ((k, v) for k, v in _file().items() if k != "about"):
        number, network, name = key.split(".")
        found[int(number.removeprefix("fig")), network, _NAMES.get(name, name)] = (x, value)
    return found | _POINTS


def about() -> str:
    """How the curves of Figures 2, 3 and 5 were digitized, and how far to trust them; from the file that holds them."""
    return _file()["about"]


def figure(number: int) -> pd.DataFrame:
    """All digitized curves of one figure, in long form: network, dataset, name, the horizontal axis, value.

    2: (SB, LB)_(train, test)_accuracy along training, percent; F2 and C1, by ``epoch``.
    3: (train, test)_(loss, accuracy) on the line from an SB minimum (alpha 0) to an LB one (alpha 1); by ``alpha``.
    4: test_accuracy and sharpness_1e-3 after 100 epochs, percent; C1, six points, by ``batch_size``.
    5: SB_test_accuracy, and LB_test_accuracy and sharpness_(1e-3, 5e-4) after 100 epochs of LB from each SB iterate,
    percent; F2 and C1, by ``epoch`` of the SB run.
    6: (SB, LB)_sharpness_1e-3 against the training loss, percent; C1, three points each, by ``loss``.

    Losses are mean cross-entropies in nats; the authors' are capped at 16.1 by Keras, PyTorch's are not. Figure 5's
    legend prints 5E-3 where 5E-4 must be meant. Raises UnknownName for a figure that was not digitized.

    >>> figure(4).query("name == 'sharpness_1e-3' and batch_size == 256")["value"].tolist()
    [14.0]
    """
    choose("digitized figure", number, AXES)
    rows = [
        pd.DataFrame(
            {"network": network, "name": name, AXES[number]: x, "value": [float(v) for v in value]}
        )
        for (its, network, name), (x, value) in _curves().items()
        if its == number
    ]
    return with_datasets(pd.concat(rows, ignore_index=True))


def curve(number: int, network: str, name: str) -> pd.DataFrame:
    """One digitized curve: the horizontal axis (see `figure`) and ``value``.

    Raises
    ------
    UnknownName
        A figure, network or name that was not digitized, with the nearest valid one.

    >>> curve(3, "C1", "test_accuracy").query("alpha in [0, 1]")["value"].tolist()      # the SB and the LB minimum
    [80.52, 77.26]
    """
    table = figure(number)
    choose(f"network of Figure {number}", network, table.network.unique())
    table = table[table.network == network]
    choose(f"curve of Figure {number}", name, table.name.unique())
    return table.loc[table.name == name, [AXES[number], "value"]].reset_index(drop=True)
