"""The loss f(x): a network, a data set and nothing else, as a pure function of a flat vector.

f is the mean cross-entropy over all samples (nats), taken in chunks of ``chunk`` samples in the data's own order.
Batch norm uses each chunk's statistics, so **the chunk is part of the definition**; 5,000 is the authors' value.
Dropout is off. Sums over chunks are kept in float64, because sharpness is a small difference of two losses.
Any module can be the network; x holds its parameters that require a gradient (`flatten`, `unflatten`).
"""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from labsupport import networks
from labsupport.arguments import shown, whole_number
from labsupport.engine import moments, probe, samples, second_derivative, threads
from labsupport.engine.batches import chunks, summed_loss, together
from labsupport.engine.choose import engine
from labsupport.engine.functional import Statistics
from labsupport.engine.functions import check_points
from labsupport.engine.layout import Layout, flatten, unflatten
from labsupport.engine.written_out import WrittenOut
from labsupport.errors import NotFiniteWarning, choose

__all__ = [
    "STATISTICS",
    "Objective",
    "Statistics",
    "chunks",
    "flatten",
    "summed_loss",
    "together",
    "unflatten",
]

#: Whose statistics batch norm may use when an objective is made.
STATISTICS = ("batch", "running")


def _computed(method):
    """A method whose tensors autograd can use, also where it is called under inference mode."""

    @functools.wraps(method)
    def outside(*args, **kwargs):
        if not torch.is_inference_mode_enabled():
            return method(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return method(*args, **kwargs)

    return outside


class Objective:
    """f(x), its gradient and the accuracy of one network on one set of samples.

    Parameters
    ----------
    network : str or nn.Module
        A name from `networks.REGISTRY` or any module: tensors in, logits (B, K) out. It is left as
        it is. Its parameters that require a gradient are x; their values do not matter here. All
        else (frozen parameters, buffers) is held as it is now.
    inputs : Tensor (N, ...)
        Samples, on the device where f is to be computed, of any type that the network takes. uint8
        images that it does not take are divided by 255, whole numbers become int64 or floats, half
        precision becomes float32. Or all samples in one: a torch ``Dataset`` or ``DataLoader``,
        read once, or a labsupport ``Dataset`` (its training samples); then ``labels`` is left out.
    labels : Tensor (N,)
        Class numbers of any whole type; (N, 1) and one-hot rows (N, K) are understood.
    chunk
        Samples that share batch-norm statistics.
    statistics
        Whose mean and variance batch norm uses: ``batch``, each chunk's own, as in the paper;
        ``running``, those that the module carries now, held fixed. `frozen_at` measures new ones.
        Running statistics are never updated.
    loss
        ``loss(logits, labels)`` -> scalar, a mean over samples, to use instead of cross-entropy;
        then logits and labels may have any shape with one row a sample.

    Raises
    ------
    TypeError, ValueError
        Inputs that the network cannot take, logits of a wrong shape, labels out of range, a network that draws random
        numbers in evaluation mode, running statistics that are not there. The message names the layer or the tensor.
    UnknownName
        ``network`` or ``statistics``.

    >>> from labsupport import data
    >>> d = data.load("mnist1d", train_size=100)
    >>> f = Objective("F0", d.x_train, d.y_train)
    >>> f.n, f(torch.zeros(f.n)).item()         # ten classes, no opinion: log 10
    (40330, 2.302585...)
    """

    def __init__(
        self,
        network: str | nn.Module,
        inputs,
        labels=None,
        *,
        chunk: int = 5000,
        statistics: str = "batch",
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    ):
        self.network = networks.layers(network)
        self.chunk = whole_number("chunk", chunk, least=1)
        if self.chunk < 2:
            raise ValueError(f"chunk is {chunk}; batch norm needs at least 2 samples together.")
        self.statistics = choose("statistics", statistics, STATISTICS)
        if loss is not None and not callable(loss):
            raise TypeError(
                f"loss is {shown(loss)}; a function loss(logits, labels) -> scalar, a mean over samples, is needed."
            )
        inputs, labels = samples.read(inputs, labels)
        self.loss, self.frozen = loss, None
        self.dtype = inputs.dtype if inputs.is_floating_point() else _dtype_of(self.network)
        with threads.measuring(Layout.of(self.network).n, inputs.device, self.dtype):
            self.engine, self.inputs, self.classes = engine(
                self.network,
                inputs,
                carried=statistics == "running",
                dtype=self.dtype,
                loss=loss is not None,
            )
            self.labels = samples.class_numbers(labels, self.classes) if loss is None else labels
            if loss is not None:
                self._check_loss(loss)

    def __repr__(self) -> str:
        size = f"{self.n:,} parameters, {len(self.labels):,} samples in chunks of {self.chunk:,}"
        loss = (
            "cross-entropy"
            if self.loss is None
            else getattr(self.loss, "__name__", type(self.loss).__name__)
        )
        kind = str(self.dtype).removeprefix("torch.")
        return (
            f"Objective({type(self.network).__name__}: {size}; {loss}; {self.statistics} statistics; "
            f"{self.engine.name}, {kind} on {self.device})"
        )

    @property
    def n(self) -> int:
        """Number of parameters."""
        return self.layout.n

    @property
    def layout(self) -> Layout:
        """Where each parameter lies in x."""
        return self.engine.layout

    @property
    def device(self) -> torch.device:
        """Where the samples lie, and f is computed."""
        return self.inputs.device

    @property
    def key(self) -> tuple:
        """What a value of f depends on, beside x: to be hashed by content."""
        return (
            self.network,
            self.inputs,
            self.labels,
            self.chunk,
            self.statistics,
            self.frozen,
            str(self.dtype),
            self.loss,
        )

    # -- the function ---------------------------------------------------------------------------------------

    def __call__(self, x: Tensor) -> Tensor:
        """Mean cross-entropy in nats, float64: a scalar for x (n,), (S,) for x (S, n)."""
        return self.loss_and_accuracy(x)[0]

    def accuracy(self, x: Tensor) -> Tensor:
        """Percent of the samples classified correctly: a scalar for x (n,), (S,) for x (S, n).

        Raises TypeError where a loss of one's own stands in for cross-entropy and there are no classes.
        """
        if not self._classifies:
            raise TypeError(
                "This objective has a loss of its own and no class numbers (N,), so it has no accuracy."
            )
        return self.loss_and_accuracy(x)[1]

    @_computed
    def loss_and_accuracy(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one pass: nats and percent, float64, each a scalar or (S,); accuracy is nan
        where there are no classes.
        """
        points = self._points(x)
        loss = torch.zeros(len(points), dtype=torch.float64, device=self.device)
        right = torch.zeros_like(loss) if self._classifies else torch.full_like(loss, torch.nan)

        @torch.no_grad()
        def look(rows: slice) -> None:
            for part in self._parts:
                logits = self._logits(points[rows], part, rows)
                loss[rows] += self._losses(logits, self.labels[part]).double()
                if self._classifies:
                    # as argmax, many times faster
                    right[rows] += (logits.max(1).indices == self.labels[part]).sum(1)

        self._for_all(len(points), look)
        loss, right = loss / len(self.labels), 100 * right / len(self.labels)
        self._say_if_not_finite("f(x)", loss)
        return (loss, right) if x.dim() == 2 else (loss[0], right[0])

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient of f, of x's shape."""
        return self.value_and_gradient(x)[1]

    @_computed
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
        self._say_if_not_finite("f(x) or its gradient", loss + gradient.detach().abs().amax(1))
        gradient = gradient.to(check_points(x).dtype).view_as(x)
        return (loss, gradient) if x.dim() == 2 else (loss[0], gradient)

    @_computed
    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian of f at x times v, the derivative of the gradient along v, of v's shape.

        For a stack x (S, n), v is (S, n), a vector a row, or (n,), one for all: the result is one
        product a row, (S, n).

        Raises
        ------
        ValueError
            Another shape of v, a v that is not finite, a kernel without a second derivative.
        """
        points, vectors = (
            self._points(x),
            check_points(v, self.n, what="v").to(self.device, self.dtype),
        )
        if len(vectors) not in (1, len(points)):
            raise ValueError(
                f"v has shape {tuple(v.shape)} and x {tuple(x.shape)}; one v for all, or one a row, is needed."
            )
        with threads.measuring(self.n, self.device, self.dtype), torch.enable_grad():
            vectors = vectors.expand(len(points), -1)
            products = torch.stack(
                [self._product(points, s, vectors[s]) for s in range(len(points))]
            )
        self._say_if_not_finite("The Hessian-vector product", products.abs().amax(1))
        return (products / len(self.labels)).to(check_points(x).dtype).view_as(x)

    @_computed
    def logits(self, x: Tensor) -> Tensor:
        """The network's outputs: (N, K) for x (n,), (S, N, K) for x (S, n)."""
        points = self._points(x)
        rows = [slice(s, s + 1) for s in range(len(points))]
        with torch.no_grad(), threads.measuring(self.n, self.device, self.dtype):
            found = [
                torch.cat([self._logits(points[row], part, row) for part in self._parts], -1)
                for row in rows
            ]
        out = torch.cat(found).movedim(-1, 1)  # (S, K, N) -> (S, N, K)
        return out if x.dim() == 2 else out[0]

    # -- variants -------------------------------------------------------------------------------------------

    @_computed
    def double(self) -> Objective:
        """The same function in float64."""

        def exact(tensor: Tensor) -> Tensor:
            return tensor.double() if tensor.is_floating_point() else tensor

        return self._variant(
            inputs=exact(self.inputs),
            labels=exact(self.labels),
            dtype=torch.float64,
            frozen=moments.changed(self.frozen, exact),
            engine=self.engine.to(self.device, torch.float64),
        )

    @_computed
    def frozen_at(self, x: Tensor) -> Objective:
        """The same function with batch norm's statistics measured once, at x on all samples, and then held.

        For a stack x (S, n) the result takes stacks of the same S, row by row. A network without
        batch norm comes back as it is. Its ``statistics`` are called ``frozen``.
        """
        points = self._points(x)
        with torch.no_grad(), threads.measuring(self.n, self.device, self.dtype):
            tables = [moments.measured(self._observed(point)) for point in points.split(1)]
        return (
            self._variant(frozen=moments.stacked(tables), statistics="frozen")
            if tables[0]
            else self
        )

    def row(self, s: int) -> Objective:
        """The function of model ``s`` of a stack alone: itself, unless statistics were frozen for a stack."""
        return (
            self
            if self.frozen is None
            else self._variant(frozen=moments.of_rows(self.frozen, slice(s, s + 1)))
        )

    def _variant(self, **changes) -> Objective:
        other = copy.copy(self)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    # -- inside ---------------------------------------------------------------------------------------------

    @property
    def _classifies(self) -> bool:
        """Whether there are class numbers (N,) and logits (N, K) to compare them with."""
        return self.classes > 0

    def _points(self, x: Tensor) -> Tensor:
        points = check_points(x, self.n).to(self.device, self.dtype)
        if self.frozen is not None:
            count = moments.models(self.frozen)
            if count not in (1, len(points)):
                raise ValueError(
                    f"The statistics were frozen for {count} models; x has {len(points)} rows."
                )
        if not torch.isfinite(points).all():
            raise ValueError(
                f"x overflows {self.dtype}, in which this f is computed. Use f.double()."
            )
        return points

    @property
    def _parts(self) -> list[slice]:
        """The samples that share batch-norm statistics."""
        return chunks(len(self.labels), self.chunk)

    def _for_all(self, models: int, function: Callable[[slice], None]) -> None:
        """``function`` of the rows of every group of models that share a pass, groups side by side where that pays."""
        size = together(
            self.network, self.n, self.device, models, min(self.chunk, len(self.labels))
        )
        groups = [slice(start, min(start + size, models)) for start in range(0, models, size)]
        with threads.measuring(self.n, self.device, self.dtype) as lanes:
            threads.side_by_side(function, groups, lanes if self.device.type == "cpu" else 1)

    def _one_pass(self, points: Tensor, part: slice, rows: slice) -> tuple[Tensor, Tensor]:
        """Loss and gradient, summed over the samples of ``part``."""
        if isinstance(self.engine, WrittenOut) and self.frozen is None and self.loss is None:
            return self.engine.value_and_gradient(points, self.inputs[part], self.labels[part])
        leaf = points.detach().requires_grad_()
        with torch.enable_grad():
            sums = self._losses(self._logits(leaf, part, rows), self.labels[part])
            return sums.detach(), torch.autograd.grad(sums.sum(), leaf)[0]

    def _logits(self, points: Tensor, part: slice, rows: slice) -> Tensor:
        """Outputs (S, ..., B) of the models in ``rows``."""
        return self.engine.logits(
            points, self.inputs[part], frozen=moments.of_rows(self.frozen, rows)
        )

    def _observed(self, point: Tensor) -> Iterator[tuple[float, dict[str, Statistics]]]:
        """Batch norm's statistics at one point (1, n), chunk after chunk, each with its share of the samples."""
        for part in self._parts:
            found: dict[str, Statistics] = {}
            self.engine.logits(point, self.inputs[part], observe=found)
            yield (part.stop - part.start) / len(self.labels), found

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss summed over the samples, (S, ..., B) and (B, ...) -> (S,)."""
        if self.loss is None:
            return summed_loss(logits, labels)
        return torch.stack([self.loss(one.movedim(-1, 0), labels) for one in logits]) * len(labels)

    def _product(self, points: Tensor, s: int, v: Tensor) -> Tensor:
        """The Hessian at row s times v (n,), summed over the samples."""

        def loss(part: slice) -> Callable[[Tensor], Tensor]:
            return lambda leaf: self._losses(
                self._logits(leaf, part, slice(s, s + 1)), self.labels[part]
            ).sum()

        return second_derivative.product(map(loss, self._parts), points[s : s + 1], v)

    def _say_if_not_finite(self, what: str, values: Tensor) -> None:
        """One warning where a result is inf or nan."""
        bad = (~torch.isfinite(values)).nonzero().flatten().tolist()
        if not bad:
            return
        why = f"its numbers overflow {self.dtype}, so that f.double() or a smaller x may help"
        if self.inputs.is_floating_point() and not torch.isfinite(self.inputs).all():
            why = "the inputs hold values that are not finite"
        warnings.warn(
            f"{what} is not a finite number for model(s) {bad}: {why}.",
            NotFiniteWarning,
            stacklevel=4,
        )

    def _check_loss(self, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        few = slice(0, min(probe.SAMPLES, len(self.labels)))
        start = flatten(self.network).to(self.device, self.dtype)[None]
        with torch.no_grad():
            out = self.engine.logits(start, self.inputs[few])[0].movedim(-1, 0)
        probe.check_loss(loss, out, self.labels[few])
        if (
            out.dim() == 2
            and out.shape[1] > 1
            and self.labels.dim() == 1
            and self.labels.dtype == torch.int64
        ):
            self.classes = out.shape[1]

    @property
    def blocks(self):
        """The blocks of the written-out engine; None for the others."""
        return getattr(self.engine, "blocks", None)


def _dtype_of(network: nn.Module) -> torch.dtype:
    """In which precision a network of whole-number inputs is computed: its own, at least float32."""
    own = next((p.dtype for p in network.parameters() if p.requires_grad), torch.float32)
    return own if own in (torch.float32, torch.float64) else torch.float32
