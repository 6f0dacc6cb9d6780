"""The gradient of S fully connected networks, written out: what autograd finds, without a graph.

In a batch of 32, much of a training step is not arithmetic but bookkeeping: a graph of forty nodes is built and walked,
and each node keeps and copies what it may need. A chain of linear layers, batch norms and ReLUs needs no graph: each
layer's formulas stand in `Layer`, forward and back, and their results lie in buffers that the next step uses again.

Only torch's public functions are called. S networks of B samples are one batched matrix product.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from labsupport.engine.layout import Layout
from labsupport.engine.stacked import ONE_SAMPLE, Stacked


class WrittenOut(Stacked):
    """A chain of blocks: `logits` and `value_and_gradient` without a graph; where one is needed, as `Stacked`."""

    name = "written out"

    def __init__(self, network: nn.Sequential, blocks: tuple[Block, ...]):
        self.network, self.layout, self.carried = network, Layout.of(network), None
        self.blocks = blocks

    def logits(
        self,
        points: Tensor,
        inputs: Tensor,
        *,
        shared: bool = True,
        frozen=None,
        observe=None,
        dropout: bool = False,
    ) -> Tensor:
        """Outputs (S, K, B), as `functional.Functional.logits`."""
        if shared and frozen is None and observe is None and not points.requires_grad:
            return logits(self.blocks, self.layout, points, inputs)
        return super().logits(
            points, inputs, shared=shared, frozen=frozen, observe=observe, dropout=dropout
        )

    def value_and_gradient(
        self, points: Tensor, inputs: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy (S,) and gradient (S, n): sums for labels (B,) that all share, means for labels (S, B)."""
        return value_and_gradient(self.blocks, self.layout, points, inputs, labels)


class Block(NamedTuple):
    """A linear layer and what follows it: the names of its parameters, and whether a ReLU ends it."""

    weight: str
    bias: str
    scale: str = ""  # of a batch norm
    shift: str = ""
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
        first = not blocks
        if isinstance(layer, nn.Identity) or (isinstance(layer, nn.Flatten) and first):
            continue
        elif isinstance(layer, nn.Linear) and layer.bias is not None:
            blocks.append(Block(f"{name}.weight", f"{name}.bias"))
        elif (
            isinstance(layer, nn.BatchNorm1d)
            and not ended
            and not blocks[-1].norm
            and layer.bias is not None
        ):
            blocks[-1] = blocks[-1]._replace(
                scale=f"{name}.weight", shift=f"{name}.bias", norm=layer
            )
        elif isinstance(layer, nn.ReLU) and not ended:
            blocks[-1] = blocks[-1]._replace(relu=True)
        else:
            return None
    return tuple(blocks) or None


class _Spare:
    """Buffers for layers that only go forward: two of a shape, in turns."""

    def __init__(self, like: Tensor):
        self.like = like
        self.pairs: dict[tuple[int, ...], list[Tensor]] = {}

    def __call__(self, shape: tuple[int, ...]) -> Tensor:
        if shape not in self.pairs:
            self.pairs[shape] = [self.like.new_empty(shape), self.like.new_empty(shape)]
        self.pairs[shape].reverse()
        return self.pairs[shape][0]


class Layer:
    """A `Block` of S networks that see B samples each, from D features to C.

    ``at`` holds the parameters by name and ``slope`` receives their gradients, views of (S, n).
    Where there is no ``slope`` the layer only goes forward, and takes its buffers from ``spare``,
    which all such layers share.
    """

    def __init__(
        self,
        block: Block,
        at: dict[str, Tensor],
        slope: dict[str, Tensor] | None,
        samples: int,
        spare: _Spare,
    ):
        self.weight, self.relu, self.norm = at[block.weight], block.relu, block.norm is not None
        self.weight_t = self.weight.transpose(1, 2)  # (S, D, C)
        # (S, 1, C), as all that is the same for every sample
        self.bias = at[block.bias].unsqueeze(1)
        models, width, before = self.weight.shape
        self.h: Tensor
        make = self.weight.new_empty if slope is not None else spare
        self.z = make((models, samples, width))
        self.out = make((models, samples, width)) if self.norm or self.relu else self.z
        if slope is not None:
            self.d_weight, self.d_bias = slope[block.weight], slope[block.bias].unsqueeze(1)
            self.d_h = (
                self.z if before == width else self.weight.new_empty((models, samples, before))
            )
        if block.norm is not None:
            self.scale, self.shift = at[block.scale].unsqueeze(1), at[block.shift].unsqueeze(1)
            self.mean, self.over, self.factor = (
                self.weight.new_empty(models, 1, width) for _ in range(3)
            )
            self.share = self.weight.new_full((1, 1, 1), 1 / samples)
            self.eps = self.weight.new_full((1, 1, 1), block.norm.eps)
            if slope is not None:
                self.d_scale, self.d_shift = (
                    slope[block.scale].unsqueeze(1),
                    slope[block.shift].unsqueeze(1),
                )
                self.d_bias.zero_()

    def forward(self, h: Tensor) -> Tensor:
        """h (S, B, D) -> (S, B, C): z = h W' + b, normalized, cut off at 0."""
        self.h = h
        if self.norm:  # the bias goes with the mean: it neither enters nor has a gradient
            torch.bmm(h, self.weight_t, out=self.z)
            self._normalize()
        else:
            torch.baddbmm(self.bias, h, self.weight_t, out=self.z)
            if self.relu:
                torch.clamp_min(self.z, 0, out=self.out)
        return self.out

    def _normalize(self) -> None:
        """Batch norm: z - mean, times scale / sqrt(var + eps), plus shift; mean and var over the samples.

        ``z`` keeps z - mean, ``over`` one over the standard deviation, ``factor`` that times the scale.
        """
        torch.sum(self.z, 1, keepdim=True, out=self.mean).mul_(self.share)
        self.z.sub_(self.mean)
        torch.mul(self.z, self.z, out=self.out)
        torch.sum(self.out, 1, keepdim=True, out=self.over)
        torch.addcmul(self.eps, self.over, self.share, out=self.over).rsqrt_()
        torch.mul(self.over, self.scale, out=self.factor)
        torch.addcmul(self.shift, self.z, self.factor, out=self.out)
        if self.relu:
            self.out.relu_()

    def backward(self, back: Tensor, *, further: bool = True) -> Tensor:
        """The gradient with respect to the output (S, B, C), overwritten -> that with respect to h, if ``further``.

        The parameters' gradients are written to ``slope``: dW = dz' h, db = sum of dz.
        """
        if self.relu:  # 1 where the unit was on, 0 where it was off
            back.mul_(self.out.sign_())
        if self.norm:
            self._normalize_backward(back)
        else:
            torch.sum(back, 1, keepdim=True, out=self.d_bias)
        torch.bmm(back.transpose(1, 2), self.h, out=self.d_weight)
        return torch.bmm(back, self.weight, out=self.d_h) if further else back

    def _normalize_backward(self, back: Tensor) -> None:
        """With u = (z - mean) / std: dscale = sum of back u, dshift = sum of back, and back becomes
        dz = factor * (back - dshift / B - u * dscale / B)."""
        product = torch.mul(self.z, back, out=self.out)
        torch.sum(product, 1, keepdim=True, out=self.d_scale).mul_(self.over)
        torch.sum(back, 1, keepdim=True, out=self.d_shift)
        back.sub_(torch.mul(self.d_shift, self.share, out=self.mean))
        along = torch.mul(self.d_scale, self.over.mul_(self.share), out=self.mean)
        back.addcmul_(self.z, along, value=-1).mul_(self.factor)


