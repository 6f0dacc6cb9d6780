"""How the cost grows: with the seeds S, the parameters n, the samples N and the batch size B."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import pandas as pd

from benchmarks.pairs import clock
from labsupport import data, networks, training
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.sharpness import sharpness

#: {panel: (label of the horizontal axis, label of the vertical axis, takeaway)}
PANELS = {
    "S": ("seeds trained together, S", "ms a step", "Seeds share the fixed cost of a step"),
    "B": ("batch size, B", "ms a step", "The batch costs little until it is large"),
    "n": ("parameters, n", "ms an evaluation", "An evaluation grows with the parameters"),
    "N": ("samples, N", "ms an evaluation", "An evaluation grows with the data"),
}
STEPS, REPEATS = 60, 5


def middle(function: Callable[[], object]) -> float:
    """Median milliseconds of some calls, after one to warm up."""
    function()
    return 1000 * statistics.median(clock(function) for _ in range(REPEATS))


def step(seeds: int, batch: int) -> float:
    """Milliseconds of one training step of F0 for so many seeds: two lengths of training, so that
    the start-up cancels.
    """
    dataset = data.load("mnist1d")

    def run(steps: int) -> None:
        training.train(
            Problem("F0", dataset), Recipe(batch, steps=steps), seeds, records=0, progress=False
        )

    return max(0.0, middle(lambda: run(2 * STEPS)) - middle(lambda: run(STEPS))) / STEPS


def evaluation(width: int, samples: int) -> tuple[int, float, float]:
    """n; milliseconds of one evaluation of ``strong``, and of the loss and its gradient alone."""
    dataset = data.load("mnist1d", train_size=samples)
    network = networks.fully_connected(40, width, 3)(10)  # F0 has a width of 128
    x = training.start(network, [0]).to(dataset.device)
    f = Objective(network, dataset.x_train, dataset.y_train)
    alone = middle(lambda: f.value_and_gradient(x))
    more, fewer = (middle(lambda k=k: sharpness(f, x, iterations=k, starts=1)) for k in (24, 4))
    return f.n, (more - fewer) / 20, alone


def table() -> pd.DataFrame:
    """panel (of `PANELS`), curve, x, milliseconds."""
    rows = []
    for batch in (32, 400):
        rows += [
            ("S", f"batches of {batch}", seeds, step(seeds, batch)) for seeds in (1, 2, 5, 10, 20)
        ]
    for seeds in (1, 5):
        rows += [
            ("B", f"{seeds} seed{'s' * (seeds > 1)}", batch, step(seeds, batch))
            for batch in (8, 32, 128, 512, 2000)
        ]
    for panel, cases in (
        ("n", [(width, 4000) for width in (32, 64, 128, 256, 512, 1024)]),
        ("N", [(128, samples) for samples in (250, 500, 1000, 2000, 4000)]),
    ):
        for width, samples in cases:
            n, searched, alone = evaluation(width, samples)
            at = n if panel == "n" else samples
            rows += [
                (panel, "one step of the search", at, searched),
                (panel, "the loss and its gradient", at, alone),
            ]
    return pd.DataFrame(rows, columns=["panel", "curve", "x", "milliseconds"])


#: Their makers' rates for float32 products, in operations a second, and their memories, in bytes.
GPUS = {"a T4": (8.1e12, 16e9), "an H100": (67e12, 80e9)}
#: Bytes that a sample of 40 numbers and a label takes; and a parameter, in a dozen vectors of a training and a search.
A_SAMPLE, A_PARAMETER = 168, 48
#: One seed of the chapters' small-batch recipe, and one search of its sharpness in evaluations.
EPOCHS, BATCH, SAMPLES, EVALUATIONS = 80, 32, 4_000, 50


def hour(found: pd.DataFrame, core_rate: float) -> pd.DataFrame:
    """How many seeds, samples and parameters fit in an hour, from `table`: question, machine, answer, measured.

    A seed is trained by small batches for the chapters' number of epochs, and its sharpness is
    searched once. One process a core, each as fast as if alone. A step grows with the samples and
    the parameters as an evaluation does: in a straight line beyond the largest measured.
    ``core_rate`` is one core's, in operations a second.
    """
    steps = (
        found[(found.panel == "S") & (found.curve == "batches of 32")].set_index("x").milliseconds
    )
    step = steps[5] / 5
    search = found[found.curve == "one step of the search"].sort_values("x")
    by_n, by_samples = (search[search.panel == panel].set_index("x").milliseconds for panel in "nN")
    evaluation_of_f0 = by_samples[SAMPLES]
    seed = step * EPOCHS * SAMPLES / BATCH + evaluation_of_f0 * EVALUATIONS  # milliseconds
    a_sample = seed / SAMPLES
    (small, large), (quick, slow) = by_n.index[-2:], by_n.iloc[-2:]
    a_parameter = seed / evaluation_of_f0 * (slow - quick) / (large - small)
    rows = []
    for machine, (processes, speed, memory, measured) in _machines(core_rate).items():
        budget = 3_600_000 * speed
        rows += [
            ("seeds of F0 on 4,000 samples", machine, processes * budget / seed, measured),
            (
                "samples for one seed of F0 a process",
                machine,
                min(budget / a_sample, memory / A_SAMPLE),
                measured,
            ),
            (
                "parameters for one seed on 4,000 samples a process",
                machine,
                min(budget / a_parameter, memory / A_PARAMETER),
                measured,
            ),
        ]
    return pd.DataFrame(rows, columns=["question", "machine", "answer", "measured"])


def _machines(core_rate: float) -> dict[str, tuple[int, float, float, bool]]:
    """{name: (processes, speed of each against one core of ours, memory in bytes, whether that is measured)}"""
    found = {"2 cores": (2, 1.0, math.inf, True), "16 cores": (16, 1.0, math.inf, False)}
    return found | {
        name: (1, rate / core_rate, memory, False) for name, (rate, memory) in GPUS.items()
    }


def draw(found: pd.DataFrame, title: str):
    """Four panels, both axes logarithmic."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator

    from labsupport import plots

    plots.use_style()
    figure, axes = plt.subplots(2, 2, figsize=(8, 6.4))
    for ax, (panel, (xlabel, ylabel, takeaway)) in zip(axes.flat, PANELS.items()):
        for marker, (curve, rows) in zip(
            "os", found[found.panel == panel].groupby("curve", sort=False)
        ):
            ax.loglog(rows.x, rows.milliseconds, marker=marker, label=curve)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        if panel != "n":
            places = sorted(found[found.panel == panel].x.unique())
            ax.set_xticks(places, [str(place) for place in places])
        ax.set_title(takeaway, fontsize=10)
        ax.legend(loc="upper left" if panel in "SB" else "lower right", fontsize=9)
    figure.suptitle(title, fontsize=10)
    return figure
