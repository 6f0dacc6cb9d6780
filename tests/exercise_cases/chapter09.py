"""What the exercises of chapter 9 are tried with."""

import numpy as np
import pandas as pd

from labsupport import settings
from tests import chapters

CLAIMS = pd.DataFrame(
    {"key": key, "says": "", "held": True, "margin": 9.0, "evidence": ""}
    for key in ("7.1", "7.3", "7.5", "7.7")
)


def names():
    wanted = ("world", "spearman", "partial")
    found = chapters.names("09", *wanted)
    given = {name: found[name] for name in wanted}
    return {**given, "np": np, "s": settings.TABLE["smoke"], "claims": CLAIMS}


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
        "answer = 2": "five numbers are asked for",
        "answer = {'A': 2, 'C': 2, 'D': 1, 'E': 1}": "five numbers are asked for",
        "answer = dict(A=np.inf, B=0, C=2, D=1, E=1)": "a finite number",
        "answer = dict(A=2, B=1, C=2, D=1, E=1)": "That world has arrow B",
        "answer = dict(A=2, B=0, C=2, D=1, E=0)": "you hold it",
        "answer = dict(A=1, B=0, C=1, D=1, E=-1)": "worse at one dial, too",
        "answer = dict(A=-1, B=0, C=1, D=1, E=1)": "need one sign",
        "answer = dict(A=2, B=0, C=2, D=0.1, E=0.1)": "too weak beside the noise",
        "answer = dict(A=1, B=0, C=1, D=1, E=1)": "have to outweigh D and E",
    },
    "9.4": {
        "answer = {'asks': '', 'for': ['7.1'], 'against': ['7.5']}": "asks nothing yet",
        "answer = {'asks': 'Is sharpness the cause?'}": "one of the five",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': []}": "no claim against it",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['99']}": "No claim is called 99",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['7.1']}": "on both sides",
    },
}
