"""Where the arithmetic happens: one device, and how many processes may share the machine."""

from __future__ import annotations

import os

import torch

from labsupport import __version__
from labsupport.errors import shown
from labsupport.settings import environment

_POSSIBLE = "Use 'cpu', 'cuda' or 'cuda:0'."


def pick(device: str | torch.device | None = None) -> torch.device:
    """The device asked for; without a wish, the GPU if torch sees one, else the CPU.

    Raises
    ------
    ValueError
        The name is no device, or names a GPU that torch does not see, or a kind of device on which the
        sums in float64 that every loss needs cannot be computed.
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not isinstance(device, str | torch.device):
        raise ValueError(
            f"device is {shown(device)}; a name or a torch.device is needed. {_POSSIBLE}"
        )
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"No device is called {shown(device)}. {_POSSIBLE}") from error
    if found.type == "cpu":
        return torch.device("cpu")
    if found.type != "cuda":
        raise ValueError(
            f"device is {str(found)!r}; this package computes on a CPU or a CUDA GPU. {_POSSIBLE}"
        )
    if not torch.cuda.is_available():
        raise ValueError(
            "A GPU was asked for, but torch sees none here. Use device='cpu' or leave it out."
        )
    if found.index is not None and found.index >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise ValueError(
            f"device is {str(found)!r}; torch sees {count}, numbered from 0 to {count - 1}."
        )
    return found


def describe() -> str:
    """One line for the top of a notebook: device, scale, torch and package version."""
    where = pick()
    name = (
        torch.cuda.get_device_name(where)
        if where.type == "cuda"
        else f"CPU, {os.cpu_count()} cores"
    )
    return f"{name} | scale: {environment.scale()} | torch {torch.__version__} | labsupport {__version__}"


def workers() -> int:
    """How many processes may train side by side: one on a GPU, one a core elsewhere; LABSUPPORT_WORKERS decides."""
    wish = environment.workers()
    if wish is not None:
        return wish
    return 1 if torch.cuda.is_available() else max(1, min(4, os.cpu_count() or 1))
