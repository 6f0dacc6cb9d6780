"""What the exercises of chapter 10 are tried with."""

import numpy as np
import pandas as pd
from scipy import stats

from labsupport import Recipe

STOP = (10, 0.01)


def names():
    recipes = {
        "SB": Recipe(64, epochs=100, stop_plateau=STOP),
        "LB": Recipe(1_000, epochs=100, stop_plateau=STOP),
    }
    gap = pd.Series([-0.3, 0.1, -0.2, 0.05, -0.1])
    return {"np": np, "stats": stats, "Recipe": Recipe, "recipes": recipes, "gap": gap}


CHANGED = "'changed': recipes['LB']"
WRONG = {
    "10.2": {
        "answer = 3": "The answer is a dictionary",
        "answer = {'reason': 'noise', 'control': recipes['LB'], " + CHANGED + "}": "it can be learning_rate",
        "answer = {'reason': 'steps', 'control': 1, " + CHANGED + "}": "are recipes",
        "answer = {'reason': 'learning_rate', 'control': recipes['LB'], " + CHANGED + "}": "are the same",
        "answer = {'reason': 'learning_rate', 'control': recipes['SB'], " + CHANGED + "}": "batch sizes differ",
        "answer = {'reason': 'learning_rate', 'control': recipes['LB'], "
        + CHANGED
        + ".but(learning_rate=0.01, ghost_batch=32)}": "differ in ghost_batch too",
        "answer = {'reason': 'steps', 'control': recipes['LB'], "
        + CHANGED
        + ".but(epochs=200)}": "do not differ in steps",
    },
    "10.3": {
        "answer = ratio": "SB's smallest value",
        "answer = lambda sb, lb: lb.mean() / sb.mean()": "ratio of the means",
        "answer = lambda sb, lb: (lb / sb).mean()": "mean of the ratios",
        "answer = lambda sb, lb: np.exp(np.log(sb / lb).mean())": "SB over LB",
        "answer = lambda sb, lb: np.log(lb / sb).mean()": "mean logarithm",
        "answer = lambda sb, lb: 7.0": "it gives 7",
    },
}