class Pass:
    """The cross-entropy of S chains and its gradient by one pass forward and one back.

    ``at`` holds the parameters by name, (S, *shape), and ``slope`` receives their gradients;
    without it there is no way back. Both are viewed once: who changes the parameters in place may
    call again, and finds the new gradients where the old ones were. ``samples`` is B.
    """

    def __init__(
        self,
        blocks: tuple[Block, ...],
        at: dict[str, Tensor],
        slope: dict[str, Tensor] | None,
        samples: int,
    ):
        if samples < 2 and any(block.norm for block in blocks):
            raise ValueError(ONE_SAMPLE)
        weight = at[blocks[0].weight]
        spare = _Spare(weight)
        self.layers = [Layer(block, at, slope, samples, spare) for block in blocks]
        self.share = weight.new_full((1, 1, 1), 1 / samples)
        self.minus_share = weight.new_full((1,), -1 / samples)
        self.minus = weight.new_full((1, 1, 1), -1.0).expand(len(weight), samples, 1)

    def logits(self, inputs: Tensor) -> Tensor:
        """Outputs (S, B, K) for ``inputs`` (S, B, ...)."""
        h = inputs.flatten(2)
        for layer in self.layers:
            h = layer.forward(h)
        return h

    def overflowed(self) -> Tensor:
        """(S,), True where a variance was too large for its number format.

        One over its root is then 0, and what is finite again behind it is wrong.
        """
        found = torch.zeros(len(self.minus), dtype=torch.bool, device=self.minus.device)
        for layer in self.layers:
            if layer.norm:
                found |= (layer.over == 0).any(2)[:, 0]
        return found

    def __call__(self, inputs: Tensor, labels: Tensor, *, mean: bool = True) -> Tensor:
        """Mean losses (S,), or their sums over the samples; the gradients are in ``slope``. ``labels`` (S, B)."""
        wanted = labels.unsqueeze(2)
        logs = torch.log_softmax(self.logits(inputs), 2)  # (S, B, K)
        losses = logs.gather(2, wanted).sum((1, 2))
        back = logs.exp_().scatter_add_(2, wanted, self.minus)  # probabilities, less 1 at the label
        if mean:
            losses.mul_(self.minus_share)
            back.mul_(self.share)
        else:
            losses.neg_()
        for layer in reversed(self.layers[1:]):
            back = layer.backward(back)
        self.layers[0].backward(back, further=False)
        return losses


@torch.no_grad()
def logits(blocks: tuple[Block, ...], layout: Layout, x: Tensor, inputs: Tensor) -> Tensor:
    """Outputs (S, K, B) of S models, x (S, n), for ``inputs`` (B, ...) that all of them see."""
    forward = Pass(blocks, layout.split(x), None, len(inputs))
    # (S, B, K) -> (S, K, B)
    out = forward.logits(inputs.expand(len(x), *inputs.shape)).transpose(1, 2)
    return out.masked_fill(forward.overflowed()[:, None, None], torch.nan)


@torch.no_grad()
def value_and_gradient(
    blocks: tuple[Block, ...], layout: Layout, x: Tensor, inputs: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """The cross-entropy of S models (S,) and its gradient (S, n).

    ``x`` (S, n). With ``inputs`` (S, B, ...) and ``labels`` (S, B), each model's own, as in
    training: their mean. With ``inputs`` (B, ...) and ``labels`` (B,) for all models, as in an
    evaluation: their sum. Both as in `stacked.forward`.
    """
    shared = labels.dim() == 1
    if shared:
        inputs, labels = inputs.expand(len(x), *inputs.shape), labels.expand(len(x), -1)
    gradient = torch.empty_like(x)
    both = Pass(blocks, layout.split(x), layout.split(gradient), labels.shape[1])
    losses = both(inputs, labels, mean=not shared)
    return losses.masked_fill(both.overflowed(), torch.nan), gradient
