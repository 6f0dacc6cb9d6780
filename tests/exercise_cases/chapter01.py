"""Chapter 1's exercises, tried on 320 samples and a table of noise and bias."""

import functools
from types import SimpleNamespace

import pandas as pd
import torch

from labsupport import Objective, data, training
from labsupport.experiments import minibatch_noise


class _Experiments:
    """The one call of an exercise, at a start instead of a trained point."""

    @staticmethod
    def iterates(_settings):
        return {1: training.start("F0", [3])}


@functools.cache
def _small():
    dataset = data.load("mnist1d", train_size=320, device="cpu")
    return dataset, Objective("F0", dataset.x_train, dataset.y_train)


def names() -> dict:
    dataset, f = _small()
    late = pd.DataFrame(
        {
            "batch_size": [32, 32, 32, 400],
            "noise / signal": [1900.0, 2087.0, 2200.0, 6.6],
            "bias / signal": [6.1, 9.33, 13.3, 0.02],
        }
    )
    return {
        "torch": torch,
        "N": 320,
        "dataset": dataset,
        "f": f,
        "late": late,
        "s": SimpleNamespace(SB=SimpleNamespace(batch_size=32)),
        "experiments": _Experiments,
        "noise": minibatch_noise,
    }


def _cut(body: str) -> str:
    return f"def answer(total, batch_size, generator):\n    {body}\n"


def _scale(body: str) -> str:
    return f"def answer(small, large, b, B):\n    s, t = small.mean(), large.mean()\n    {body}\n"


WRONG = {
    "1.1": {"answer = 5": "Your answer is 5."},
    "1.2": {
        "answer = ((noise_32 - bias_32) / K) ** 0.5": "the bias does not",
        "answer = (bias_32 + noise_32 / K**2) ** 0.5": "infinitely many",
        "answer = (bias_32**2 + (noise_32 - bias_32) / K) ** 0.5": "squared length already",
        "answer = 0": "Your answer is 0",
    },
    "1.3": {
        "answer = cut": "with replacement",
        "answer = [torch.arange(10)]": "the function itself",
        _cut("return list(torch.arange(total).split(batch_size))"): "nothing is shuffled",
        _cut(
            "return list(torch.randint(total, (total,), generator=generator).split(batch_size))"
        ): "with replacement",
        _cut("return list(torch.randperm(total).split(batch_size))"): "does not draw from it",
        _cut(
            "return list(torch.randperm(total, generator=torch.Generator().manual_seed(0)).split(batch_size))"
        ): "must go on",
        _cut(
            "return list(torch.randperm(total, generator=generator)[:96].split(batch_size))"
        ): "smaller batch is missing",
        _cut(
            "return list(torch.randperm(total, generator=generator).split(50))"
        ): "32, 32, 32 and 4",
    },
    "1.4": {
        "answer = noise_of(sorted_order) / noise_of(shuffled_order)": "within a class",
        "answer = noise_of(sorted_order)": "Your answer is",
    },
    "1.5": {
        "answer = noise_scale": "ratio of the two means",
        "answer = 50": "the function itself",
        _scale(
            "return ((B * t - b * s) / (B - b)) / ((s - t) / (1 / b - 1 / B))"
        ): "1 over the noise scale",
        _scale("return (s - t) / (1 / b - 1 / B)"): "variance alone",
        _scale("return (s - t) / (1 / b - 1 / B) / t"): "It holds noise too",
        _scale("return (s - t) / ((B * t - b * s) / (B - b))"): "not sigma^2",
        _scale("return s"): "whose noise scale is 50",
    },
}
