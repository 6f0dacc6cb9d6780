"""The gradient of S fully connected networks, written out: what autograd finds, in fewer and smaller passes.

In a batch of 32, much of a training step is not arithmetic but bookkeeping: a graph of forty nodes is built and walked,
and each node keeps and copies what it may need. A chain of linear layers, batch norms and ReLUs needs no graph.
The same kernels are called in the same order, so that even the rounding agrees wherever memory is laid out alike: on the
CPU that made the book's outputs, F0's training takes the very path that autograd's gradients lead along.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from labsupport.stack import ONE_SAMPLE, Layout

_aten = torch.ops.aten


class Block(NamedTuple):
    """A linear layer and what follows it: the names of its parameters, and whether a ReLU ends it."""

    weight: str
    bias: str
    scale: str | None = None  # of a batch norm
    shift: str | None = None
    norm: nn.BatchNorm1d | None = None  # asked for its eps
    relu: bool = False


def chain(network: nn.Sequential) -> tuple[Block, ...] | None:
    """The network as blocks of Linear, perhaps BatchNorm1d, perhaps ReLU; None where it has anything else.

    >>> from labsupport import networks
    >>> len(chain(networks.build("F0"))), chain(networks.build("C0"))
    (4, None)
    """
    blocks: list[Block] = []
    for name, layer in network.named_children():
        ended = not blocks or blocks[-1].relu
        if isinstance(layer, nn.Flatten) and not blocks:
            continue
        elif isinstance(layer, nn.Linear) and layer.bias is not None:
            blocks.append(Block(f"{name}.weight", f"{name}.bias"))
        elif isinstance(layer, nn.BatchNorm1d) and not ended and not blocks[-1].norm and not layer.track_running_stats:
            blocks[-1] = blocks[-1]._replace(scale=f"{name}.weight", shift=f"{name}.bias", norm=layer)
        elif isinstance(layer, nn.ReLU) and not ended:
            blocks[-1] = blocks[-1]._replace(relu=True)
        else:
            return None
    return tuple(blocks) or None


@torch.no_grad()
def value_and_gradient(blocks: tuple[Block, ...], layout: Layout, x: Tensor, inputs: Tensor,
                       labels: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of S models (S,) and its gradient (S, n), by one pass forward and one back.

    ``x`` (S, n). With ``inputs`` (S, B, ...) and ``labels`` (S, B), each model's own, as in training: their mean. With
    ``inputs`` (B, ...) and ``labels`` (B,) for all models, as in an evaluation: their sum. Both as in `stack.forward`.
    """
    shared = labels.dim() == 1
    if shared:
        inputs, labels = inputs.expand(len(x), *inputs.shape), labels.expand(len(x), -1)
    count = 1 if shared else labels.shape[1]
    gradient = torch.empty_like(x)
    at, slope = layout.split(x), layout.split(gradient)
    h, kept = inputs.flatten(2).transpose(1, 2), []  # activations are (S, features, B)
    for block in blocks:
        z = torch.baddbmm(at[block.bias].unsqueeze(2), at[block.weight], h)
        out, found = _normalize(block, at, z, shared) if block.norm else (z, ())
        out = out.relu_() if block.relu else out
        kept.append((h, z, found, out))
        h = out
    logs, wanted = torch.log_softmax(h, 1), labels.unsqueeze(1)
    losses = -logs.gather(1, wanted).squeeze(1).sum(1) / count
    back = torch.zeros_like(logs).scatter_(1, wanted, -1 / count)
    back = _aten._log_softmax_backward_data(back, logs, 1, logs.dtype)
    for block, (h, z, found, out) in zip(reversed(blocks), reversed(kept)):
        if block.relu:
            _aten.threshold_backward.grad_input(back, out, 0, grad_input=back)
        if block.norm:
            back = _normalize_backward(block, at, slope, back, z, found, shared)
        torch.sum(back, 2, out=slope[block.bias])
        torch.bmm(back, h.transpose(1, 2), out=slope[block.weight])
        if block is not blocks[0]:
            back = torch.bmm(at[block.weight].transpose(1, 2), back)
    return losses, gradient


def _normalize(block: Block, at: dict[str, Tensor], z: Tensor, shared: bool) -> tuple[Tensor, tuple]:
    """Batch norm of z (S, C, B), and what its way back needs; in an evaluation by rows, as in `stack.forward`."""
    if z.shape[2] < 2:
        raise ValueError(ONE_SAMPLE)
    scale, shift = at[block.scale], at[block.shift]
    if shared:
        norm = torch.native_layer_norm(z, z.shape[2:], None, None, block.norm.eps)
        return torch.addcmul(shift.unsqueeze(2), norm[0], scale.unsqueeze(2)), norm
    out, *moments = torch.native_batch_norm(z.view(1, -1, z.shape[2]), scale.reshape(-1), shift.reshape(-1), None, None,
                                            True, 0.0, block.norm.eps)
    return out.view(z.shape), tuple(moments)


def _normalize_backward(block: Block, at: dict[str, Tensor], slope: dict[str, Tensor], back: Tensor, z: Tensor,
                        norm: tuple, shared: bool) -> Tensor:
    """The gradient with respect to z; those of scale and shift are written to ``slope``. Overwrites what it is given."""
    scale = at[block.scale]
    if shared:
        normal, mean, spread = norm
        torch.sum(back, 2, out=slope[block.shift])
        torch.sum(normal.mul_(back), 2, out=slope[block.scale])
        back.mul_(scale.unsqueeze(2))
        return _aten.native_layer_norm_backward(back, z, z.shape[2:], mean, spread, None, None, [True, False, False])[0]
    flat = (1, -1, z.shape[2])
    back, of_scale, of_shift = _aten.native_batch_norm_backward(back.view(flat), z.view(flat), scale.reshape(-1), None, None,
                                                                *norm, True, block.norm.eps, [True, True, True])
    slope[block.scale].copy_(of_scale.view(scale.shape))
    slope[block.shift].copy_(of_shift.view(scale.shape))
    return back.view(z.shape)
