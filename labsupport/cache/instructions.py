"""What a function does, as Python has compiled it: a digest of it, and the names that it looks up."""

from __future__ import annotations

import dis
import functools
import importlib
import inspect
import types

from labsupport.cache import homes, keys

#: Instructions that name a constant by its place, besides LOAD_CONST and its kin.
_OF_CONSTANTS = ("RETURN_CONST", "KW_NAMES")
_digests: dict[int, tuple[types.CodeType, str]] = {}


def digest(code: types.CodeType) -> str:
    """A digest of one function's instructions, names and constants, and of the functions inside it."""
    if id(code) not in _digests:
        parts = [
            repr(code.co_names),
            repr(code.co_varnames),
            repr(code.co_freevars),
            repr(code.co_cellvars),
            repr(
                (
                    code.co_argcount,
                    code.co_posonlyargcount,
                    code.co_kwonlyargcount,
                    code.co_flags & ~_DOCSTRING,
                )
            ),
            getattr(code, "co_exceptiontable", b"").hex(),
        ]
        # a constant by its value: its place depends on whether there is a docstring
        for step in dis.get_instructions(code):
            named = step.opname.startswith("LOAD_CONST") or step.opname in _OF_CONSTANTS
            if named and step.arg is not None:
                parts += [step.opname, _constant(code.co_consts[step.arg])]
            else:
                parts += [step.opname, str(step.arg)]
        _digests[id(code)] = (code, keys._join(*parts))
    return _digests[id(code)][1]


_DOCSTRING = 0x4000000  # a flag of Python 3.13 and later


def _constant(value) -> str:
    if isinstance(value, types.CodeType):
        return digest(value)
    if isinstance(value, tuple | frozenset):
        inner = [_constant(v) for v in value]
        return keys._join(
            type(value).__name__, *(sorted(inner) if isinstance(value, frozenset) else inner)
        )
    return keys.fingerprint(value)


@functools.cache
def names_in(code: types.CodeType) -> frozenset[str]:
    """All names that a function and the functions inside it look up."""
    inner = [names_in(value) for value in code.co_consts if isinstance(value, types.CodeType)]
    return frozenset(code.co_names).union(*inner)


@functools.cache
def _asked_for(code: types.CodeType) -> tuple[str, ...]:
    """The modules that a function imports when it is run, with all they may hold: "package.module",
    "package.module.name".
    """
    found, base = [], ""
    for step in dis.get_instructions(code):
        if step.opname == "IMPORT_NAME":
            base = step.argval
            found.append(base)
        elif step.opname == "IMPORT_FROM":
            found.append(f"{base}.{step.argval}")
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            found += _asked_for(value)
    return tuple(found)


def imported_by(code: types.CodeType) -> list:
    """The modules of the package that a function imports when it is run; they are loaded now, as they would be then."""
    found = []
    for name in _asked_for(code):
        if not homes.package(name) or homes.left_out(name):
            continue
        try:
            found.append(importlib.import_module(name))
        except ImportError:  # a function of a module, not a module
            continue
    return found


def codes_of(value, home: str) -> list[types.CodeType]:
    """The code of a module's function, or of the methods of its class."""
    value = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
    if isinstance(value, types.FunctionType):
        return [value.__code__] if value.__module__ == home else []
    if isinstance(value, type) and value.__module__ == home:
        return [
            part.__code__ for part in vars(value).values() if isinstance(part, types.FunctionType)
        ]
    return []
