"""What a claim is, and the claims that were made: kept with a digest, read by the scorecard of chapter 9."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import asdict, dataclass, fields
from functools import cache as once
from importlib import resources
from pathlib import Path

import pandas as pd

from labsupport import cache, device, files, settings
from labsupport.cache import code


@dataclass(frozen=True)
class Claim:
    """One checked line.

    ``mean``, ``low``, ``high`` : the t-interval, in the values' unit; ``margin`` : from bound to mean in standard
    errors; all NaN for a claim that is a plain fact. ``bound`` : what was claimed, in words. ``count`` values,
    ``over`` what.
    """

    key: str
    says: str
    held: bool
    evidence: str
    margin: float
    paper: str = ""
    scale: str = ""
    device: str = ""
    torch: str = ""
    exploratory: bool = False
    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    bound: str = ""
    count: int = 0
    over: str = ""


def write(made: Claim) -> None:
    """Keep a claim for the scorecard; where nothing can be kept, that is said."""
    path = _folder() / f"{made.key}.json"
    content = {**asdict(made), "code": _code()}
    try:
        files.write(path, json.dumps({"claim": content, "digest": _digest(content)}, indent=1))
    except OSError as error:
        cache.warn_not_stored(path, error)


def _digest(content: dict) -> str:
    return cache.fingerprint(json.dumps(content, sort_keys=True))


def _folder() -> Path:
    """Where the claims of the current scale and device are kept."""
    return cache.folder() / "claims" / f"{settings.current().name}-{device.pick().type}"


@once
def _code() -> str:
    """A digest of the package's code, as it was when the first claim was made or read."""
    return code.written()


def recorded() -> pd.DataFrame:
    """All claims made on this machine at the current scale and device; for the others, the committed ones.

    Columns are those of `Claim`, and ``source``: "this machine" or "committed". A recorded claim that was altered, that
    is not one of this scale and device, or that other code has made, is left out, with a warning that names it.
    """
    here, left_out = [], []
    for path in sorted(_folder().glob("*")):
        try:
            here.append(_read(path))
        except _NotOurs as error:
            left_out.append(f"{path.name} ({error})")
    if left_out:
        warnings.warn(
            f"Left out of the claims recorded on this machine: {', '.join(left_out)}. Run their chapters again.",
            stacklevel=2,
        )
    rows = {c["key"]: {**c, "source": "committed"} for c in committed()}
    rows |= {c["key"]: {**c, "source": "this machine"} for c in here}
    order = sorted(rows, key=lambda key: [int(part) for part in key.split(".")])
    return pd.DataFrame([rows[key] for key in order])


class _NotOurs(Exception):
    """A file among the claims that is no claim of this code, scale and device; the message says why."""


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found, digest = content["claim"], content["digest"]
        whole = _digest(found) == digest
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _NotOurs("no claim") from error
    if not whole:
        raise _NotOurs("altered")
    if found.pop("code", None) != _code():
        raise _NotOurs("made by other code")
    if set(found) != {f.name for f in fields(Claim)} or path != _folder() / f"{found['key']}.json":
        raise _NotOurs("of another name")
    if (found["scale"], found["device"]) != (settings.current().name, device.pick().type):
        raise _NotOurs("of another scale or device")
    return found


def committed() -> list[dict]:
    """The claims of the book as it was last run, {field: value} each."""
    path = resources.files("labsupport") / "results" / "claims.json"
    return json.loads(path.read_text(encoding="utf-8"))["claims"] if path.is_file() else []
