"""The code that a result depends on, as it runs now: not as it stands in a file that may have been edited since.

What is hashed are the functions that Python has loaded, so a module that was edited, reloaded or
changed from outside, and a function that was edited in a notebook's cell, count as what they are. A
function of this package depends on its whole module and on all modules of the package that this one
uses, directly or through others. Any other function depends on what its code names: functions,
classes, plain values, and the values that it closes over. Of a library the version counts.
Comments, layout and docstrings do not.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import types

from labsupport.cache import homes, instructions, keys
from labsupport.cache.homes import NO_NUMBERS, PACKAGE
from labsupport.cache.sources import written

__all__ = ["NO_NUMBERS", "PACKAGE", "of_class", "running", "written"]


def running(function) -> str:
    """A digest of a function or class, and of all code that it reaches, as loaded now.

    Raises `keys.Unnamed` where it reaches a value whose content cannot be told apart.
    """
    reached = _Reached()
    try:
        reached.value("", function)
        while reached.waiting:
            reached.waiting.pop()()
    except RecursionError:
        raise keys.Unnamed(
            f"What {getattr(function, '__name__', function)} uses leads back to itself."
        ) from None
    return keys._join(*(part for pair in sorted(reached.found.items()) for part in pair))


def of_class(kind: type) -> str:
    """As `running`, of a class; of this package's and libraries' classes the name: a function's own
    code reaches those.
    """
    if homes.package(kind.__module__) or homes.library(kind.__module__):
        return homes.version(kind.__module__) + f"{kind.__module__}.{kind.__qualname__}"
    return running(kind)


class _Reached:
    """What was found so far, {name: digest}, and what is yet to be looked at."""

    def __init__(self):
        self.found, self.waiting, self.seen = {}, [], {}

    def value(self, name: str, value, code: types.CodeType | None = None) -> None:
        """Note a value under the name by which ``code`` knows it, and what it leads to."""
        self.found[name] = type(value).__qualname__
        if isinstance(value, types.ModuleType):
            self.found[name] = value.__name__
            self._module(value, name, code)
        elif isinstance(value, type):
            self.found[name] = homes.called(value)
            self._class(value)
        elif isinstance(value, types.FunctionType):
            self.found[name] = homes.called(value)
            self._function(value)
        elif isinstance(
            value,
            types.BuiltinFunctionType | types.MethodDescriptorType | types.WrapperDescriptorType,
        ):
            self.found[name] = f"{getattr(value, '__module__', '')}.{value.__qualname__}"
        elif (parts := _parts(value)) is None:
            self.found[name] = keys.fingerprint(value)
        elif self._first(value):
            for part, inside in parts.items():
                self.value(f"{name}.{part}", inside)

    def _first(self, thing) -> bool:
        """Whether this is seen for the first time."""
        if id(thing) in self.seen:
            return False
        self.seen[id(thing)] = thing
        return True

    def _function(self, function: types.FunctionType) -> None:
        if not self._first(function):
            return
        home = function.__globals__.get("__name__", "")
        if hasattr(function, "__wrapped__"):
            self.value(f"{home}.{function.__qualname__}.__wrapped__", function.__wrapped__)
        if homes.left_out(home) or homes.library(home):
            self._library(home)
            return
        digest = instructions.digest(function.__code__)
        label = f"{home}.{function.__qualname__} {digest}"  # two lambdas have one name
        self.found[label] = ""
        for name, value in _held_by(function).items():
            self.waiting.append(functools.partial(self._guarded, f"{label} {name}", value, home))
        if homes.package(home):
            self._module(sys.modules.get(home))
        else:
            self._named(label, function.__code__, function.__globals__)
            for module in instructions.imported_by(function.__code__):
                self._module(module)

    def _named(self, label: str, code: types.CodeType, names: dict) -> None:
        """What a function outside of the package calls by name."""
        for name in sorted(instructions.names_in(code) & names.keys()):
            if name != "__builtins__":
                self.waiting.append(
                    functools.partial(self.value, f"{label}:{name}", names[name], code)
                )

    def _class(self, kind: type) -> None:
        if not self._first(kind):
            return
        if homes.library(kind.__module__) or homes.left_out(kind.__module__):
            self._library(kind.__module__)
        elif homes.package(kind.__module__):
            self._module(sys.modules.get(kind.__module__))
            self._members(kind)
        else:
            self._members(kind)

    def _members(self, kind: type) -> None:
        label = f"{kind.__module__}.{kind.__qualname__}"
        for base in kind.__bases__:
            self.waiting.append(functools.partial(self.value, f"{label}<{base.__qualname__}", base))
        for name, value in vars(kind).items():
            plain = isinstance(value, _PLAIN) and not name.startswith("__")
            if name not in _OF_EVERY_CLASS and (plain or _leads_on(value)):
                self.waiting.append(functools.partial(self.value, f"{label}.{name}", value))

    def _module(self, module, label: str = "", code: types.CodeType | None = None) -> None:
        """A module of the package counts whole, one of the reader's by what ``code`` names in it, a
        library by its version.
        """
        home = getattr(module, "__name__", "")
        if home == homes.PACKAGE and code is not None:
            self._named(
                label,
                code,
                {
                    name: getattr(module, name)
                    for name in instructions.names_in(code)
                    if hasattr(module, name)
                },
            )
        elif homes.library(home):
            self._library(home)
        elif not homes.package(home):
            if code is not None and self._first((module, code)):
                self._named(label, code, vars(module))
        elif not homes.left_out(home) and self._first(module):
            for name, value in vars(module).items():
                if _leads_on(value) or _constant_of_a_module(name, value):
                    self.waiting.append(
                        functools.partial(self._guarded, f"{home}:{name}", value, home)
                    )
            for value in list(vars(module).values()):
                for inside in instructions.codes_of(value, home):
                    for found in instructions.imported_by(inside):
                        self._module(found)

    def _guarded(self, name: str, value, home: str) -> None:
        """As `value`; what cannot be told apart counts by its type if it belongs to the package."""
        if not homes.package(home):
            self.value(name, value)
            return
        try:
            self.value(name, value)
        except keys.Unnamed:
            self.found[name] = type(value).__qualname__

    def _library(self, home: str) -> None:
        top = home.split(".")[0]
        if top not in homes.COMPUTE_NOTHING and not homes.package(home):
            self.found[f"version of {top}"] = homes.version(home)


def _constant_of_a_module(name: str, value) -> bool:
    """Whether a plain value is a constant; in small letters, or private and not frozen, it is what
    the module remembers.
    """
    return name.isupper() and not (
        name.startswith("_") and not isinstance(value, bool | int | float | str | bytes | tuple)
    )


_PLAIN = (bool, int, float, complex, str, bytes, tuple, frozenset, list, dict, set, type(None))
_OF_EVERY_CLASS = {
    "__module__",
    "__qualname__",
    "__doc__",
    "__dict__",
    "__weakref__",
    "__annotations__",
    "__firstlineno__",
    "__static_attributes__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__match_args__",
    "__abstractmethods__",
    "_abc_impl",
    "__slots__",
    "__parameters__",
    "__orig_bases__",
    "__annotate__",
    "__annotate_func__",
    "__annotations_cache__",
    "__hash__",
    "__replace__",
}


def _leads_on(value) -> bool:
    """Whether there is code behind a value."""
    return (
        isinstance(value, types.FunctionType | type | types.ModuleType) or _parts(value) is not None
    )


def _parts(value) -> dict | None:
    """What a value is made of, by name, where code may be among it; None for a value that is its content."""
    if type(value) in (bool, int, float, str, bytes, type(None)):
        return None
    if isinstance(value, staticmethod | classmethod):
        return {"function": value.__func__}
    if isinstance(value, property):
        return {"get": value.fget, "set": value.fset, "delete": value.fdel}
    if isinstance(value, functools.cached_property):
        return {"get": value.func}
    if isinstance(value, functools.partial):
        return {"function": value.func, "arguments": value.args, "keywords": value.keywords}
    if isinstance(value, types.MethodType):
        return {"self": value.__self__, "function": value.__func__}
    if type(value) in (list, tuple, set, frozenset):
        return dict(enumerate(value)) if any(map(_leads_on, value)) else None
    if isinstance(value, dict):
        if not any(map(_leads_on, value.values())):
            return None
        return {
            repr(k) if type(k) in _PLAIN else str(i): v for i, (k, v) in enumerate(value.items())
        }
    if dataclasses.is_dataclass(value) and type(value).__module__ not in _BY_CONTENT:
        return {
            "class": type(value),
            **{f.name: getattr(value, f.name) for f in dataclasses.fields(value)},
        }
    if callable(value) and hasattr(value, "__wrapped__"):  # functools.cache and its like
        return {"wrapped": value.__wrapped__}
    return None


_BY_CONTENT = ("labsupport.problem", "labsupport.data", "labsupport.data.dataset")


def _held_by(function: types.FunctionType) -> dict:
    """Defaults and closed-over values of a function, by name."""
    held = {f"default {i}": v for i, v in enumerate(function.__defaults__ or ())}
    held |= {f"default {k}": v for k, v in (function.__kwdefaults__ or {}).items()}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            value = cell.cell_contents
        except ValueError:  # not filled yet
            continue
        if value is not function:
            held[f"closure {name}"] = value
    return held


keys.of_code.update({"function": running, "class": of_class})
