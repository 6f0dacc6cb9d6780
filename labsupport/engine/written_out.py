"""The gradient of S fully connected networks, written out: what autograd finds, in fewer and smaller passes.

In a batch of 32, much of a training step is not arithmetic but bookkeeping: a graph of forty nodes is built and walked,
and each node keeps and copies what it may need. A chain of linear layers, batch norms and ReLUs needs no graph.

In training the same kernels are called in the same order, so that even the rounding agrees wherever memory is laid out
alike: on the CPU that made the book's outputs, F0's training takes the very path that autograd's gradients lead along.
An evaluation, which leads nowhere, has its batch norm written out too, so that matrix products are most of its time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from labsupport.engine.layout import Layout
from labsupport.engine.stacked import ONE_SAMPLE, Stacked

_aten = torch.ops.aten


class WrittenOut(Stacked):
    """A chain of blocks: `logits` and `value_and_gradient` without a graph; where one is needed, as `Stacked`."""

    name = "written out"

    def __init__(self, network: nn.Sequential, blocks: tuple[Block, ...]):
        self.network, self.layout, self.carried = network, Layout.of(network), None
        self.blocks = blocks

    def logits(self, points: Tensor, inputs: Tensor, *, shared: bool = True, frozen=None, observe=None,
               dropout=False) -> Tensor:
        """Outputs (S, K, B), as `functional.Functional.logits`."""
        if shared and frozen is None and observe is None and not points.requires_grad:
            return logits(self.blocks, self.layout, points, inputs)
        return super().logits(points, inputs, shared=shared, frozen=frozen, observe=observe)

    def value_and_gradient(self, points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy (S,) and gradient (S, n): sums for labels (B,) that all share, means for labels (S, B)."""
        return value_and_gradient(self.blocks, self.layout, points, inputs, labels)


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
    for name, layer in network._modules.items():
        ended = not blocks or blocks[-1].relu
        if isinstance(layer, nn.Flatten) and not blocks:
            continue
        elif isinstance(layer, nn.Identity):
            continue
        elif isinstance(layer, nn.Linear) and layer.bias is not None:
            blocks.append(Block(f"{name}.weight", f"{name}.bias"))
        elif isinstance(layer, nn.BatchNorm1d) and not ended and not blocks[-1].norm and layer.bias is not None:
            blocks[-1] = blocks[-1]._replace(scale=f"{name}.weight", shift=f"{name}.bias", norm=layer)
        elif isinstance(layer, nn.ReLU) and not ended:
            blocks[-1] = blocks[-1]._replace(relu=True)
        else:
            return None
    return tuple(blocks) or None


@torch.no_grad()
def logits(blocks: tuple[Block, ...], layout: Layout, x: Tensor, inputs: Tensor) -> Tensor:
    """Outputs (S, K, B) of S models, x (S, n), for ``inputs`` (B, ...) that all of them see."""
    return _forward(blocks, layout.split(x), inputs.expand(len(x), *inputs.shape), True)


