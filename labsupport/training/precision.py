"""In which number format a training step multiplies. Every measure is taken in float32 or float64."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import nn


def chosen(asked: str, network: nn.Module, where: torch.device) -> torch.dtype:
    """The number format of a step's products, by what a recipe asks for: ``auto`` or a format of `recipe.PRECISIONS`.

    ``auto`` is float32, but for networks with two-dimensional convolutions where the machine multiplies in 16 bits: a
    GPU uses bf16 from compute capability 8 on, else fp16, whose loss is scaled; a CPU uses bf16 if it has AVX-512 BF16
    or AMX.
    """
    if asked != "auto":
        return getattr(torch, asked)
    if not any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        return torch.float32
    if where.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(where)[0] >= 8 else torch.float16
    if where.type == "cpu" and multiplies_in_bf16():
        return torch.bfloat16
    return torch.float32


def named(asked: str, network: nn.Module, where: torch.device) -> str:
    """As `chosen`, in a word, such as ``float32``."""
    return str(chosen(asked, network, where)).removeprefix("torch.")


@functools.cache
def multiplies_in_bf16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether this processor has instructions for products in bf16, as Linux lists them; False
    where nothing says so.
    """
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    flags = set(text.split())
    return bool({"avx512_bf16", "amx_bf16"} & flags)
