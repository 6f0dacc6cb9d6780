"""Samples and labels as two tensors on one device, whatever they were given as."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from torch.utils.data import Dataset as TorchDataset

from labsupport.arguments import shown

_POSSIBLE = (
    "give two tensors of N samples and N labels, a torch Dataset or DataLoader of (sample, label) pairs, "
    "or a labsupport Dataset"
)


def read(inputs, labels=None) -> tuple[Tensor, Tensor]:
    """Tensors (N, ...) and (N, ...) on the samples' device.

    A `DataLoader` is read once, in the order in which it gives its batches; so is a torch `Dataset`. Of a labsupport
    `Dataset` the training samples are taken.

    Raises
    ------
    TypeError, ValueError
        Nothing of these, no samples, another number of labels than of samples.
    """
    if labels is None:
        inputs, labels = _pairs(inputs)
    inputs, labels = _tensor("inputs", inputs), _tensor("labels", labels)
    if inputs.dim() == 0 or labels.dim() == 0 or len(inputs) != len(labels) or len(inputs) == 0:
        raise ValueError(
            f"There are {_count(inputs)} samples and {_count(labels)} labels; "
            "equally many, and at least one, are needed."
        )
    return inputs, labels.to(inputs.device)


def _pairs(given) -> tuple:
    if hasattr(given, "x_train") and hasattr(given, "y_train"):
        return given.x_train, given.y_train
    if isinstance(given, str):
        raise TypeError(
            f"inputs is {given!r}; {_POSSIBLE}. For a data set by name: Problem('F0', {given!r}).objective()."
        )
    if isinstance(given, TorchDataset) and not isinstance(given, IterableDataset):
        given = DataLoader(given, batch_size=256)
    if isinstance(given, IterableDataset):
        given = DataLoader(given, batch_size=256)
    if not isinstance(given, DataLoader):
        raise TypeError(f"inputs is {shown(given)} and there are no labels; {_POSSIBLE}.")
    batches = []
    with torch.random.fork_rng(devices=[]):  # a loader draws a seed of torch's own generator
        for batch in given:
            if not isinstance(batch, list | tuple) or len(batch) != 2:
                raise TypeError(
                    f"The loader gives {shown(batch)}; pairs of (samples, labels) are needed."
                )
            batches.append(tuple(torch.as_tensor(part) for part in batch))
    if not batches:
        raise ValueError(
            "The loader gives no batch. Is its data set empty, or smaller than batch_size with drop_last?"
        )
    return tuple(torch.cat(parts) for parts in zip(*batches))


def _tensor(name: str, given) -> Tensor:
    if isinstance(given, np.ndarray) and given.dtype.kind in "biuf":
        given = torch.from_numpy(np.ascontiguousarray(given))
    if isinstance(given, list | tuple) and given and all(isinstance(one, int) for one in given):
        given = torch.tensor(given)
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} is {shown(given)}; {_POSSIBLE}.")
    if given.layout != torch.strided or given.is_nested or given.is_meta or given.is_complex():
        raise TypeError(
            f"{name} is a tensor of {given.dtype}, layout {given.layout}, on {given.device}; "
            "a dense tensor of real numbers is needed."
        )
    given = given.detach()
    if given.is_inference():
        with torch.inference_mode(False):
            given = given.clone()  # autograd refuses a tensor made under inference mode
    return given.float() if given.dtype in (torch.float16, torch.bfloat16) else given


def _count(tensor: Tensor) -> int:
    return len(tensor) if tensor.dim() else 0


def class_numbers(labels: Tensor, classes: int) -> Tensor:
    """Labels (N,) int64 from class numbers of any whole type, (N,) or (N, 1), or from one-hot rows (N, K).

    Raises
    ------
    TypeError
        Labels that are no classes.
    ValueError
        A label outside 0 .. K - 1; rows that are not one-hot.
    """
    hint = "Class numbers (N,), such as labels.long(), are needed; for other targets give loss=, a mean over samples."
    if labels.dim() == 2 and labels.shape[1] == classes and classes > 1:
        one_hot = ((labels == 0) | (labels == 1)).all() and (labels.sum(1) == 1).all()
        if not one_hot:
            raise ValueError(f"labels have shape {tuple(labels.shape)} and are not one-hot. {hint}")
        return labels.to(torch.float32).argmax(1)
    if labels.dim() == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dim() != 1:
        raise ValueError(f"labels have shape {tuple(labels.shape)}. {hint}")
    if labels.is_floating_point():
        raise TypeError(f"labels hold {labels.dtype}. {hint}")
    labels = labels.long()
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        place = int(outside.nonzero()[0])
        raise ValueError(
            f"Label {int(labels[place])} of sample {place} is none of the network's {classes} classes, "
            f"0 to {classes - 1}. Leave such samples out, or give the network more outputs."
        )
    return labels


def number_format(inputs: Tensor, network: nn.Module) -> torch.dtype:
    """In which format f is computed: the inputs' own; for whole numbers the network's, at least float32."""
    if inputs.is_floating_point():
        return inputs.dtype
    own = next((p.dtype for p in network.parameters() if p.requires_grad), torch.float32)
    return own if own in (torch.float32, torch.float64) else torch.float32
