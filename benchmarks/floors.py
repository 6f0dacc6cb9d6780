"""What each operation of a training step takes by itself, on one core: ``python -m benchmarks.floors``.

The sum of the products and of the optimizer's kernel is a floor: no program that calls this library's kernels is below.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pandas as pd
import torch

from benchmarks import limits
from labsupport import data, training
from labsupport.engine import threads
from labsupport.objective import Objective
from labsupport.recipe import Recipe
from labsupport.training.step import Stepper

ROUNDS, CALLS = 40, 30
#: What stands on the page: network, data, batch size, seeds.
STEPS = (("F0", "mnist1d", 32, 5), ("F1", "mnist", 256, 1))
STEP, REST = "the step", "the rest: Python, views, a cache that others fill"
#: The products of a step, if they ran at the rate of large matrices.
IDEAL = "products at the rate of large matrices"


def _microseconds(function: Callable[[], object]) -> float:
    began = time.process_time()  # not the clock on the wall: others may use this core too
    for _ in range(CALLS):
        function()
    return (time.process_time() - began) / CALLS * 1e6


def table(network: str, name: str, batch: int, seeds: int) -> pd.DataFrame:
    """operation, microseconds a step: lower quartile of short rounds that take turns; then the step
    itself, and what its products would take at the rate of large matrices.
    """
    dataset = data.load(name, device="cpu")
    f = Objective(network, dataset.x_train, dataset.y_train)
    stepper = Stepper(
        f, Recipe(batch, epochs=10_000), training.start(network, range(seeds)), range(seeds)
    )
    chosen = torch.randint(0, len(f.labels), (seeds, batch))
    inputs, labels = stepper.batches.gathered(chosen)
    stepper.gradients.own(inputs, labels)
    (one,) = stepper.gradients.passes.values()
    arms: dict[str, list[Callable[[], object]]] = {
        kind: []
        for kind in (
            "products forward",
            "products for the weights",
            "products back",
            "batch norm and ReLU",
            "loss",
            "Adam",
            "gather",
        )
    }
    for layer in one.layers:
        back, h = torch.randn_like(layer.out), layer.h
        arms["products forward"].append(lambda la=layer, h=h: torch.bmm(h, la.weight_t, out=la.z))
        arms["products for the weights"].append(
            lambda la=layer, h=h, back=back: torch.bmm(back.transpose(1, 2), h, out=la.d_weight)
        )
        if layer is not one.layers[0]:
            arms["products back"].append(
                lambda la=layer, back=back: torch.bmm(back, la.weight, out=torch.empty_like(la.h))
            )
        if layer.norm:
            arms["batch norm and ReLU"].append(layer._normalize)
            arms["batch norm and ReLU"].append(
                lambda la=layer, back=back: la._normalize_backward(back.mul_(la.out.sign_()))
            )
    last = one.layers[-1].z

    def head():
        logs = torch.log_softmax(last, 2)
        losses = logs.gather(2, labels.unsqueeze(2)).sum((1, 2)).mul_(one.minus_share)
        logs.exp_().scatter_add_(2, labels.unsqueeze(2), one.minus).mul_(one.share)
        return losses

    arms["loss"].append(head)
    p = stepper.gradients.points
    arms["Adam"].append(lambda: stepper.optimizer.step(p.flat, p.flat_gradient, 0.0))
    arms["gather"].append(lambda: stepper.batches.gathered(chosen))
    whole = {STEP: [lambda: stepper.step(chosen, inputs, labels)]}
    found: dict[str, list[float]] = {kind: [] for kind in arms | whole}
    with torch.no_grad(), threads.threads_for(f.n):
        for _ in range(ROUNDS):
            for kind, functions in (arms | whole).items():
                found[kind].append(sum(map(_microseconds, functions)))
    quartile = {kind: statistics.quantiles(times, n=4)[0] for kind, times in found.items()}
    rows = [(kind, round(time_, 1)) for kind, time_ in quartile.items()]
    rows.insert(-1, (REST, round(quartile[STEP] - sum(quartile[kind] for kind in arms), 1)))
    operations = seeds * limits.work(network, dataset, batch) * batch / len(dataset.y_train)
    rate = limits.peak(torch.device("cpu"))
    rows.append((IDEAL, round(operations / rate * 1e6, 1)))
    return pd.DataFrame(rows, columns=["operation", "microseconds"])


def tables() -> pd.DataFrame:
    """The floors of all `STEPS` whose data are on this disk, on one core, with a column ``of`` that names the step."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return pd.concat(
            [
                table(*step).assign(
                    of=f"{step[0]}, B = {step[2]}, {step[3]} seed" + "s" * (step[3] > 1)
                )
                for step in STEPS
                if data.available(step[1])
            ],
            ignore_index=True,
        )
    finally:
        torch.set_num_threads(before)


def markdown(found: pd.DataFrame) -> str:
    """`tables` side by side, in microseconds and as a share of the step."""
    named = list(found.of.unique())
    lines = [
        "| microseconds, one core | " + " | ".join(f"{of} | share" for of in named) + " |",
        "|---|" + "---:|---:|" * len(named),
    ]
    wide = found.pivot_table("microseconds", "operation", "of", sort=False)
    for operation, row in wide.iterrows():
        cells = [f"{row[of]:,.0f} | {100 * row[of] / wide[of][STEP]:.0f} %" for of in named]
        lines.append(f"| {operation} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    from benchmarks import page

    print(page.renewed("floors"))
