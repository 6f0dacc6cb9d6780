"""S copies of one network, computed together: the forward pass as a function of a matrix x (S, n).

Each layer of a plain `nn.Sequential` becomes one call that serves all S copies: a batched matrix product, a grouped
convolution, one batch norm over S times as many channels. Flat activations are kept features first, (S, C, B), so
that batch norm and the loss need no transposed copy; images are (B, S*C, H, W).
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labsupport.engine.functional import ONE_SAMPLE, NothingCarried, Statistics
from labsupport.engine.layout import Layout, aligned

__all__ = ["ONE_SAMPLE", "Layout", "Stacked", "Statistics", "forward"]
#: On a CPU torch's float64 convolution writes out the patch around every pixel, of all samples at once: 16 GB for C1
#: and 5,000 photographs. Here so many numbers at a time, 256 MiB; each sample's result is the same to the last bit.
DOUBLES = 2**25


class Stacked:
    """A plain sequence of layers at S points in one pass.

    With ``carried`` batch norm uses the running statistics that the layers hold now.
    """

    name = "stacked"

    def __init__(
        self, network: nn.Sequential, *, carried: bool, device: torch.device, dtype: torch.dtype
    ):
        self.network, self.layout = network, Layout.of(network)
        self.carried = _running(network, device, dtype) if carried else None

    def logits(
        self,
        points: Tensor,
        inputs: Tensor,
        *,
        shared: bool = True,
        frozen: dict[str, Statistics] | None = None,
        observe: dict[str, Statistics] | None = None,
        dropout: bool = False,
    ) -> Tensor:
        """Outputs (S, K, B) from points (S, n); as `functional.Functional.logits`."""
        held = self.carried if frozen is None and observe is None else frozen
        if held is not None:
            held = {
                name: (mean.expand(len(points), -1), variance.expand(len(points), -1))
                for name, (mean, variance) in held.items()
            }
        return forward(
            self.network,
            self.layout,
            points,
            inputs,
            shared=shared,
            dropout=dropout,
            frozen=held,
            observe=observe,
        )

    def to(self, device: torch.device, dtype: torch.dtype) -> Stacked:
        """The same network with its held tensors in another precision."""
        other = copy.copy(self)
        if self.carried is not None:
            other.carried = {
                name: (mean.to(device, dtype), variance.to(device, dtype))
                for name, (mean, variance) in self.carried.items()
            }
        return other


def _running(
    network: nn.Sequential, device: torch.device, dtype: torch.dtype
) -> dict[str, Statistics]:
    """{layer: (mean (1, C), variance (1, C))}, a copy of what each batch norm carries."""
    found = {}
    for name, layer in network._modules.items():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            mean, variance = layer.running_mean, layer.running_var
            if mean is None or variance is None:
                raise NothingCarried(f"Layer {name} ({type(layer).__name__})")
            found[name] = (
                mean.detach().to(device, dtype, copy=True)[None],
                variance.detach().to(device, dtype, copy=True)[None],
            )
    return found


def forward(
    network: nn.Sequential,
    layout: Layout,
    x: Tensor,
    inputs: Tensor,
    *,
    shared: bool,
    dropout: bool = False,
    frozen: dict[str, Statistics] | None = None,
    observe: dict[str, Statistics] | None = None,
) -> Tensor:
    """Logits of S networks, classes first: (S, K, B).

    Parameters
    ----------
    x : Tensor (S, n)
    inputs : Tensor (B, ...) if ``shared``, the same for all models, else (S, B, ...), each model its own
    dropout
        Whether dropout layers are active; they draw from torch's own generator.
    frozen
        Mean and variance (S, C) to use in each batch-norm layer instead of the batch's own.
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
        # a quarter faster on a CPU, and what tensor cores want
        h = h.contiguous(memory_format=torch.channels_last)
    # unlike named_children, a layer that is used twice stands there twice
    for name, layer in network._modules.items():
        w = {k: aligned(weights[f"{name}.{k}"]) for k, _ in layer.named_parameters(recurse=False)}
        if isinstance(layer, nn.Linear):
            h = (
                torch.baddbmm(w["bias"].unsqueeze(2), w["weight"], h)
                if "bias" in w
                else torch.bmm(w["weight"], h)
            )
        elif isinstance(layer, nn.ReLU):
            h = F.relu(h)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            h = _normalize(layer, name, w, h, flat, frozen, observe, evaluation=shared)
        elif isinstance(layer, nn.Conv1d | nn.Conv2d):
            h = _convolve(layer, w, h, models)
        elif isinstance(layer, nn.MaxPool2d):
            h = F.max_pool2d(
                h, layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.ceil_mode
            )
        elif isinstance(layer, nn.Dropout):
            h = F.dropout(h, layer.p, training=dropout)
        elif isinstance(layer, nn.Flatten):
            if not flat:
                # (B, S*C, ...) -> (S, C*..., B)
                h = h.unflatten(1, (models, -1)).flatten(2).permute(1, 2, 0)
                flat = True
        elif isinstance(layer, nn.Unflatten):
            # (S, F, B) -> (B, S*C, ...)
            h = h.permute(2, 0, 1).unflatten(2, layer.unflattened_size).flatten(1, 2)
            flat = False
        elif not isinstance(layer, nn.Identity):
            raise TypeError(
                f"Layer {name} is a {type(layer).__name__}, which cannot be stacked. Possible: Linear, Conv1d, "
                "Conv2d, BatchNorm1d, BatchNorm2d, ReLU, MaxPool2d, Dropout, Flatten, Unflatten, Identity."
            )
    return h


