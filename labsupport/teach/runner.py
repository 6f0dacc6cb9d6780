"""Runs one submission, cell by cell, and then answers what the grader asks. This process is not trusted.

The first message holds the cells. After the last cell the answer says which of them failed. Then each request is
answered by one message: ``{"get": name}`` by a value, ``{"call": name, "args": [...], "named": {...}}`` by what the
function returns.
"""

from __future__ import annotations

import os
import tempfile

#: Letters of an error that are passed on.
_LETTERS = 300


def work(reads: int, writes: int) -> int:
    """Run and answer until nothing more is asked."""
    from labsupport.teach import wire

    tempfile.tempdir = None  # the folder that it had before is not here
    asked, answers = os.fdopen(reads, "rb"), os.fdopen(writes, "wb")

    def answer(message) -> None:
        line = wire.dumps(message)
        if len(line) > wire.MESSAGE:
            line = wire.dumps({"error": "The value is too large."})
        answers.write(line)
        answers.flush()

    cells = wire.loads(asked.readline())["cells"]
    if cells is None:  # it was only asked whether it runs
        answer({"failed": []})
        return 0
    shell = _shell()
    answer({"failed": [[number, why] for number, why in _run(shell, cells)]})
    for line in asked:
        answer(_answered(shell.user_ns, wire.loads(line)))
    return 0


def _shell():
    """IPython in this process: magics and shell commands mean what they mean in a notebook."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance(colors="NoColor")
    if shell.history_manager is not None:
        shell.history_manager.enabled = False
    return shell


def _run(shell, cells: list[str]):
    """Run every cell; what fails is passed on, and the next one runs all the same."""
    for number, source in enumerate(cells):
        result = shell.run_cell(source, silent=False, store_history=False)
        if error := result.error_before_exec or result.error_in_exec:
            yield number, _said(error)


def _answered(names: dict, request: dict) -> dict:
    from labsupport.teach import wire

    try:
        if "get" in request:
            return {"value": wire.encode(names.get(request["get"], ...))}
        function = names[request["call"]]
        given = [_made(part) for part in request["args"]]
        named = {key: _made(part) for key, part in request["named"].items()}
        return {"value": wire.encode(function(*given, **named))}
    except BaseException as error:  # the submission's own code may raise anything, SystemExit too
        return {"error": _said(error)}


def _made(part):
    """An argument: a value, or a function that came as source."""
    from labsupport.teach import judging, wire

    if isinstance(part, dict) and set(part) == {"source", "values"}:
        values = {key: wire.decode(value) for key, value in part["values"].items()}
        return judging.function(part["source"], **values)._call
    return wire.decode(part)


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_LETTERS]
    except Exception:
        return type(error).__name__[:_LETTERS]
