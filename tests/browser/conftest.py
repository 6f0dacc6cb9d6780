"""The rendered book and a browser that reaches no other host, for the tests of this folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import trial
import yaml
from filelock import FileLock

from tools import vendor
from tools.address import Address
from tools.browser import CHROMIUM, SWITCHES
from tools.execute import ROOT
from tools.published import Place
from tools.render import render

#: Where the book of the tests is at home.
FORK = Place(Address("https://github.com/some-one/their-fork", "main"), "v1.0.0")


@pytest.fixture(scope="session")
def html(tmp_path_factory, worker_id) -> Path:
    """The book rendered from the committed outputs, with a page of our own at its end; once for all test processes."""
    here = tmp_path_factory.getbasetemp()
    build = (here if worker_id == "master" else here.parent) / "rendered"
    with FileLock(f"{build}.lock"):
        if not (build / "complete").exists():
            shutil.rmtree(build, ignore_errors=True)
            assert rendered(build) == 0, "the book does not render without warnings, see above"
            (build / "complete").touch()
    return build / "out" / "_build" / "html"


def rendered(build: Path) -> int:
    source = build / "src"
    shutil.copytree(
        ROOT / "book",
        source / "book",
        ignore=shutil.ignore_patterns(".ipynb_checkpoints", "__pycache__"),
    )
    shutil.copy2(ROOT / "_config.yml", source)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    contents["parts"].append({"caption": "Trial", "chapters": [{"file": f"book/{trial.NAME}"}]})
    (source / "_toc.yml").write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")
    trial.write(source / "book")
    return render(source, build / "out", FORK, strict=True)


@pytest.fixture(scope="module")  # its event loop must end before other tests start theirs
def browser():
    """Headless Chromium. Skips where there is none, except in continuous integration."""
    if CHROMIUM is None:
        reason = "no Chromium here: install Debian's chromium, or name one in CHROMIUM"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, which looks for what keeps people out."""
    return (vendor.unpack(vendor.AXE, tmp_path_factory.mktemp("axe")) / "axe.min.js").read_text(
        encoding="utf-8"
    )
