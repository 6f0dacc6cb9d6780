"""The loss f(x): a network, a data set and nothing else, as a pure function of a flat vector.

f is the mean cross-entropy over all samples (nats), taken in chunks of ``chunk`` samples in the data's own order.
Batch norm uses each chunk's statistics, so **the chunk is part of the definition**; 5,000 is the authors' value.
Dropout is off. Sums over chunks are kept in float64, because sharpness is a small difference of two losses.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labsupport import networks
from labsupport.engine import threads, written_out
from labsupport.engine.functions import check_points
from labsupport.engine.stacked import Layout, Statistics, forward


def flatten(network: nn.Module) -> Tensor:
    """The parameters of a module as one vector (n,), a copy."""
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def unflatten(x: Tensor, network: nn.Module) -> dict[str, Tensor]:
    """x (n,) as {name: tensor}, ready for ``network.load_state_dict``; the tensors are views of x.

    >>> net = networks.build("F0")
    >>> torch.equal(flatten(net), torch.cat([t.flatten() for t in unflatten(flatten(net), net).values()]))
    True
    """
    layout = Layout.of(network)
    x = check_points(x, layout.n)
    return {k: t.squeeze(0) for k, t in layout.split(x).items()}


def chunks(total: int, size: int) -> list[slice]:
    """Slices of ``size`` samples; a last one of a single sample, on which batch norm is undefined, joins the one before.

    >>> [s.stop - s.start for s in chunks(12, 5)], [s.stop - s.start for s in chunks(11, 5)]
    ([5, 5, 2], [5, 6])
    """
    edges = list(range(0, total, size))
    if len(edges) > 1 and total - edges[-1] == 1:
        edges.pop()
    return [slice(a, b) for a, b in zip(edges, edges[1:] + [total])]


#: Stack the models while one layer's work is small; above, one model at a time keeps its activations in the cache.
#: Measured with `make bench`: samples in a batch times models.
STACK_ROWS = 2_000


def together(network: nn.Sequential, n: int, where: torch.device, models: int, batch: int) -> int:
    """How many models, of ``n`` parameters each, to compute in one pass, by a measured rule.

    A GPU wants all fully connected models together. A CPU wants them together only while the batch is small.
    Grouped convolutions are slower than a loop on both, except for the smallest.
    """
    images = any(isinstance(layer, nn.Conv2d) for layer in network)
    if models == 1 or images:
        return 1
    if where.type == "cuda":
        return max(1, min(models, 400_000 // batch))
    return models if n < threads.TINY and batch * models <= STACK_ROWS else 1


class Objective:
    """f(x), its gradient and the accuracy of one network on one set of samples.

    Parameters
    ----------
    network : str or nn.Sequential
        A name from `networks.REGISTRY` or a module; only its layers count, its weights do not.
    x : Tensor (N, ...)
        Samples, on the device where f is to be computed.
    y : Tensor (N,)
        Labels, int64.
    chunk
        Samples that share batch-norm statistics.

    >>> from labsupport import data
    >>> d = data.load("mnist1d", train_size=100)
    >>> f = Objective("F0", d.x_train, d.y_train)
    >>> f.n, f(torch.zeros(f.n)).item()         # ten classes, no opinion: log 10
    (40330, 2.302585...)
    """

    def __init__(self, network: str | nn.Sequential, x: Tensor, y: Tensor, *, chunk: int = 5000):
        self.network = networks.layers(network)
        if chunk < 2:
            raise ValueError(f"chunk is {chunk}; batch norm needs at least 2 samples together.")
        if len(x) != len(y) or len(x) == 0:
            raise ValueError(f"There are {len(x)} samples and {len(y)} labels; equally many, and at least one, are needed.")
        self.inputs, self.labels, self.chunk = x, y, chunk
        self.layout = Layout.of(self.network)
        self.blocks = written_out.chain(self.network)
        self.frozen: dict[str, Statistics] | None = None

    @property
    def n(self) -> int:
        """Number of parameters."""
        return self.layout.n

    @property
    def device(self) -> torch.device:
        return self.inputs.device

    @property
    def dtype(self) -> torch.dtype:
        return self.inputs.dtype

    # -- the function ---------------------------------------------------------------------------------------

    def __call__(self, x: Tensor) -> Tensor:
        """Mean cross-entropy in nats, float64: a scalar for x (n,), (S,) for x (S, n)."""
        return self.loss_and_accuracy(x)[0]

    def accuracy(self, x: Tensor) -> Tensor:
        """Percent of the samples classified correctly: a scalar for x (n,), (S,) for x (S, n)."""
        return self.loss_and_accuracy(x)[1]

    def loss_and_accuracy(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one pass: nats and percent, float64, each a scalar or (S,)."""
        points = self._points(x)
        loss = torch.zeros(len(points), dtype=torch.float64, device=self.device)
        right = torch.zeros_like(loss)

        @torch.no_grad()
        def look(rows: slice) -> None:
            for part in self._parts:
                logits = self._logits(points[rows], part, rows)
                loss[rows] += summed_loss(logits, self.labels[part]).double()
                right[rows] += (logits.max(1).indices == self.labels[part]).sum(1)  # as argmax, many times faster

        self._for_all(len(points), look)
        loss, right = loss / len(self.labels), 100 * right / len(self.labels)
        return (loss, right) if x.dim() == 2 else (loss[0], right[0])

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient of f, of x's shape."""
        return self.value_and_gradient(x)[1]

    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x), float64, and its gradient, in x's dtype, from one forward and backward pass over the data."""
        points = self._points(x)
        loss = torch.zeros(len(points), dtype=torch.float64, device=self.device)
        gradient = torch.zeros_like(points)

        def differentiate(rows: slice) -> None:
            for part in self._parts:
                sums, slopes = self._one_pass(points[rows], part, rows)
                loss[rows] += sums.double()
                gradient[rows] += slopes

        self._for_all(len(points), differentiate)
        loss, gradient = loss / len(self.labels), gradient / len(self.labels)
        return (loss, gradient) if x.dim() == 2 else (loss[0], gradient[0])

    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian of f at x (n,) times v (n,): the derivative of the gradient along v."""
        point = self._points(x)
        product = torch.zeros_like(point)
        with threads.measuring(self.n), torch.enable_grad():
            for part in self._parts:
                leaf = point.detach().requires_grad_()
                loss = summed_loss(self._logits(leaf, part, slice(0, 1)), self.labels[part]).sum()
                (gradient,) = torch.autograd.grad(loss, leaf, create_graph=True)
                product += torch.autograd.grad((gradient * v).sum(), leaf)[0]
        return (product / len(self.labels)).view_as(x)

    def logits(self, x: Tensor) -> Tensor:
        """The network's outputs: (N, K) for x (n,), (S, N, K) for x (S, n)."""
        points = self._points(x)
        with torch.no_grad(), threads.measuring(self.n):
            rows = [slice(s, s + 1) for s in range(len(points))]
            found = [torch.cat([self._logits(points[row], part, row) for part in self._parts], 2) for row in rows]
        out = torch.cat(found).transpose(1, 2)
        return out if x.dim() == 2 else out[0]

    # -- variants -------------------------------------------------------------------------------------------

    def double(self) -> Objective:
        """The same function in float64."""
        return self._variant(inputs=self.inputs.double(), frozen=_cast(self.frozen, torch.float64))

    def frozen_at(self, x: Tensor) -> Objective:
        """The same function with batch norm's statistics measured once, at x on all samples, and then held.

        For a stack x (S, n) the result takes stacks of the same S, row by row.
        """
        points = self._points(x)
        rows = []
        with torch.no_grad(), threads.measuring(self.n):
            for point in points.split(1):
                moments: dict[str, list[Tensor]] = {}
                for part in self._parts:
                    found: dict[str, Statistics] = {}
                    forward(self.network, self.layout, point, self.inputs[part], shared=True, observe=found)
                    share = (part.stop - part.start) / len(self.labels)
                    for name, (mean, variance) in found.items():
                        first, second = moments.setdefault(name, [torch.zeros_like(mean), torch.zeros_like(mean)])
                        first += share * mean
                        second += share * (variance + mean**2)
                rows.append({name: (first, second - first**2) for name, (first, second) in moments.items()})
        seen = {name: tuple(torch.cat(pair) for pair in zip(*(row[name] for row in rows))) for name in rows[0]}
        return self._variant(frozen=seen, blocks=None)  # batch norm written out knows no other statistics than its own

    def row(self, s: int) -> Objective:
        """The function of model ``s`` of a stack alone: itself, unless statistics were frozen for a stack."""
        if self.frozen is None:
            return self
        kept = {name: tuple(one[s:s + 1] if len(one) > 1 else one for one in pair) for name, pair in self.frozen.items()}
        return self._variant(frozen=kept)

    def _variant(self, **changes) -> Objective:
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    # -- inside ---------------------------------------------------------------------------------------------

    def _points(self, x: Tensor) -> Tensor:
        points = check_points(x, self.n).to(self.device, self.dtype)
        if self.frozen is not None and next(iter(self.frozen.values()))[0].shape[0] not in (1, len(points)):
            count = next(iter(self.frozen.values()))[0].shape[0]
            raise ValueError(f"The statistics were frozen for {count} models; x has {len(points)} rows.")
        return points

    @property
    def _parts(self) -> list[slice]:
        """The samples that share batch-norm statistics."""
        return chunks(len(self.labels), self.chunk)

    def _for_all(self, models: int, function: Callable[[slice], None]) -> None:
        """``function`` of the rows of every group of models that share a pass, groups side by side where that pays."""
        size = together(self.network, self.n, self.device, models, min(self.chunk, len(self.labels)))
        groups = [slice(start, min(start + size, models)) for start in range(0, models, size)]
        with threads.measuring(self.n) as lanes:
            threads.side_by_side(function, groups, lanes if self.device.type == "cpu" else 1)

    def _one_pass(self, points: Tensor, part: slice, rows: slice) -> tuple[Tensor, Tensor]:
        """Loss and gradient, summed over the samples of ``part``."""
        if self.blocks:
            return written_out.value_and_gradient(self.blocks, self.layout, points, self.inputs[part], self.labels[part])
        leaf = points.detach().requires_grad_()
        with torch.enable_grad():
            sums = summed_loss(self._logits(leaf, part, rows), self.labels[part])
            return sums.detach(), torch.autograd.grad(sums.sum(), leaf)[0]

    def _logits(self, points: Tensor, part: slice, rows: slice) -> Tensor:
        if self.blocks and not points.requires_grad:
            return written_out.logits(self.blocks, self.layout, points, self.inputs[part])
        frozen = self.frozen
        if frozen is not None and next(iter(frozen.values()))[0].shape[0] > 1:
            frozen = {k: (m[rows], v[rows]) for k, (m, v) in frozen.items()}
        elif frozen is not None:
            frozen = {k: (m.expand(len(points), -1), v.expand(len(points), -1)) for k, (m, v) in frozen.items()}
        return forward(self.network, self.layout, points, self.inputs[part], shared=True, frozen=frozen)


def summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy summed over the samples, (S, K, B) and (B,) or (S, B) -> (S,)."""
    labels = labels.expand(logits.shape[0], -1)
    return F.cross_entropy(logits, labels, reduction="none").sum(1)


def _cast(frozen, dtype):
    return frozen and {k: (m.to(dtype), v.to(dtype)) for k, (m, v) in frozen.items()}
