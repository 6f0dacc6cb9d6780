"""S copies of one network, computed together: the forward pass as a function of a matrix x (S, n).

Each layer of the `nn.Sequential` becomes one call that serves all S copies: a batched matrix product, a grouped
convolution, one batch norm over S times as many channels. Flat activations are kept features first, (S, C, B), so
that batch norm and the loss need no transposed copy. The gradient of fully connected networks is written out in `dense`,
layer by layer as here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Layout:
    """Where each parameter of a network lies in its flat vector: names, shapes, and sizes, in registration order."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, network: nn.Module) -> Layout:
        named = list(network.named_parameters())
        return cls(tuple(k for k, _ in named), tuple(p.shape for _, p in named), tuple(p.numel() for _, p in named))

    @property
    def n(self) -> int:
        return sum(self.sizes)

    def split(self, x: Tensor) -> dict[str, Tensor]:
        """x (S, n) -> {name: (S, *shape)}, views of x."""
        parts = x.split(self.sizes, dim=1)
        return {k: part if len(shape) == 1 else part.view(-1, *shape) for k, shape, part in zip(self.names, self.shapes, parts)}


#: What batch norm says to a batch of one.
ONE_SAMPLE = "Batch norm needs at least 2 samples in a batch to form a variance; this batch has 1."
#: Statistics of one batch-norm layer for S models: mean (S, C) and variance (S, C).
Statistics = tuple[Tensor, Tensor]


def forward(network: nn.Sequential, layout: Layout, x: Tensor, inputs: Tensor, *, shared: bool, dropout: bool = False,
            frozen: dict[str, Statistics] | None = None, observe: dict[str, Statistics] | None = None) -> Tensor:
    """Logits of S networks, classes first: (S, K, B).

    Parameters
    ----------
    x : Tensor (S, n)
    inputs : Tensor (B, ...) if ``shared``, the same for all models, else (S, B, ...), each model its own
    dropout
        Whether dropout layers are active; they draw from torch's own generator.
    frozen
        Mean and variance to use in each batch-norm layer instead of the batch's own.
    observe
        A dictionary that receives the batch's mean and (biased) variance of each batch-norm layer.
    """
    models = x.shape[0]
    weights = layout.split(x)
    h = inputs.unsqueeze(0).expand(models, *inputs.shape) if shared else inputs
    h = h.flatten(2).transpose(1, 2) if h.dim() == 3 else h.transpose(0, 1).flatten(1, 2)
    # h is flat, (S, C, B), for vectors and spatial, (B, S*C, ...), for images; `flat` says which
    flat = inputs.dim() - (0 if shared else 1) == 2
    if h.dim() == 4:
        h = h.contiguous(memory_format=torch.channels_last)  # a quarter faster on a CPU, and what tensor cores want
    for name, layer in network.named_children():
        w = {k: weights[f"{name}.{k}"] for k, _ in layer.named_parameters(recurse=False)}
        if isinstance(layer, nn.Linear):
            bias = w["bias"].unsqueeze(2)
            h = torch.baddbmm(bias, w["weight"], h)
        elif isinstance(layer, nn.ReLU):
            h = F.relu(h)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            h = _normalize(layer, name, w, h, flat, frozen, observe, evaluation=shared)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            convolve = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
            h = convolve(h, w["weight"].flatten(0, 1), w["bias"].flatten(), layer.stride, layer.padding,
                         layer.dilation, models * layer.groups)
        elif isinstance(layer, nn.MaxPool2d):
            h = F.max_pool2d(h, layer.kernel_size, layer.stride, layer.padding)
        elif isinstance(layer, nn.Dropout):
            h = F.dropout(h, layer.p, training=dropout)
        elif isinstance(layer, nn.Flatten):
            if not flat:
                h = h.unflatten(1, (models, -1)).flatten(2).permute(1, 2, 0)  # (B, S*C, ...) -> (S, C*..., B)
                flat = True
        elif isinstance(layer, nn.Unflatten):
            h = h.unflatten(1, layer.unflattened_size).permute(3, 0, 1, 2).flatten(1, 2)  # -> (B, S*C, length)
            flat = False
        else:
            raise TypeError(f"Layer {name} is a {type(layer).__name__}, which cannot be stacked. Possible: Linear, Conv1d, "
                            "Conv2d, BatchNorm1d, BatchNorm2d, ReLU, MaxPool2d, Dropout, Flatten, Unflatten.")
    return h


def _normalize(layer, name, w, h, flat, frozen, observe, *, evaluation: bool) -> Tensor:
    """Batch norm of S models at once; the statistics are the batch's own unless ``frozen`` brings others.

    In an ``evaluation`` flat activations go through a layer norm over the batch, the same sum and a fifth faster on a CPU.
    In training that last digit would become another path, and with it every number of the book.
    """
    if layer.track_running_stats:
        raise TypeError(f"Layer {name} keeps running statistics, which are no function of x. "
                        "Build it with track_running_stats=False.")
    shape = h.shape
    models = w["weight"].shape[0]
    merged = h.reshape(1, -1, shape[2]) if flat else h  # channels of all models side by side
    if merged.numel() // merged.shape[1] < 2 and frozen is None:
        raise ValueError(ONE_SAMPLE)
    if evaluation and flat and frozen is None and observe is None:
        return torch.addcmul(w["bias"].unsqueeze(2), F.layer_norm(h, shape[2:], eps=layer.eps), w["weight"].unsqueeze(2))
    mean = variance = None
    if frozen is not None:
        mean, variance = (s.reshape(-1) for s in frozen[name])
    if observe is not None:
        axes = [d for d in range(merged.dim()) if d != 1]
        found_var, found_mean = torch.var_mean(merged.detach(), axes, correction=0)
        observe[name] = (found_mean.view(models, -1), found_var.view(models, -1))
    out = F.batch_norm(merged, mean, variance, w["weight"].reshape(-1), w["bias"].reshape(-1),
                       training=frozen is None, eps=layer.eps)
    return out.view(shape)
