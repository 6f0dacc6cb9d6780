"""What the exercises of chapter 8 are tried with."""

import numpy as np
import torch

from labsupport import Problem, Recipe, experiments, settings, training
from labsupport.objective import Objective


def names():
    s = settings.TABLE["smoke"]
    f = s.main.objective()

    def gradient(x, rows):
        return Objective(f.network, f.inputs[rows], f.labels[rows]).gradient(x)

    return {
        "np": np,
        "torch": torch,
        "s": s,
        "gradient": gradient,
        "x": experiments.minima(s)["LB"].x0[0],
        "experiments": experiments,
        "Recipe": Recipe,
        "Problem": Problem,
        "training": training,
        "Objective": Objective,
    }


WRONG = {
    "8.1": {
        "answer = by_rate.mean().max()": "the claim itself",
        "answer = by_rate.max(axis=1).mean()": "flatters still more",
        "answer = np.mean([by_rate.drop(k)[row.idxmax()].mean() for k, row in by_rate.iterrows()])": (
            "let four choose and read one"
        ),
        "answer = np.mean([by_rate.drop(k).mean().max() for k in by_rate.index])": "was left out",
        "answer = by_rate.to_numpy().mean()": "nothing is chosen",
    },
    "8.3": {
        "answer = ghost_gradient": "still the mean of the groups' means",
        "answer = gradient": "plain batch norm",
        "def whole(x, rows):\n"
        "    kept = [group for group in rows.split(32) if len(group) == 32]\n"
        "    return sum(gradient(x, group) for group in kept) / len(kept)\n"
        "answer = whole": "are left out",
        "answer = lambda x, rows: 2 * gradient(x, rows)": "not the gradient of the mean loss",
    },
    "8.4": {
        "answer = Recipe(32, steps=250, learning_rate=1e-3)": "400 or more are wanted",
        "answer = Recipe(400, steps=250, augment='signals')": "no augmentation",
        "answer = Recipe(400, steps=260, learning_rate=0.0125, ghost_batch=200)": "250 are allowed",
        "answer = Recipe(400, steps=250, learning_rate=0.0125, warmup_steps=50)": "raised rate alone",
    },
}
