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
        "answer = 0.01": "the box relatively larger",
        "answer = -2": "a positive number only",
    },
    "9.3": {
        "answer = ranks": "share the mean of their ranks",
        "answer = lambda values: np.argsort(np.argsort(values))": "starts from 0",
    },
    "9.4": {
        "answer = {'asks': '', 'for': ['7.1'], 'against': ['7.5']}": "asks nothing yet",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': []}": "no claim against it",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['99.1']}": "No claim is called 99.1",
        "answer = {'asks': 'Is it?', 'for': ['7.1'], 'against': ['7.1']}": "on both sides",
    },
}
