"""Functions that stand in a chapter, for the tests: the cells that define them are run, and no others."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import nbformat

BOOK = Path(__file__).resolve().parents[1] / "book"


@functools.cache
def cells(chapter: str) -> tuple[str, ...]:
    """The code of each cell of chapter "07" and so on; without the first, which installs the package."""
    (path,) = BOOK.glob(f"{chapter}-*.ipynb")
    return tuple(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code")


def names(chapter: str, *wanted: str, **given) -> dict:
    """What a chapter's imports and its definitions of ``wanted``, and of what those read, come to.

    ``given`` stands in for what the chapter computes before, such as ``s``. Only imports, functions and assignments of
    the wanted names are run, in the chapter's order.
    """
    found: dict = dict(given)
    needed = set(wanted)
    statements = [one for code in cells(chapter) for one in ast.parse(code).body]
    helpers = {name for one in statements for name in _defined(one) if _stands_alone(one, name)}
    for one in reversed(statements):  # a function needs the functions and constants that it reads
        if _defined(one) & needed:
            read = {node.id for node in ast.walk(one) if isinstance(node, ast.Name)}
            needed |= read & helpers
    for one in statements:
        asked = _defined(one) & (needed - set(given))
        asked = {name for name in asked if name in wanted or _stands_alone(one, name)}
        if isinstance(one, ast.Import | ast.ImportFrom) or asked:
            code = compile(ast.Module([one], []), f"<chapter {chapter}>", "exec")
            exec(code, found)
    missing = set(wanted) - set(found)
    assert not missing, f"chapter {chapter} does not define {', '.join(sorted(missing))}"
    return found


def _stands_alone(statement: ast.stmt, name: str) -> bool:
    """A function, or a constant in capitals: nothing that the chapter computes."""
    return isinstance(statement, ast.FunctionDef) or name.isupper()


def _defined(statement: ast.stmt) -> set[str]:
    """The names that a function's definition or a plain assignment gives a value."""
    if isinstance(statement, ast.FunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()


def run_until(chapter: str, last: str) -> dict:
    """What a chapter's cells define, figures left out, up to the cell that holds ``last``.

    A cell that only draws, as its title says, is left out, unless it measures or a later one wants what it defines.
    """
    sources = [code for code in cells(chapter) if "PACKAGE = " not in code]
    end = next(number for number, code in enumerate(sources) if last in code)
    wanted, chosen = set(), []
    for code in reversed(sources[: end + 1]):
        defines = {name for one in ast.parse(code).body for name in _defined(one)}
        if "provenance.once" in code or not code.startswith("# @title") or defines & wanted:
            chosen.append(code)
            wanted |= {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    (setup,) = (code for code in cells(chapter) if "PACKAGE = " in code)
    found: dict = {"display": lambda *shown: None}
    exec(setup[setup.index("\nimport ") :], found)
    for code in reversed(chosen):
        exec(compile(code, f"<chapter {chapter}>", "exec"), found)
    return found
