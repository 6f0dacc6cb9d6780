"""How the package is laid out: imports go one way, the environment has one reader, nothing is unpickled."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import labsupport
from labsupport import _renamed

PACKAGE = Path(labsupport.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
QUESTIONS = ("sharpness", "curvature", "landscape")


def name_of(path: Path) -> str:
    """A file's name as a module, such as ``labsupport.engine.layout``."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def for_types_alone(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(node: ast.AST):
    """All nodes below one, but for what only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if not for_types_alone(child):
            yield child
            yield from statements(child)


def modules_named(node: ast.AST) -> list[str]:
    """What an import statement names: each name may be a module or stand in one."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def imports(name: str, known) -> set[str]:
    """The modules of ``known`` that a module imports, at its head or when a function runs."""
    found = set()
    for node in statements(TREES[name]):
        for full in modules_named(node):
            found.add(full if full in known else full.rpartition(".")[0])
    return found & set(known) - {name}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in turn, the first one again at the end; empty where there are none."""
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> list[str]:
        if name in above:
            return [*above[above.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            if found := walk(other, [*above, name]):
                return found
        done.add(name)
        return []

    for name in sorted(graph):
        if found := walk(name, []):
            return found
    return []


GRAPH = {name: imports(name, TREES) for name in TREES}


def reached(name: str) -> set[str]:
    """All modules that importing one brings along, also those that its functions import."""
    found, waiting = set(), [name]
    while waiting:
        new = GRAPH[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_a_circle_of_imports_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_go_one_way():
    assert len(TREES) > 100
    assert any(GRAPH.values())
    assert circle(GRAPH) == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_to_f_knows_no_layer_and_no_data(question):
    parts = {name.split(".")[1] for name in reached(f"labsupport.{question}")}
    assert parts, "a question needs the engine at least"
    assert not parts & {"networks", "data", "plots", "settings", "problem", "objective", "training"}


def reads_environment(tree: ast.AST) -> list[int]:
    """The lines that read the environment; to empty it, or to fill it, is no reading."""
    written = {
        id(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("clear", "update")
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv")
        and id(node) not in written
    ]


def test_a_reader_of_the_environment_is_found():
    assert reads_environment(ast.parse("import os\nx = os.environ.get('A')\ny = os.getenv('B')"))
    assert not reads_environment(ast.parse("import os\nos.environ.clear()"))


def test_one_module_alone_reads_the_environment():
    assert [name for name, tree in TREES.items() if reads_environment(tree)] == [
        "labsupport.settings.environment"
    ]


def test_the_reader_of_the_environment_is_a_leaf():
    assert GRAPH["labsupport.settings.environment"] == set()


UNPICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}


def unpickles(tree: ast.AST) -> list[str]:
    """What in a module could run a program that lies in a file."""
    found = []
    for node in ast.walk(tree):
        found += [full for full in modules_named(node) if full.split(".")[0] in UNPICKLING]
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            allowed = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if called in ("joblib.load", "pd.read_pickle") or called.endswith("Unpickler"):
                found.append(called)
            if called == "torch.load" and allowed.get("weights_only") != "True":
                found.append(called)
            if allowed.get("allow_pickle", "False") != "False":
                found.append(called)
    return found


def test_unpickling_is_found():
    for line in (
        "import pickle",
        "from pickle import loads",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "joblib.load(path)",
    ):
        assert unpickles(ast.parse(line)), line
    assert not unpickles(ast.parse("np.load(path, allow_pickle=False)"))


def test_nothing_is_unpickled():
    assert {name: found for name, tree in TREES.items() if (found := unpickles(tree))} == {}


def test_the_package_exports_nothing_that_is_named_as_a_module():
    modules = {module.name for module in pkgutil.iter_modules([str(PACKAGE)])}
    assert {"problem", "sharpness", "training"} <= modules
    assert not set(labsupport.__all__) & modules
    for name in labsupport.__all__:
        assert getattr(labsupport, name).__module__.startswith("labsupport.")


def test_every_public_module_says_what_it_is_for():
    public = [name for name in TREES if not any(part.startswith("_") for part in name.split("."))]
    assert len(public) > 100
    assert [name for name in public if not ast.get_docstring(TREES[name])] == []


@pytest.mark.parametrize("old", sorted(_renamed.MODULES))
def test_an_old_name_warns_and_works(old):
    new = f"labsupport.{_renamed.MODULES[old]}"
    program = f"""
import importlib, warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    module = importlib.import_module("labsupport.{old}")
assert [w.category for w in said if "{new}" in str(w.message)] == [DeprecationWarning], said
assert module is importlib.import_module("{new}")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_new_name_does_not_warn(recwarn):
    for new in _renamed.MODULES.values():
        importlib.import_module(f"labsupport.{new}")
    assert not [one for one in recwarn if one.category is DeprecationWarning]
