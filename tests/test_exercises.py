"""Each exercise's published solution passes its check, and each foreseen mistake gets its own sentence.

The solution is the Python block in the chapter's folded "Solution"; it is run as a reader would: the exercise's cell,
the block, the check's cell. For chapter N, ``exercise_cases/chapterNN.py`` has

    names()   the names that these cells find in the chapter, small: {"gap": a table, "np": numpy, ...}
    WRONG     {"N.k": {code that a reader might write instead of the solution: words of the sentence it must get}}

`Answer.mistakes` are tried without being listed there; an `Answer` with a ``test`` needs at least two wrong codes.
"""

from __future__ import annotations

import functools
import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from labsupport import exercises
from tests import exercise_cases

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = sorted(path.stem for path in (ROOT / "labsupport" / "exercises").glob("chapter*.py"))
KEY = re.compile(r"check\.exercise\(\s*\"([0-9]+\.[0-9]+)\"")
SOLUTION = re.compile(r"<summary>Solution.*?```python\n(.*?)```", re.S)


class Recorder:
    """Stands in for `labsupport.check` in a check's cell: keeps what the cell hands over."""

    def exercise(self, key, answer, **known):
        self.key, self.answer, self.known = key, answer, known


@dataclass(frozen=True)
class Exercise:
    """One exercise's three pieces of code."""

    cell: str
    check: str
    solution: str

    def given(self, chapter: str, code: str) -> Recorder:
        """What the check's cell hands over after the exercise's cell and ``code``."""
        recorder = Recorder()
        names = {**cases(chapter).names(), "check": recorder}
        for source in (self.cell, code, self.check):
            exec(compile(source, "<exercise>", "exec"), names)
        return recorder

    def verdict(self, chapter: str, code: str) -> str | None:
        """None if the check accepts what ``code`` answers, else its sentence."""
        found = self.given(chapter, code)
        return exercises.find(found.key).judge(found.answer, found.known)


@functools.cache
def cases(chapter: str):
    """The module of `exercise_cases` for "chapter01"."""
    return importlib.import_module(f"{exercise_cases.__name__}.{chapter}")


@functools.cache
def answers(chapter: str) -> dict:
    """``ANSWERS`` of "chapter01"."""
    return importlib.import_module(f"labsupport.exercises.{chapter}").ANSWERS


@functools.cache
def published(chapter: str) -> dict[str, Exercise]:
    """{key: Exercise} of the chapter's notebook, in its order."""
    (path,) = (ROOT / "book").glob(f"{chapter.removeprefix('chapter')}-*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    found, cell = {}, ""
    for place, one in enumerate(cells):
        tags = one.metadata.get("tags", [])
        if "exercise" in tags:
            cell = one.source
        elif "exercise-check" in tags and (key := KEY.search(one.source)):
            text = "\n".join(later.source for later in cells[place + 1 : place + 3])
            solution = SOLUTION.search(text)
            found[key[1]] = Exercise(cell, one.source, solution[1] if solution else "")
    return found


def pairs() -> list[tuple[str, str]]:
    """(chapter, key) of every answer."""
    return [(chapter, key) for chapter in CHAPTERS for key in answers(chapter)]


def mistakes() -> list[tuple[str, str, str]]:
    """(chapter, key, sentence) of every mistake that an answer foresees."""
    return [
        (chapter, key, says) for chapter, key in pairs() for says in answers(chapter)[key].mistakes
    ]


def wrong_codes() -> list[tuple[str, str, str, str]]:
    """(chapter, key, code, words) of every wrong code."""
    found = []
    for chapter in CHAPTERS:
        for key, codes in cases(chapter).WRONG.items():
            found += [(chapter, key, code, words) for code, words in codes.items()]
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_checked_exercise_has_its_answer_out_of_sight(chapter):
    exercises_of = published(chapter)
    assert sorted(exercises_of) == sorted(answers(chapter))
    for key, exercise in exercises_of.items():
        assert "expected" not in exercise.check and "test=" not in exercise.check, key
        assert exercise.solution, f"{key} has no Python block in its solution"


@pytest.mark.parametrize("chapter, key", pairs())
def test_the_published_solution_is_accepted(chapter, key):
    exercise = published(chapter)[key]
    assert exercise.verdict(chapter, exercise.solution) is None


@pytest.mark.parametrize("chapter, key, says", mistakes())
def test_a_foreseen_mistake_gets_its_sentence(chapter, key, says):
    exercise, answer = published(chapter)[key], answers(chapter)[key]
    known = exercise.given(chapter, exercise.solution).known
    wrong = answer.mistakes[says]
    assert answer.judge(wrong(**known) if callable(wrong) else wrong, known) == says


@pytest.mark.parametrize("chapter, key, code, words", wrong_codes())
def test_a_wrong_answer_is_told_what_is_wrong(chapter, key, code, words):
    verdict = published(chapter)[key].verdict(chapter, code)
    assert verdict is not None and words in verdict


@pytest.mark.parametrize("chapter, key", pairs())
def test_an_answer_that_is_tested_is_tested_against_mistakes(chapter, key):
    answer = answers(chapter)[key]
    foreseen = len(answer.mistakes) + len(cases(chapter).WRONG.get(key, {}))
    assert foreseen >= (2 if answer.test is not None else 1)
