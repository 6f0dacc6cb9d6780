"""What the environment says: folders, device and scale. The only place of the package that reads it; imports nothing of ours."""

from __future__ import annotations

import os
from pathlib import Path

import torch

SCALES = ("smoke", "laptop", "gpu")


def _given(name: str) -> str:
    return os.environ.get(name, "").strip()


def cache_home() -> Path:
    """The folder for what may be deleted at any time: ``$XDG_CACHE_HOME``, else ``~/.cache``."""
    given = _given("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ".cache"


def store_folder() -> Path:
    """Where results are kept: ``$LABSUPPORT_STORE``, else in the user's cache folder."""
    given = _given("LABSUPPORT_STORE")
    return Path(given).expanduser() if given else cache_home() / "labsupport" / "store"


def data_folder() -> Path:
    """Where data sets are kept: ``$LABSUPPORT_DATA``, else in the user's cache folder."""
    given = _given("LABSUPPORT_DATA")
    return Path(given).expanduser() if given else cache_home() / "labsupport" / "data"


def scale() -> str:
    """The scale's name: ``$LABSUPPORT_SCALE``, else ``gpu`` where torch sees one, else ``laptop``."""
    return _given("LABSUPPORT_SCALE") or ("gpu" if torch.cuda.is_available() else "laptop")


def workers() -> int | None:
    """How many processes may train side by side, by ``$LABSUPPORT_WORKERS``; None where nothing is said."""
    given = _given("LABSUPPORT_WORKERS")
    return max(1, int(given)) if given else None


def shows_progress() -> bool:
    """Whether progress bars are wanted: not where ``TQDM_DISABLE`` is set, as in the book's own build."""
    return not _given("TQDM_DISABLE")
