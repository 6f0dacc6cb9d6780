"""One page of the book in a tab of its own, opened from a folder as from a USB stick, with no other host in reach."""

from __future__ import annotations

import re
from pathlib import Path

from trial import NAME as TRIAL

from tools import notebooks
from tools.execute import ROOT

CHAPTERS = [path.stem for path in notebooks.chapters(ROOT / "book")]
NOTEBOOKS = [path.stem for path in notebooks.every(ROOT / "book")]
PAGES = [
    *sorted(path.stem for kind in ("md", "ipynb") for path in (ROOT / "book").glob(f"*.{kind}")),
    TRIAL,
]
WIDTHS = (1280, 390)
GRAVE = ("serious", "critical")


class Visit:
    """One page in a tab of its own; `faults` collects what went wrong while it was open."""

    def __init__(self, browser, address: str, width: int):
        self.faults = []
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="light"
        )
        self.context.set_default_timeout(90_000)  # the other core may be training
        self.origin = re.match(r"file://|https?://[^/]+", address).group()
        self.context.route(re.compile("^(?!file:|data:|blob:)"), self._guard)
        self.page = self.context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on(
            "requestfailed", lambda request: self.faults.append(f"failed: {request.url[:200]}")
        )
        self.page.on("response", self._response)
        self.page.goto(address)
        if self.page.locator("script[type='application/vnd.jupyter.widget-view+json']").count():
            self.page.wait_for_function("document.querySelector('.lab-explore')")
            self.page.wait_for_function(
                "![...document.querySelectorAll('.lab-explore')].some(f => !f.dataset.ready)"
            )
        self.page.evaluate("() => window.MathJax?.startup?.promise")
        self.page.add_style_tag(
            content="* { transition: none !important; animation: none !important; }"
        )

    def open_results(self) -> None:
        """Show what waits for a prediction, as a reader does who does not predict."""
        self.page.locator(".lab-curtain button").evaluate_all(
            "buttons => buttons.forEach(button => button.click())"
        )

    def _guard(self, route):
        if route.request.url.startswith(self.origin):
            route.continue_()
        else:
            self.faults.append(f"asked another host: {route.request.url[:200]}")
            route.abort()

    def _console(self, message):
        if message.type == "error":
            self.faults.append(f"console: {message.text[:300]}")

    def _response(self, response):
        if response.status >= 400:
            self.faults.append(f"{response.status}: {response.url[:200]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


def address(html: Path, name: str) -> str:
    return (html / "book" / f"{name}.html").as_uri()


def barriers(page) -> list[str]:
    """What axe finds serious: rule, element and what would mend it."""
    found = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]
