"""Chapter 2's exercises, tried on a table of two seeds."""

import numpy as np
import pandas as pd
from scipy.stats import t as student

from labsupport import Recipe, settings, training


def names() -> dict:
    gap = pd.DataFrame(
        {
            "batch": ["SB", "SB", "LB", "LB"],
            "train_accuracy": [99.9, 99.8, 100.0, 100.0],
            "test_accuracy": [70.3, 70.9, 62.6, 62.3],
        }
    )
    return {
        "np": np,
        "student": student,
        "Recipe": Recipe,
        "training": training,
        "gap": gap,
        "deviation": 0.58,
        "s": settings.TABLE["laptop"],
    }


def _two(small: str, large: str) -> str:
    return f'answer = {{"SB": Recipe({small}), "LB": Recipe({large})}}'


def _error(body: str) -> str:
    return f"def answer(a, b):\n    each = a.astype(float) - b.astype(float)\n    return {body}\n"


STOP, STEPS = "epochs=100, stop_loss=0.01", "steps=3000"
WRONG = {
    "2.3": {
        "answer = design": "ends a run before its updates",
        "answer = 3": "a dictionary of two recipes",
        _two(f"64, {STOP}", f"1000, {STOP}"): "That is the chapter's design",
        _two("64, epochs=50", "1000, epochs=50"): "give both steps",
        _two(f"64, {STEPS}", "1000, epochs=50"): "give both steps",
        _two("64, steps=3000", "1000, steps=2000"): "SB makes 3,000 updates and LB 2,000",
        _two("64, steps=100", "1000, steps=100"): "has not fitted",
        _two(f"64, {STEPS}, learning_rate=0.003", f"1000, {STEPS}"): "learning rates differ",
        _two(f"64, {STEPS}", f"1000, {STEPS}, optimizer='sgd'"): "optimizers differ",
        _two(f"64, {STEPS}", f"1000, {STEPS}, ghost_batch=50"): "ghost_batch too",
        _two(f"64, {STEPS}", f"128, {STEPS}"): "a tenth of the training set",
        _two(f"500, {STEPS}", f"1000, {STEPS}"): "a tenth of the training set",
    },
    "2.4": {
        "answer = error_of_difference": "different exams",
        "answer = 0.5": "the function itself",
        _error("each.std() / np.sqrt(len(a))"): "percentage points",
        _error("100 * each.std()"): "root of the number",
        _error("100 * each.std() / len(a)"): "not by its root",
        _error("100 * each.mean()"): "not its error",
        _error("100 * a.std() / np.sqrt(len(a))"): "one network's accuracy",
        _error("7.0"): "is right",
    },
}