@torch.no_grad()
def value_and_gradient(blocks: tuple[Block, ...], layout: Layout, x: Tensor, inputs: Tensor,
                       labels: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of S models (S,) and its gradient (S, n), by one pass forward and one back.

    ``x`` (S, n). With ``inputs`` (S, B, ...) and ``labels`` (S, B), each model's own, as in training: their mean. With
    ``inputs`` (B, ...) and ``labels`` (B,) for all models, as in an evaluation: their sum. Both as in `stacked.forward`.
    """
    shared = labels.dim() == 1
    if shared:
        inputs, labels = inputs.expand(len(x), *inputs.shape), labels.expand(len(x), -1)
    count = 1 if shared else labels.shape[1]
    gradient = torch.empty_like(x)
    at, slope = layout.split(x), layout.split(gradient)
    passed: list[Passed] = []
    logs, wanted = torch.log_softmax(_forward(blocks, at, inputs, shared, passed), 1), labels.unsqueeze(1)
    losses = -logs.gather(1, wanted).squeeze(1).sum(1) / count
    back = torch.zeros_like(logs).scatter_(1, wanted, -1 / count)
    back = _aten._log_softmax_backward_data(back, logs, 1, logs.dtype)
    for block, kept in zip(reversed(blocks), reversed(passed)):
        if block.relu:
            _aten.threshold_backward.grad_input(back, kept.out, 0, grad_input=back)
        if block.norm:
            undo = _standardize_backward if shared else _normalize_backward
            back = undo(block, slope, back, kept)
        torch.sum(back, 2, out=slope[block.bias])
        torch.bmm(back, kept.h.transpose(1, 2), out=slope[block.weight])
        if block is not blocks[0]:
            back = torch.bmm(at[block.weight].transpose(1, 2), back)
    return losses, gradient


class Passed(NamedTuple):
    """What a block's way back needs; activations are (S, features, B)."""

    h: Tensor
    z: Tensor
    moments: tuple
    out: Tensor


def _forward(blocks: tuple[Block, ...], at: dict[str, Tensor], inputs: Tensor, shared: bool,
             passed: list[Passed] | None = None) -> Tensor:
    """The outputs; what the way back needs is added to ``passed``, where there is one."""
    h = inputs.flatten(2).transpose(1, 2)
    for block in blocks:
        z = out = torch.baddbmm(at[block.bias].unsqueeze(2), at[block.weight], h)
        moments = ()
        if block.norm:
            if z.shape[2] < 2:
                raise ValueError(ONE_SAMPLE)
            out, *moments = _standardize(block, at, z, passed is None) if shared else _normalize(block, at, z)
        out = out.relu_() if block.relu else out
        if passed is not None:
            passed.append(Passed(h, z, tuple(moments), out))
        h = out
    return h


def _standardize(block: Block, at: dict[str, Tensor], z: Tensor, in_place: bool) -> tuple[Tensor, ...]:
    """Batch norm of z (S, C, B) in an evaluation, from one mean and one norm a row, and what its way back wants: one over the
    standard deviations, and that times the scale.

    z becomes the outcome if ``in_place``, else it is left with its mean taken off.
    """
    z.sub_(z.mean(2, keepdim=True))
    spread = torch.linalg.vector_norm(z, dim=2, keepdim=True)
    over = spread.square_().div_(z.shape[2]).add_(block.norm.eps).rsqrt_()  # one over the standard deviation
    factor = over * at[block.scale].unsqueeze(2)
    return (z.mul_(factor) if in_place else z * factor).add_(at[block.shift].unsqueeze(2)), over, factor


def _standardize_backward(block: Block, slope: dict[str, Tensor], back: Tensor, kept: Passed) -> Tensor:
    """The gradient with respect to z; those of scale and shift are written to ``slope``. Overwrites all it is given."""
    z, (over, factor), samples = kept.z, kept.moments, kept.z.shape[2]
    pull = torch.mul(z, back, out=kept.out).sum(2, keepdim=True).mul_(over)
    push = back.sum(2, keepdim=True)
    slope[block.scale].copy_(pull.squeeze(2))
    slope[block.shift].copy_(push.squeeze(2))
    back.sub_(z.mul_(over * pull / samples)).sub_(push / samples)
    return back.mul_(factor)


def _normalize(block: Block, at: dict[str, Tensor], z: Tensor) -> tuple[Tensor, ...]:
    """Batch norm of z (S, C, B) in training, by torch's own kernel, and what that wants on its way back."""
    scale, shift = at[block.scale].flatten(), at[block.shift].flatten()
    out, mean, over = torch.native_batch_norm(z.view(1, -1, z.shape[2]), scale, shift, None, None, True, 0.0, block.norm.eps)
    return out.view(z.shape), scale, mean, over


def _normalize_backward(block: Block, slope: dict[str, Tensor], back: Tensor, kept: Passed) -> Tensor:
    """As `_standardize_backward`; leaves what it is given."""
    flat, (scale, mean, over) = (1, -1, back.shape[2]), kept.moments
    found, of_scale, of_shift = _aten.native_batch_norm_backward(
        back.view(flat), kept.z.view(flat), scale, None, None, mean, over, True, block.norm.eps, [True] * 3)
    slope[block.scale].copy_(of_scale.view(slope[block.scale].shape))
    slope[block.shift].copy_(of_shift.view(slope[block.shift].shape))
    return found.view(back.shape)
