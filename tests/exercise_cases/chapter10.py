"""What the exercises of chapter 10 are tried with."""

import numpy as np
import pandas as pd
from scipy import stats

from labsupport import Recipe, intervals

STOP = (10, 0.01)


def names():
    recipes = {
        "SB": Recipe(64, epochs=100, stop_plateau=STOP),
        "LB": Recipe(1_000, epochs=100, stop_plateau=STOP),
    }
    gap = pd.Series([-0.3, 0.1, -0.2, 0.05, -0.1])
    return {
        "np": np,
        "stats": stats,
        "intervals": intervals,
        "Recipe": Recipe,
        "recipes": recipes,
        "gap": gap,
    }


def study(reason, changed, control="recipes['LB']", below="-0.5"):
    return (
        f"answer = {{'reason': {reason!r}, 'control': {control}, 'changed': {changed}, "
        f"'yes below': {below}}}"
    )


LB, SB = "recipes['LB']", "recipes['SB']"
WRONG = {
    "10.2": {
        "answer = 3": "The answer is a dictionary",
        study("noise", LB): "it can be learning_rate",
        study("steps", LB, "1"): "are recipes",
        study("learning_rate", LB): "are the same",
        study("learning_rate", LB, SB): "batch sizes differ",
        study("learning_rate", SB + ".but(learning_rate=0.01)", SB): "batches of 64",
        study(
            "learning_rate", LB + ".but(learning_rate=0.01, ghost_batch=32)"
        ): "differ in ghost_batch too",
        study("steps", LB + ".but(epochs=200)"): "do not differ in steps",
        study("steps", LB + ".but(epochs=None, steps=9000)"): "stop_plateau=None",
        study("learning_rate", LB + ".but(learning_rate=1e-9)"): "more than 64 times",
        study(
            "learning_rate", LB + ".but(learning_rate=0.004)", below="None"
        ): "is a number of points",
        study(
            "learning_rate", LB + ".but(learning_rate=0.004)", below="0"
        ): "says yes without any change",
    },
    "10.3": {
        "answer = ratio": "It still sorts",
        "answer = lambda sb, lb: lb.mean() / sb.mean()": "three numbers",
        "answer = lambda sb, lb: intervals.interval(lb / sb)": "mean of the ratios",
        "answer = lambda sb, lb: np.exp(intervals.interval(np.log(sb / lb)))": "SB over LB",
        "answer = lambda sb, lb: intervals.interval(np.log(lb / sb))": "Those are logarithms",
        "answer = lambda sb, lb: (7.0, 6.0, 8.0)": "it gives [7.0, 6.0, 8.0]",
        "x = lambda sb, lb: stats.ttest_ind(np.log(lb), np.log(sb), equal_var=False).confidence_interval(0.95)\n"
        "answer = lambda sb, lb: np.exp([np.log(lb / sb).mean(), x(sb, lb).low, x(sb, lb).high])": "as strangers",
    },
}
