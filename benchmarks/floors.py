"""What each operation of a training step takes by itself: ``python -m benchmarks.floors``.

The sum of the products and of the optimizer's kernel is a floor: no program that calls this library's kernels is below.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pandas as pd
import torch

from labsupport import data, training
from labsupport.engine import threads
from labsupport.objective import Objective
from labsupport.recipe import Recipe
from labsupport.training.step import Stepper

ROUNDS, CALLS = 40, 30


def _microseconds(function: Callable[[], object]) -> float:
    began = time.process_time()  # not the clock on the wall: others may use this core too
    for _ in range(CALLS):
        function()
    return (time.process_time() - began) / CALLS * 1e6


def table(
    network: str = "F0", name: str = "mnist1d", batch: int = 32, seeds: int = 5
) -> pd.DataFrame:
    """operation, microseconds a step: lower quartile of short rounds that take turns; and the step itself, last."""
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
    whole = {"the step": [lambda: stepper.step(chosen, inputs, labels)]}
    found: dict[str, list[float]] = {kind: [] for kind in arms | whole}
    with torch.no_grad(), threads.threads_for(f.n):
        for _ in range(ROUNDS):
            for kind, functions in (arms | whole).items():
                found[kind].append(sum(map(_microseconds, functions)))
    quartile = {kind: statistics.quantiles(times, n=4)[0] for kind, times in found.items()}
    rows = [(kind, round(time_, 1)) for kind, time_ in quartile.items()]
    rows.insert(
        -1,
        (
            "the rest: Python, views, a cache that others fill",
            round(quartile["the step"] - sum(quartile[kind] for kind in arms), 1),
        ),
    )
    return pd.DataFrame(rows, columns=["operation", "microseconds"])


if __name__ == "__main__":
    print(table().to_string(index=False))
