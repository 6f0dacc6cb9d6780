"""One tensor of a data set: what counts as inputs, what as labels, and in which form they are kept."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from labsupport.arguments import shown


def _has_values(tensor: Tensor) -> bool:
    return not tensor.is_meta and type(tensor).__name__ != "FakeTensor"


def inputs(name: str, x: object) -> Tensor:
    """Inputs (N, ...), detached; images of uint8 as float32 from 0 to 1."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name} is {shown(x)}; a tensor (N, ...) is needed. Dataset.of takes arrays and lists too."
        )
    if x.dim() < 1 or x.is_complex() or x.layout != torch.strided:
        raise ValueError(
            f"{name} is a tensor ({x.dtype}, {x.layout}) of shape {tuple(x.shape)}; (N, ...) is needed."
        )
    x = x.detach()
    if x.dtype == torch.uint8 and x.dim() >= 3:
        return x.float() / 255
    if x.is_floating_point() and _has_values(x) and not torch.isfinite(x).all():
        bad = (
            int((~torch.isfinite(x)).flatten(1).any(1).sum())
            if x.dim() > 1
            else int((~torch.isfinite(x)).sum())
        )
        raise ValueError(
            f"{name} has {bad} samples with numbers that are not finite. Take them out or mend them."
        )
    return x


def labels(name: str, y: object, num_classes: int) -> Tensor:
    """Labels (N,) as int64, each from 0 to num_classes - 1."""
    if not isinstance(y, Tensor):
        raise TypeError(
            f"{name} is {shown(y)}; a tensor (N,) is needed. Dataset.of takes arrays and lists too."
        )
    if y.dim() != 1 or y.is_floating_point() or y.is_complex() or y.dtype == torch.bool:
        raise ValueError(
            f"{name} is a tensor ({y.dtype}) of shape {tuple(y.shape)}; whole numbers of shape (N,) are needed."
        )
    y = y.detach().long()
    if len(y) and _has_values(y) and (int(y.min()) < 0 or int(y.max()) >= num_classes):
        wrong = int(y.min()) if int(y.min()) < 0 else int(y.max())
        raise ValueError(
            f"{name} holds the label {wrong}; with {num_classes} classes labels go from 0 to {num_classes - 1}."
        )
    return y


def one_label_each(name: str, y: Tensor) -> Tensor:
    """Labels (N,) from (N,), (N, 1) or one-hot (N, K); whole numbers written as 3.0 are taken as such."""
    if y.dim() == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dim() == 2 and y.numel() and ((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all():
        y = y.to(torch.int64).argmax(1)
    if y.dim() != 1 or y.numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(y.shape)}; one label a sample is needed: (N,), (N, 1) or one-hot (N, K)."
        )
    if y.is_floating_point() and bool((y == y.round()).all()):
        y = y.to(torch.int64)
    if y.is_floating_point() or y.is_complex():
        raise ValueError(
            f"{name} holds {y.dtype} numbers that are not whole; labels are whole numbers from 0."
        )
    return y.long()


def tensor(name: str, given: object) -> Tensor:
    if isinstance(given, Tensor):
        return given
    try:
        array = np.array(
            given
        )  # a copy: what is known by its content must not be changed from outside
        if array.dtype == np.float64 and not isinstance(given, np.ndarray):
            array = array.astype(np.float32)
        return torch.from_numpy(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"{name} is {shown(given)}; a tensor, an array or a list of numbers is needed."
        ) from error