def _convolve(layer: nn.Conv1d | nn.Conv2d, w: dict[str, Tensor], h: Tensor, models: int) -> Tensor:
    """The convolutions of S networks at once, as groups; `DOUBLES` bounds what float64 on a CPU writes out for it."""
    convolve = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
    kernels, bias = w["weight"].flatten(0, 1), w["bias"].flatten() if "bias" in w else None
    groups = models * layer.groups

    def of(piece: Tensor) -> Tensor:
        return convolve(piece, kernels, bias, layer.stride, layer.padding, layer.dilation, groups)

    if h.dtype != torch.float64 or h.device.type != "cpu" or torch.is_grad_enabled():
        return of(h)
    patch = math.prod(layer.kernel_size) * h[0].numel()
    return torch.cat([of(piece) for piece in h.split(max(1, DOUBLES // patch))])


def _normalize(layer, name, w, h, flat, frozen, observe, *, evaluation: bool) -> Tensor:
    """Batch norm of S models at once; the statistics are the batch's own unless ``frozen`` brings others.

    In an ``evaluation`` flat activations go through a layer norm over the batch, the same sum and a
    fifth faster on a CPU. In training that last digit would become another path, and with it every
    number of the book.
    """
    shape = h.shape
    # (S, C, B) -> (1, S*C, B): channels of all models side by side
    merged = h.reshape(1, -1, shape[2]) if flat else h
    if merged.numel() // merged.shape[1] < 2 and frozen is None:
        raise ValueError(ONE_SAMPLE)
    if evaluation and flat and frozen is None and observe is None and len(w) == 2:
        return torch.addcmul(
            w["bias"].unsqueeze(2),
            F.layer_norm(h, shape[2:], eps=layer.eps),
            w["weight"].unsqueeze(2),
        )
    mean = variance = None
    if frozen is not None:
        mean, variance = (s.reshape(-1) for s in frozen[name])  # (S, C) -> (S*C)
    if observe is not None:
        axes = [d for d in range(merged.dim()) if d != 1]
        found_var, found_mean = torch.var_mean(merged.detach(), axes, correction=0)
        # (S, C)
        observe[name] = (
            found_mean.view(-1, layer.num_features),
            found_var.view(-1, layer.num_features),
        )
    scale, shift = (w[k].reshape(-1) if k in w else None for k in ("weight", "bias"))
    return F.batch_norm(
        merged, mean, variance, scale, shift, training=frozen is None, eps=layer.eps
    ).view(shape)
