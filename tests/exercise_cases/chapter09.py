"""What the exercises of chapter 9 are tried with."""

import numpy as np
import pandas as pd

from labsupport import settings

CLAIMS = pd.DataFrame(
    {"key": key, "says": "", "held": True, "margin": 9.0, "evidence": ""}
    for key in ("7.1", "7.3", "7.5", "7.7")
)


def names():
    return {"np": np, "s": settings.TABLE["smoke"], "claims": CLAIMS}


WRONG = {
    "9.1": {
        "answer = 3": "two numbers are asked for",
        "answer = (3, -2)": "rows take positive numbers only",
        "answer = (0.3, 3)": "exchange the two",
        "answer = (0.5, 0.3)": "LB is now at",
        "answer = (3, 3)": "LB is right. SB is now at",
    },
    "9.2": {
        "answer = 38": "a function of rate and momentum",
        "answer = lambda rate, momentum: None": "a number is asked for",
        "answer = lambda rate, momentum: 2 / rate": "the limit without momentum",
        "answer = lambda rate, momentum: 2 * (1 - momentum) / rate": "a steady walk",
        "answer = lambda rate, momentum: 2 / (rate * (1 - momentum))": "its terms change sign",
        "answer = lambda rate, beta: 2 * (1 + beta) / (1 - beta) / rate": "Adam's average",
        "answer = lambda rate, momentum: 30.0": "does not grow at 34",
        "answer = lambda rate, momentum: 50.0": "but x grows at 44",
        "answer = lambda rate, momentum: 38.0": "limit(0.3, 0.0) is 38, but x grows",
    },
    "9.3": {
        "answer = ranks": "the order of the rows decides",
        "answer = lambda values: np.argsort(np.argsort(values))": "starts from 0",
        "answer = lambda values: np.unique(values, return_inverse=True)[1] + 1": "not 10",
        "answer = lambda values: (values[:, None] > values[None]).sum(1) + 1": "not 10",
        "answer = lambda values: np.argsort(values) + 1": "has the larger rank",
        "answer = lambda values: values[:2]": "One rank for each of the 3 values",
    },
    "9.4": {
        "answer = {'asks': '', 'for': ['7.1'], 'against': ['7.5']}": "asks nothing yet",
        "answer = {'asks': 'Is sharpness the cause?'}": "one of the five",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': []}": "no claim against it",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['99']}": "No claim is called 99",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['7.1']}": "on both sides",
    },
}
