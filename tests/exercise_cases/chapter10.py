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


def study(reason, changed, control="recipes['LB']", beyond="-0.5"):
    return (
        f"answer = {{'reason': {reason!r}, 'control': {control}, 'changed': {changed}, "
        f"'yes beyond': {beyond}}}"
    )


def share(returned):
    return f"def answer(once, twice):\n    s = 2 - twice / (2 * once)\n    return {returned}"


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
            "learning_rate", LB + ".but(learning_rate=0.004)", beyond="None"
        ): "is a number of points",
        study("learning_rate", LB + ".but(learning_rate=0.004)", beyond="0"): "has no direction",
        study(
            "learning_rate", LB + ".but(learning_rate=0.004)", beyond="4"
        ): "cannot gain 4 points",
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
    "10.4": {
        "answer = slope_share": "gives None",
        "answer = lambda once, twice: twice / once": "That is the growth",
        "answer = lambda once, twice: once / twice": "one over the growth",
        "answer = lambda once, twice: 4 * once / twice - 1": "at twice the width",
        "answer = lambda once, twice: twice / (2 * once) - 1": "the bowl's share",
        "answer = lambda once, twice: 2 * once - twice / 2": "divide it by once",
        "answer = lambda once, twice: 200 - 50 * twice / once": "in percent",
        "answer = lambda once, twice: 0.4": "it gives 0.4, not 0.85",
        share("s"): "more than fourfold",
        share("min(max(s, 0), 1)"): "a share cut at 0 or 1",
        share("s if s >= 0 else None"): "less than twofold",
        share("s if 0 < s < 1 else None"): "A growth of 2 is a pure slope",
        share("s if 0 < s <= 1 else None"): "A growth of 4 is a pure bowl",
    },
}
