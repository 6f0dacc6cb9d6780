"""Who is trained on what, and how: the protocol of Keskar et al. 2017, section 2 and appendix B, at four scales.

Adam at its default rate, no weight decay, no schedule; small batches of 256, large ones of a tenth
of the data; both from the same starting points. F2, whose epochs are the longest, has small batches
of 512 here, where the paper says 256. The paper stops "when the loss stops improving"; here that is
`STOP`, except where that takes a processor days: at the scale ``small``, and for convolutional
networks at ``reduced``, trainings stop at one loss, `LOSS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from labsupport.arguments import whole_number
from labsupport.errors import choose
from labsupport.problem import Problem
from labsupport.recipe import Recipe

SCALES = ("paper", "reduced", "small", "smoke")
#: {network: the data it learns here}. The paper's F2 learns TIMIT, which needs a license.
DATA = {
    "F1": "mnist",
    "F2": "fsdd",
    "C1": "cifar10",
    "C2": "cifar10",
    "C3": "cifar100",
    "C4": "cifar100",
}
#: Other data that a network may be asked to learn, as NETWORK/DATA.
ALSO = {"F1": ("fashion_mnist",), "F2": ("timit",)}
#: "The loss stops improving": in ten epochs the mean loss of the batches has not fallen one percent below its best.
STOP = (10, 0.01)
#: Where `STOP` would take too long, both batch sizes stop at this training loss, in nats: half the epochs or fewer,
#: and ends that compare.
LOSS = 0.01
#: Epochs at most, whatever the loss does: as many as the paper's figures show.
EPOCHS = 100
BATCHES = ("SB", "LB")
#: Records along a training; a tenth of the epochs where it stops at `LOSS`, for there the test set takes as long as
#: an epoch.
RECORDS, FEW_RECORDS = 40, 10


@dataclass(frozen=True)
class Arm:
    """One network, one way to train it: a row of Table 2 before its seeds. ``batch`` is SB or LB."""

    problem: Problem
    batch: str
    recipe: Recipe


def named(wish: str) -> tuple[str, str]:
    """(network, data set) of a wish such as ``F1`` or ``F1/fashion_mnist``.

    Raises UnknownName, with the nearest valid name.

    >>> named("F1/fashion_mnist"), named("C3")
    (('F1', 'fashion_mnist'), ('C3', 'cifar100'))
    """
    network, _, dataset = wish.partition("/")
    choose("network of the paper", network, DATA)
    if not dataset:
        return network, DATA[network]
    return network, choose(
        f"data set of {network}", dataset, (DATA[network], *ALSO.get(network, ()))
    )


def label(network: str, dataset: str, train_size: float | None) -> str:
    """How a run is named in tables and figures; ``train_size`` is None or NaN for all samples.

    >>> label("F1", "mnist", None), label("F1", "fashion_mnist", 2500.0)
    ('F1, all', 'F1/fashion_mnist, 2,500')
    """
    wish = network if DATA.get(network) == dataset else f"{network}/{dataset}"
    every = train_size is None or math.isnan(train_size)
    return f"{wish}, all" if every else f"{wish}, {train_size:,.0f}"


def problem(wish: str, scale: str) -> Problem:
    """The problem at a scale: all training samples, 10,000 of them (20,000 frames of speech), a
    quarter of that, or a hundred and sixty.
    """
    choose("scale", scale, SCALES)
    network, dataset = named(wish)
    most = 20_000 if network == "F2" else 10_000
    cut = {"paper": None, "reduced": most, "small": most // 4, "smoke": 160}
    return Problem(network, dataset, cut[scale])


def sizes(wish: str, scale: str) -> dict[str, int]:
    """{"SB": batch size, "LB": batch size}; LB is a tenth of all samples, as in the paper. A cut keeps the updates
    of an epoch, so `small` has a quarter of `reduced`'s batches.
    """
    network, _ = named(wish)
    if scale == "smoke":
        return {"SB": 20, "LB": 80}
    if scale in ("reduced", "small"):
        part = 4 if scale == "small" else 1
        small, large = (128, 2_000) if network == "F2" else (64, 1_000)
        return {"SB": small // part, "LB": large // part}
    total = len(problem(wish, scale).load("cpu").y_train)
    return {"SB": 512 if network == "F2" else 256, "LB": total // 10}


def to_a_loss(wish: str, scale: str) -> bool:
    """Whether a network's trainings at a scale stop at `LOSS`, not when the loss stops improving."""
    return scale == "small" or scale == "reduced" and named(wish)[0].startswith("C")


def records(wish: str, scale: str) -> int:
    """How often accuracies are noted along a training."""
    return FEW_RECORDS if to_a_loss(wish, scale) else RECORDS


def recipe(wish: str, batch: str, scale: str, batch_size: int | None = None, **changes) -> Recipe:
    """Adam until the loss stops improving, or to a training loss (see `to_a_loss`); at smoke scale two epochs.

    ``batch_size`` is the scale's own of ``batch``, SB or LB, unless one is given.
    """
    choose("batch", batch, BATCHES)
    if batch_size is None:
        batch_size = sizes(wish, scale)[batch]
    whole_number("batch_size", batch_size, least=1)
    if scale == "smoke":
        return Recipe(batch_size, epochs=2, **changes)
    if to_a_loss(wish, scale):
        return Recipe(batch_size, epochs=EPOCHS, stop_loss=LOSS, **changes)
    return Recipe(batch_size, epochs=EPOCHS, stop_plateau=STOP, **changes)


def arms(wish: str, scale: str) -> dict[str, Arm]:
    """{"SB": Arm, "LB": Arm} of a network at a scale."""
    its = problem(wish, scale)
    return {
        batch: Arm(its, batch, recipe(wish, batch, scale, size))
        for batch, size in sizes(wish, scale).items()
    }
