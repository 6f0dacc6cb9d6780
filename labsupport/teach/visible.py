"""The checks that students see: one line a question, no otter.

check.question("q2", globals(), test_the_shape_is_that_of_x)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable


def question(key: str, environment: dict, *tests: Callable) -> None:
    """Run the visible checks of one question and say in one line how it went.

    Parameters
    ----------
    environment
        The notebook's ``globals()``; each test gets from it what its parameters name.
    tests
        Functions that raise, with a sentence, if something is wrong.

    >>> def test_it_is_four(answer):
    ...     assert answer == 4, "Two and two are not that."
    >>> question("q0", {"answer": ...}, test_it_is_four)
    Question q0: no answer yet. Replace every ... above and run both cells.
    >>> question("q0", {"answer": 5}, test_it_is_four)
    Question q0: not yet. Two and two are not that.
    >>> question("q0", {"answer": 4}, test_it_is_four)
    Question q0: right so far. More is checked when it is graded.
    """
    for test in tests:
        names = list(inspect.signature(test).parameters)
        missing = [name for name in names if environment.get(name, ...) is ...]
        if missing:
            print(f"Question {key}: no answer yet. Replace every ... above and run both cells.")
            return
        try:
            test(**{name: environment[name] for name in names})
        except AssertionError as error:
            said = str(error).partition("\n")[0]
            print(f"Question {key}: not yet. {said}".rstrip())
            return
        except Exception as error:  # a student's function may fail in any way
            print(f"Question {key}: not yet. It stopped with {type(error).__name__}: {error}.")
            return
    print(f"Question {key}: right so far. More is checked when it is graded.")
