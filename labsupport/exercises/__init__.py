"""What is right in the chapters' exercises, out of the reader's sight, and what to say to each
mistake that can be foreseen.

Chapter N's answers stand in ``chapterNN.py``: {"N.1": Answer(...)}. A chapter's check cell names the exercise and
passes what it depends on: ``check.exercise("2.1", answer, gap=gap)``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labsupport.errors import UnknownName


@dataclass(frozen=True)
class Answer:
    """One exercise's answer.

    Parameters
    ----------
    right
        The answer, or a function of what the check cell passes that returns it.
    mistakes
        {sentence: wrong answer, or a function that returns it}: what to say to a mistake that was foreseen.
    tolerance
        Relative difference that numbers may have.
    test
        Instead of ``right``: a function of the answer, and of what the check cell passes, that
        returns None if it is right, else a sentence that says what is wrong.
    """

    right: Any = None
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-3
    test: Callable[..., str | None] | None = None

    def judge(self, answer, known: Mapping[str, Any]) -> str | None:
        """None if the answer is right, else what is wrong with it."""
        if self.test is not None:
            return self.test(answer, **known)
        right = self.right(**known) if callable(self.right) else self.right
        if same(answer, right, self.tolerance):
            return None
        for sentence, wrong in self.mistakes.items():
            if same(answer, wrong(**known) if callable(wrong) else wrong, self.tolerance):
                return sentence
        return differs(answer, right)


def find(key: str) -> Answer:
    """The answer of exercise ``key``, such as "2.1". Raises UnknownName where there is none."""
    chapter = key.split(".")[0]
    try:
        module = importlib.import_module(f"labsupport.exercises.chapter{int(chapter):02d}")
        return module.ANSWERS[key]
    except (ValueError, ModuleNotFoundError, KeyError) as error:
        raise UnknownName(
            f"There is no exercise {key!r}. An exercise is named by chapter and number: '2.1'."
        ) from error


def same(given, wanted, tolerance: float) -> bool:
    """Whether an answer is the wanted one: letters and words by their text, numbers and arrays within the tolerance.

    >>> same("(C)", "c", 0), same(1.0004, 1, 1e-3), same([1, 2], [1, 3], 1e-3)
    (True, True, False)
    """
    if isinstance(wanted, str):
        return str(given).strip().strip("().").lower() == wanted.lower()
    try:
        numbers, target = _numbers(given), _numbers(wanted)
    except (TypeError, ValueError):
        return bool(given == wanted)
    return numbers.shape == target.shape and np.allclose(
        numbers, target, rtol=tolerance, atol=1e-12
    )


def differs(given, wanted) -> str:
    """What to say to a wrong answer that was not foreseen."""
    if isinstance(wanted, str):
        return f"Your answer is {given!r}."
    try:
        numbers, target = _numbers(given), _numbers(wanted)
    except (TypeError, ValueError):
        return f"Your answer is {given!r}, which is not a number."
    if numbers.shape != target.shape:
        return f"Your answer has shape {numbers.shape}; {target.shape} is wanted."
    return f"Your answer is {given}." if numbers.ndim == 0 else "Some entries differ."


def _numbers(value) -> np.ndarray:
    value = value.detach().cpu() if hasattr(value, "detach") else value
    return np.asarray(value, dtype=float)
