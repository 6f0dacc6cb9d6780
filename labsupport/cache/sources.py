"""The package's code as it stands on disk."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from labsupport.cache import keys
from labsupport.cache.homes import NO_NUMBERS


def written(folder: Path = Path(__file__).parents[1], among: tuple[str, ...] = ()) -> str:
    """A digest of the package's code on disk, without comments and docstrings, and without `NO_NUMBERS`.

    ``among`` names the modules that count, instead of all; a package counts whole.
    """
    parts = []
    for path in sorted(folder.rglob("*.py")):
        inner = path.relative_to(folder).with_suffix("").parts
        if inner[0] in among if among else inner[0] not in NO_NUMBERS:
            parts += ["/".join(inner), _tree(path)]
    return keys._join(*parts)


def _tree(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            body[0].value.value = ""
    return hashlib.sha256(_dumped(tree).encode()).hexdigest()


def _dumped(node) -> str:
    """As `ast.dump`, without what is empty: Python 3.12 and 3.13 each dump one program in another way."""
    if isinstance(node, list):
        return f"[{', '.join(map(_dumped, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_dumped(value)}"
        for name, value in ast.iter_fields(node)
        if value not in (None, [])
    ]
    if isinstance(node, ast.Constant) and node.value is None:
        fields.append("None")
    return f"{type(node).__name__}({', '.join(fields)})"
