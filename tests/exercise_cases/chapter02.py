"""Chapter 2's exercises, tried on records of two seeds and on the committed images."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
from scipy.stats import t as student

from labsupport import Recipe, experiments, settings, training


def names() -> dict:
    seeds, accuracies = np.repeat([0, 1], 5), np.linspace(60, 70, 10)
    history = pd.DataFrame({"seed": seeds, "test_accuracy": accuracies})
    images = experiments.real_images()
    tests = images[images.dataset == "fashion_mnist"].pivot(
        index="seed", columns="batch", values="test_accuracy"
    )
    return {
        "np": np,
        "student": student,
        "Recipe": Recipe,
        "training": training,
        "runs": {name: SimpleNamespace(history=history) for name in ("SB", "LB")},
        "image_gap": {"fashion_mnist": tests.SB - tests.LB},
        "s": settings.TABLE["laptop"],
    }


def _two(small: str, large: str) -> str:
    return f'answer = {{"SB": Recipe({small}), "LB": Recipe({large})}}'


def _error(body: str) -> str:
    return f"def answer(a, b):\n    each = a.astype(float) - b.astype(float)\n    return {body}\n"


def _ends(values: str, factor: str = "student.ppf(0.975, n - 1)", error: str = "s / np.sqrt(n)"):
    """Code of an `interval_of` that takes these values, this factor and this standard error."""
    return (
        f"def answer(differences):\n    values = {values}\n    n, s = len(values), values.std(ddof=1)\n"
        f"    half = {factor} * {error}\n    return values.mean() - half, values.mean() + half\n"
    )


SEEDS = "differences.mean(axis=1)"
STOP, STEPS = "epochs=100, stop_loss=0.01", "steps=3000"
WRONG = {
    "2.1": {
        "answer = interval_of": "48 values, of which 6 are independent",
        "answer = interval_of(late)": "the function itself",
        "def answer(differences):\n    return differences.mean()\n": "Return two numbers",
        _ends("differences.mean(axis=0)"): "a row is a seed",
        _ends("differences[:, -1]"): "throws all records but the last away",
        _ends(SEEDS, "1.96"): "not that of a normal distribution",
        _ends(SEEDS, "2"): "two standard errors",
        _ends(SEEDS, "student.ppf(0.975, 47)"): "the seeds minus one",
        _ends(SEEDS, "student.ppf(0.975, n)"): "n degrees of freedom",
        _ends(SEEDS, error="values.std() / np.sqrt(n)"): "ddof=1",
        _ends(SEEDS, error="s / n"): "leaves out the root",
        _ends(SEEDS, error="s"): "how far one seed scatters",
        _ends(SEEDS, "-student.ppf(0.975, n - 1)"): "lower end comes first",
        _ends(SEEDS, "5"): "is right",
    },
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
