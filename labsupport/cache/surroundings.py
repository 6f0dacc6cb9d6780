"""What a number depends on besides code and arguments: versions of libraries, and torch's switches.

The number of threads and the kind of CPU may change a number's last bits and are not among it.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import metadata

import torch

from labsupport import device as devices

#: Every library that computes or makes a number in this package.
LIBRARIES = ("torch", "numpy", "scipy", "pandas", "mnist1d", "torchvision")


def versions() -> dict[str, str]:
    """{library: version}, Python's own too; "none" for one that is not installed."""
    found = {name: _version(name) for name in LIBRARIES}
    return {
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        **found,
        "torch": str(torch.__version__),
    }


@functools.cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def switches() -> dict[str, str]:
    """{switch: state} of everything that can be set in torch and that changes what it computes."""
    found = {name: _state(read) for name, read in _SWITCHES.items()}
    return {"device": devices.pick().type, **found}


def _state(read: Callable[[], object]) -> str:
    try:
        return str(read())
    # another torch; or two ways of setting it were mixed
    except (AttributeError, RuntimeError) as error:
        return type(error).__name__


def _autocast(kind: str) -> str:
    on = torch.is_autocast_enabled(kind)
    return str(torch.get_autocast_dtype(kind)) if on else "off"


def _fp32(*path: str) -> Callable[[], object]:
    """A reader of torch's newer switches, ``torch.backends....fp32_precision``; "none" means as the
    one above it says.
    """

    def read() -> str:
        levels = [
            functools.reduce(getattr, path[:depth], torch.backends)
            for depth in range(len(path), -1, -1)
        ]
        said = [getattr(level, "fp32_precision", "none") for level in levels]
        return next((word for word in said if word != "none"), "ieee")

    return read


def _older(read: Callable[[], object]) -> Callable[[], object]:
    """A switch that says the same as the newer ones, for a torch that lacks those."""
    return lambda: "as fp32" if hasattr(torch.backends, "fp32_precision") else read()


_SWITCHES: dict[str, Callable[[], object]] = {
    "default dtype": torch.get_default_dtype,
    "default device": torch.get_default_device,
    "matmul precision": _older(torch.get_float32_matmul_precision),
    "matmul tf32": _older(lambda: torch.backends.cuda.matmul.allow_tf32),
    "cudnn tf32": _older(lambda: torch.backends.cudnn.allow_tf32),
    "matmul fp16": lambda: torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction,
    "matmul bf16": lambda: torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
    "matmul fp16 sums": lambda: torch.backends.cuda.matmul.allow_fp16_accumulation,
    "fp32 cuda matmul": _fp32("cuda", "matmul"),
    "fp32 cudnn conv": _fp32("cudnn", "conv"),
    "fp32 cudnn rnn": _fp32("cudnn", "rnn"),
    "fp32 mkldnn matmul": _fp32("mkldnn", "matmul"),
    "fp32 mkldnn conv": _fp32("mkldnn", "conv"),
    "fp32 mkldnn rnn": _fp32("mkldnn", "rnn"),
    "mkldnn": lambda: torch.backends.mkldnn.enabled,
    "mkldnn deterministic": lambda: torch.backends.mkldnn.deterministic,
    "deterministic": torch.are_deterministic_algorithms_enabled,
    "cudnn": lambda: torch.backends.cudnn.enabled,
    "cudnn deterministic": lambda: torch.backends.cudnn.deterministic,
    "cudnn benchmark": lambda: torch.backends.cudnn.benchmark,
    "attention flash": torch.backends.cuda.flash_sdp_enabled,
    "attention efficient": torch.backends.cuda.mem_efficient_sdp_enabled,
    "attention math": torch.backends.cuda.math_sdp_enabled,
    "autocast cpu": lambda: _autocast("cpu"),
    "autocast cuda": lambda: _autocast("cuda"),
}
