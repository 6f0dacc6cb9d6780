"""The loss f(x): a network, a data set and nothing else, as a pure function of a flat vector.

f is the mean cross-entropy over all samples (nats), taken in chunks of ``chunk`` samples in the data's own order.
Batch norm uses each chunk's statistics, so **the chunk is part of the definition**; 5,000 is the authors' value.
Dropout is off. Sums over chunks are kept in float64, because sharpness is a small difference of two losses.
Any module can be the network; x holds its parameters that require a gradient (`flatten`, `unflatten`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from labsupport import networks
from labsupport.arguments import shown, whole_number
from labsupport.engine import finite, moments, probe, samples, threads
from labsupport.engine.batches import chunks, summed_loss, together
from labsupport.engine.choose import engine
from labsupport.engine.functional import Statistics
from labsupport.engine.functions import check_points
from labsupport.engine.layout import Layout, flatten, unflatten
from labsupport.engine.sums import Sums
from labsupport.engine.threads import outside_inference
from labsupport.errors import choose

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
        self.dtype = samples.number_format(inputs, self.network)
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
                start = flatten(self.network).to(self.device, self.dtype)
                self.classes = probe.check_loss(loss, self.engine, start, self.inputs, self.labels)

    def __repr__(self) -> str:
        size = f"{self.n:,} parameters, {len(self.labels):,} samples in chunks of {self.chunk:,}"
        own = getattr(self.loss, "__name__", type(self.loss).__name__)
        loss = "cross-entropy" if self.loss is None else own
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

    @outside_inference
    def loss_and_accuracy(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both from one pass: nats and percent, float64, each a scalar or (S,); accuracy is nan
        where there are no classes.
        """
        points = self._points(x)
        loss, right = self._sums.losses(points, classify=self._classifies)
        loss, right = loss / len(self.labels), 100 * right / len(self.labels)
        finite.warn("f(x)", loss, self.inputs, self.dtype)
        return (loss, right) if x.dim() == 2 else (loss[0], right[0])

    def gradient(self, x: Tensor) -> Tensor:
        """The gradient of f, of x's shape."""
        return self.value_and_gradient(x)[1]

    @outside_inference
    def value_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """f(x), float64, and its gradient, in x's dtype, from one forward and backward pass over the data."""
        loss, gradient = self._sums.gradients(self._points(x))
        loss, gradient = loss / len(self.labels), gradient / len(self.labels)
        finite.warn(
            "f(x) or its gradient", loss + gradient.detach().abs().amax(1), self.inputs, self.dtype
        )
        gradient = gradient.to(check_points(x).dtype).view_as(x)
        return (loss, gradient) if x.dim() == 2 else (loss[0], gradient)

    @outside_inference
    def hessian_vector(self, x: Tensor, v: Tensor) -> Tensor:
        """The Hessian of f at x times v, the derivative of the gradient along v, of v's shape.

        For a stack x (S, n), v is (S, n), a vector a row, or (n,), one for all: the result is one
        product a row, (S, n).

        Raises
        ------
        ValueError
            Another shape of v, a v that is not finite, a kernel without a second derivative.
        """
        return self._products(x, keep=False)(v)

    @outside_inference
    def hessian_at(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """The function v -> ``hessian_vector(x, v)``, for many products at one x.

        While it lives it keeps what they share, a pass forward and one back, wherever all samples fit in one chunk: one
        pass back is left of a product's three.
        """
        return self._products(x, keep=True)

    @outside_inference
    def logits(self, x: Tensor) -> Tensor:
        """The network's outputs: (N, K) for x (n,), (S, N, K) for x (S, n)."""
        with torch.no_grad(), threads.measuring(self.n, self.device, self.dtype):
            out = self._sums.logits(self._points(x)).movedim(-1, 1)  # (S, K, N) -> (S, N, K)
        return out if x.dim() == 2 else out[0]

    # -- variants -------------------------------------------------------------------------------------------

    @outside_inference
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

    @outside_inference
    def frozen_at(self, x: Tensor) -> Objective:
        """The same function with batch norm's statistics measured once, at x on all samples, and then held.

        For a stack x (S, n) the result takes stacks of the same S, row by row. A network without
        batch norm comes back as it is. Its ``statistics`` are called ``frozen``.
        """
        points = self._points(x)
        with torch.no_grad(), threads.measuring(self.n, self.device, self.dtype):
            tables = [moments.measured(self._sums.observed(point)) for point in points.split(1)]
        if not tables[0]:
            return self
        return self._variant(frozen=moments.stacked(tables), statistics="frozen")

    def row(self, s: int) -> Objective:
        """The function of model ``s`` of a stack alone: itself, unless statistics were frozen for a stack."""
        if self.frozen is None:
            return self
        return self._variant(frozen=moments.of_rows(self.frozen, slice(s, s + 1)))

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
        moments.check_models(self.frozen, len(points))
        return finite.checked(points)

    def _products(self, x: Tensor, keep: bool) -> Callable[[Tensor], Tensor]:
        """v -> the Hessian at x times v, row by row."""
        points, dtype = self._points(x), check_points(x).dtype
        hessians = [self._sums.hessian(points, s, keep) for s in range(len(points))]

        @outside_inference
        def times(v: Tensor) -> Tensor:
            vectors = check_points(v, self.n, what="v").to(self.device, self.dtype)
            if len(vectors) not in (1, len(points)):
                raise ValueError(
                    f"v has shape {tuple(v.shape)} and x {tuple(x.shape)}; one v for all, or one a row, is needed."
                )
            with threads.measuring(self.n, self.device, self.dtype), torch.enable_grad():
                pairs = zip(hessians, vectors.expand(len(points), -1))
                found = torch.stack([hessian(vector) for hessian, vector in pairs])
            finite.warn("The Hessian-vector product", found.abs().amax(1), self.inputs, self.dtype)
            return (found / len(self.labels)).to(dtype).view_as(x)

        return times

    @property
    def _sums(self) -> Sums:
        return Sums(
            self.network, self.engine, self.inputs, self.labels, self.chunk, self.loss, self.frozen
        )

    @property
    def blocks(self):
        """The blocks of the written-out engine; None for the others."""
        return getattr(self.engine, "blocks", None)
