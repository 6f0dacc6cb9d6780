"""An exercise's answer, judged in one line."""

from __future__ import annotations

from collections.abc import Callable

from labsupport import exercises


def exercise(
    key: str,
    answer,
    expected=None,
    *,
    tolerance: float = 1e-3,
    test: Callable | None = None,
    **known,
) -> None:
    """Check one exercise's answer and say in one line how it went; an exercise not yet answered is no error.

    Parameters
    ----------
    answer
        The reader's: a number, a letter, a tensor or a function; None as long as there is none.
    expected
        What it should be. Without it, and without ``test``, the answer stands in `labsupport.exercises`.
    tolerance
        Numbers and arrays may differ by it, relatively.
    test
        Instead of ``expected``: a function of the answer that returns None if it is right, else what is wrong.
    known
        What the right answer depends on, such as a table of the chapter.

    Raises
    ------
    UnknownName
        An exercise that no chapter has.

    >>> exercise("0.1", None, 4)
    Exercise 0.1: no answer yet. Replace None above and run both cells.
    >>> exercise("0.1", 5, 4)
    Exercise 0.1: not yet. Your answer is 5. The hint below may help.
    >>> exercise("0.1", 4, 4)
    Exercise 0.1: correct.
    """
    if expected is None and test is None:
        its = exercises.find(key)
    else:
        its = exercises.Answer(expected, tolerance=tolerance, test=test)
    if answer is None:
        print(f"Exercise {key}: no answer yet. Replace None above and run both cells.")
        return
    try:
        wrong = its.judge(answer, known)
    except Exception as error:  # the reader's own function may fail in any way
        wrong = f"It stopped with {type(error).__name__}: {error}."
    print(
        f"Exercise {key}: correct."
        if wrong is None
        else f"Exercise {key}: not yet. {wrong} The hint below may help."
    )
