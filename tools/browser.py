"""Which browser prints the book and looks at its pages."""

import os
import shutil
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
)
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)


def find() -> str | None:
    """The browser that ``CHROMIUM`` names, else the first that is installed; None if there is none."""
    if given := os.environ.get("CHROMIUM", ""):
        return shutil.which(given)
    found = (
        shutil.which(name)
        for name in (*NAMES, *PLACES)
        if shutil.which(name) or Path(name).is_file()
    )
    return next(found, None)


CHROMIUM = find()
#: Headless, and silent towards its maker's hosts.
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
