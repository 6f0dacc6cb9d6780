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

    sweep = experiments.tuned_rates().query("optimizer == 'adam' and ends == 'own stop'")
    held = sweep.pivot(
        index="seed", columns=["batch", "learning_rate"], values="validation_accuracy"
    )
    return {
        "held": held,
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
    "8.2": {
        "def lead(top):\n"
        "    return held['SB'].mean().max() - held['LB'].mean().max()\n"
        "answer = lead": "lead on the whole grid",
        "def lead(top):\n"
        "    small, large = (held[b].loc[:, held[b].columns <= top].mean().max() for b in ('SB', 'LB'))\n"
        "    return large - small\n"
        "answer = lead": "LB minus SB",
        "def lead(top):\n"
        "    small, large = (held[b].loc[:, held[b].columns <= top].max().max() for b in ('SB', 'LB'))\n"
        "    return small - large\n"
        "answer = lead": "best single seed",
        "def lead(top):\n"
        "    small, large = (held[b].loc[:, held[b].columns < top].mean().max() for b in ('SB', 'LB'))\n"
        "    return small - large\n"
        "answer = lead": "belongs to the grid",
        "answer = lambda top: held['SB'].mean().max() - held['LB'][top].mean()": "LB at `top` itself",
        "def lead(top):\n"
        "    small, large = (held[b].loc[:, held[b].columns <= top].mean().mean() for b in ('SB', 'LB'))\n"
        "    return small - large\n"
        "answer = lead": "averages over all rates",
        "answer = 2.175": "the function `lead` itself",
        "answer = lambda top: 1.45": "not his lead",
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
        "answer = Recipe(400, steps=260, ghost_batch=200)": "250 are allowed. It tests at",
        "answer = Recipe(32, steps=250, learning_rate=1e-3)": "400 or more are wanted",
        "answer = Recipe(400, steps=250, augment='signals')": "no augmentation",
        "answer = Recipe(400, steps=250, learning_rate=0.0125, warmup_steps=50)": "raised rate alone",
    },
}
