"""Chapter 3's exercises, tried on 200 samples, a stand-in for the walk, and a made-up path."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import torch

from labsupport import Problem, landscape, symmetry, training


@functools.cache
def _shared() -> dict:
    f = Problem("F0", "mnist1d", 200).objective()
    return {"f": f, "x_sb": training.start("F0", [1, 2]), "x_lb": training.start("F0", [3, 4])}


class _Experiments:
    """`between` hands the factor on, and `bends` below makes a ratio of it that is 1 at a factor of 2."""

    @staticmethod
    def between(_settings, *, x_b, alphas):
        lengths = symmetry.row_lengths("F0", x_b)["4"].mean()
        return float(lengths / symmetry.row_lengths("F0", _shared()["x_lb"])["4"].mean())


def bends(factor: float) -> pd.DataFrame:
    return pd.DataFrame({"ratio": [4 / factor**2]})


def names() -> dict:
    updates = np.array([125, 500, 2000, 8000])
    small = [
        pd.DataFrame({"run": "SB", "seed": seed, "updates": updates, "distance": b * updates**0.45})
        for seed, b in enumerate((0.3, 0.31))
    ]
    large = [
        pd.DataFrame({"run": "LB", "seed": [0, 1], "updates": updates, "distance": distances})
        for updates, distances in ((80, [2.8, 2.9]), (780, [7.0, 7.1]))
    ]
    way = pd.concat([*small, *large])
    return {
        **_shared(),
        "way": way,
        "bends": bends,
        "experiments": _Experiments,
        "s": None,
        "np": np,
        "torch": torch,
        "landscape": landscape,
        "symmetry": symmetry,
    }


def _renamed(body: str) -> str:
    return f"""
def answer(x):
    x = x.clone()
    weights = f.layout.split(x[None])
    order = torch.randperm(128, generator=torch.Generator().manual_seed(0))
    {body}
    return x
"""


def _bend(body: str) -> str:
    return f"def answer(f, x, seed):\n    {body}\n"


WRONG = {
    "3.1": {"answer = 2": "Your answer is 2."},
    "3.2": {
        "factor = 2.0": "Write down your guess first",
        "guess, factor = 0.5, 2.0": "LB's rows are the shorter ones",
        "guess, factor = 2.0, 0.5": "made LB's rows shorter",
        "guess, factor = 2.0, 1.0": "LB still bends more",
        "guess, factor = 2.0, 4.0": "now SB bends more",
        "guess, factor = 2.0, -2.0": "it must be positive",
    },
    "3.3": {
        "answer = x_sb": "the function itself",
        "answer = lambda x: x.clone()": "Nothing has moved",
        "answer = lambda x: x[:10]": "must return a point",
        "answer = lambda x: x.mul_(2)": "changed x itself",
        _renamed(
            'weights["1.weight"].copy_(weights["1.weight"][:, order].clone())'
        ): "not permuted with the others",
        _renamed(
            'weights["1.bias"].copy_(weights["1.bias"][:, [0] * 128].clone())'
        ): "lost or came twice",
    },
    "3.4": {"answer = 1.0": "Your answer is 1."},
    "3.5": {"answer = 'none of them'": "Your answer is 'none of them'."},
    "3.6": {
        "answer = 3.0": "the function itself",
        "answer = own_bend": "grow with the rows",
        _bend("return 1.0"): "does not depend on the seed",
        _bend("return float(seed)"): "does not look at f",
        _bend("return float('nan')"): "not finite",
    },
}
