"""*The package, name by name* (book/api.md) has every public name, with its docstring, and renders clean."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "api.md"
WORDS = PAGE.read_text(encoding="utf-8")
#: What the page must show; none can be left out by deleting its heading.
MODULES = [
    *["problem", "recipe", "training", "objective", "networks", "data"],
    *["sharpness", "curvature", "landscape", "symmetry", "subspace", "remedies", "sweep"],
    *["check", "intervals", "paper", "provenance", "plots", "explore", "cache", "device"],
    *["settings", "experiments", "experiments.minima", "experiments.tables"],
]
#: The page's own settings: Sphinx with the extensions of the book that docstrings need, and nothing else.
CONF = """
import sys, yaml
sys.path.insert(0, {folder!r})
settings = yaml.safe_load(open({config!r}, encoding="utf-8"))["sphinx"]
globals().update({{key: settings["config"][key] for key in settings["config"] if key.split("_")[0] in {kinds!r}}})
extensions = ["myst_parser", "docstrings", *settings["extra_extensions"]]
html_theme = "basic"
root_doc = "api"
"""
KINDS = {"add", "autodoc", "default", "myst", "napoleon", "python", "toc"}


def public(name: str) -> dict[str, object]:
    """{full name: object}: the functions and classes that the module offers, be it by `__all__`."""
    module = importlib.import_module(f"labsupport.{name}")
    offered = getattr(module, "__all__", None)
    found = {}
    for one in offered or vars(module):
        thing = getattr(module, one)
        ours = offered or getattr(thing, "__module__", "") == module.__name__
        if (
            not one.startswith("_")
            and ours
            and (inspect.isfunction(thing) or inspect.isclass(thing))
        ):
            found[f"{module.__name__}.{one}"] = thing
    return found


def methods(name: str, thing: object) -> dict[str, object]:
    """{full name: method or property} of a class, without what begins with an underscore."""
    if not inspect.isclass(thing):
        return {}
    return {
        f"{name}.{part}": member
        for part, member in vars(thing).items()
        if not part.startswith("_")
        and (
            inspect.isfunction(member) or isinstance(member, (property, classmethod, staticmethod))
        )
    }


NAMES = {full: thing for module in MODULES for full, thing in public(module).items()}
METHODS = {
    full: part for name, thing in NAMES.items() for full, part in methods(name, thing).items()
}


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    """The page, rendered alone. A warning of Sphinx is a failure."""
    here = tmp_path_factory.mktemp("page")
    (here / "api.md").write_text(WORDS, encoding="utf-8")
    conf = CONF.format(
        config=str(ROOT / "_config.yml"), folder=str(ROOT / "book" / "_ext"), kinds=KINDS
    )
    (here / "conf.py").write_text(conf, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        str(here),
        str(here / "out"),
    ]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return (here / "out" / "api.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def shown(html) -> set[str]:
    """The names that have a place on the page, where a link can lead."""
    return set(re.findall(r'id="(labsupport[\w.]*)"', html))


def homes(full: str, thing: object) -> set[str]:
    """The names under which a thing may stand: the one it is imported by, and that of the file it is made in."""
    made = f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"
    short = re.sub(r"^labsupport\.experiments\.\w+\.", "labsupport.experiments.", full)
    return {full, made, short}


@pytest.mark.parametrize("full", sorted({**NAMES, **METHODS}))
def test_a_public_name_says_what_it_does(full):
    thing = {**NAMES, **METHODS}[full]
    assert (inspect.getdoc(thing) or "").strip(), f"{full} has no docstring"


@pytest.mark.parametrize("full", sorted(NAMES))
def test_a_public_name_stands_on_the_page(full, shown):
    assert shown & homes(full, NAMES[full]), f"{full} is not in book/api.md"


@pytest.mark.parametrize("full", sorted(METHODS))
def test_a_method_stands_on_the_page(full, shown):
    owner, _, method = full.rpartition(".")
    places = {f"{home}.{method}" for home in homes(owner, NAMES[owner])}
    assert shown & places, f"{full} is not in book/api.md"


def test_every_module_has_a_heading_on_the_page():
    headings = set(re.findall(r"^### labsupport\.([\w.]+)$", WORDS, re.M))
    assert set(MODULES) - headings <= {"experiments.minima"}  # its names stand under experiments


def test_the_docstrings_sections_are_rendered_and_not_shown_as_text(html):
    assert "Raises" in html and "Parameters" in html
    assert not re.search(
        r"<p>-{3,}|<p>(Raises|Parameters|Returns)\s*-{3,}|&gt;&gt;&gt; [^<]*</p>", html
    )


def test_the_contents_list_the_page_where_things_are_looked_up():
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    look_up = next(part for part in parts if part["caption"] == "To look things up")
    assert {"file": "book/api"} in look_up["chapters"]
