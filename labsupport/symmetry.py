"""Changes of the weights that leave the function alone: what a picture or a measure should not depend on.

Batch norm divides each unit by its own spread. So a row of weights ahead of it, one row a unit, may have any length:
the network computes the same (up to batch norm's ``eps``, 1e-5, which is added to the variance). Chapter 3 uses this on
pictures, chapter 9 on measures. That holds with each batch's own statistics, not with running or frozen ones.

Both changes are known for plain sequences alone (`nn.Sequential` of the package's layers), where
what follows a layer is the next one; a residual connection, a hook or a shared layer could undo
them unseen, so such networks are refused.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from labsupport import networks
from labsupport.arguments import positive, whole_number
from labsupport.engine.choose import not_plain
from labsupport.engine.functions import check_points
from labsupport.engine.layout import Layout


def ahead_of_norm(network: nn.Sequential) -> list[str]:
    """The names of the layers whose output goes straight into batch norm.

    >>> ahead_of_norm(networks.build("F0")), ahead_of_norm(networks.build("F0-plain"))
    (['1', '4', '7'], [])
    """
    named = list(_plain(network)._modules.items())
    weighted, norms = (nn.Linear, nn.Conv1d, nn.Conv2d), (nn.BatchNorm1d, nn.BatchNorm2d)
    return [
        name
        for (name, layer), (_, after) in pairwise(named)
        if isinstance(layer, weighted) and isinstance(after, norms)
    ]


def row_lengths(network: str | nn.Sequential, x: Tensor) -> dict[str, Tensor]:
    """{layer: (units,) or (S, units)}, the length of each row of weights ahead of a batch norm, biases left out."""
    module, layout, points = _opened(network, x)
    weights = layout.split(points)
    found = {
        name: weights[f"{name}.weight"].flatten(2).norm(dim=2) for name in ahead_of_norm(module)
    }
    return found if x.dim() == 2 else {name: lengths[0] for name, lengths in found.items()}


def normalize_rows(network: str | nn.Sequential, x: Tensor, length: float = 1.0) -> Tensor:
    """x (n,) or (S, n) with each row of weights ahead of a batch norm scaled to ``length``; a new tensor.

    The row's bias is scaled with it. A network without batch norm comes back as it was.

    Raises
    ------
    ValueError
        ``length`` that is not positive, an x that does not fit.
    """
    length = positive("length", length, "A row of weights has a positive length.")
    return _scaled(network, x, lambda lengths: length / lengths.clamp_min(1e-12))


def scale_rows(network: str | nn.Sequential, x: Tensor, factor: float) -> Tensor:
    """x (n,) or (S, n) with each row of weights ahead of a batch norm, and its bias, times ``factor``; a new tensor.

    Raises
    ------
    ValueError
        ``factor`` that is not positive (a negative one would change the function), an x that does not fit.
    """
    factor = positive("factor", factor, "Only a positive one leaves the function as it is.")
    return _scaled(network, x, lambda lengths: factor + 0 * lengths)


def _plain(network: nn.Module) -> nn.Sequential:
    reason = not_plain(network)
    if reason:
        raise TypeError(
            f"The network is no plain sequence: {reason}. Only there it is known what a scaled row leads to. Possible: "
            "nn.Sequential of Linear, Conv, BatchNorm, ReLU, MaxPool2d, Dropout, Flatten, Unflatten."
        )
    return cast(nn.Sequential, network)


def _opened(network: str | nn.Module, x: Tensor) -> tuple[nn.Sequential, Layout, Tensor]:
    module = _plain(networks.layers(network))
    layout = Layout.of(module)
    return module, layout, check_points(x, layout.n)


def _scaled(network, x: Tensor, factor_of) -> Tensor:
    """Each row times ``factor_of`` its length; lengths are (S, units)."""
    module, layout, points = _opened(network, x)
    points = points.clone()
    weights = layout.split(points)  # views
    for name in ahead_of_norm(module):
        rows = weights[f"{name}.weight"]
        factors = factor_of(rows.flatten(2).norm(dim=2))
        rows.mul_(factors.view(*factors.shape, *[1] * (rows.dim() - 2)))
        if f"{name}.bias" in weights:
            weights[f"{name}.bias"].mul_(factors)
    return points.view_as(x)


def around_relu(network: nn.Sequential) -> list[tuple[str, str]]:
    """(layer ahead, layer behind) for each ReLU: what `rescale` multiplies and what it divides.

    Ahead is what feeds the ReLU, a weighted layer or its batch norm; behind is the next weighted
    layer. Pooling, dropout and reshaping between the two let a positive factor through, as ReLU
    does. A ReLU next to a batch norm that has no scale, or followed by one, is left out.

    >>> around_relu(networks.build("F0-plain"))
    [('1', '3'), ('3', '5'), ('5', '7')]
    >>> around_relu(networks.build("F0"))
    [('2', '4'), ('5', '7'), ('8', '10')]
    """
    named = list(_plain(network)._modules.items())
    weighted, norms = (nn.Linear, nn.Conv1d, nn.Conv2d), (nn.BatchNorm1d, nn.BatchNorm2d)
    # all else lets it through
    at = [place for place, (_, layer) in enumerate(named) if isinstance(layer, (*weighted, *norms))]
    pairs = []
    for place, (_, layer) in enumerate(named):
        ahead = [named[k] for k in at if k < place][-1:]
        behind = [named[k] for k in at if k > place][:1]
        if not isinstance(layer, nn.ReLU) or not ahead or not behind:
            continue
        (before, scaled), (after, divided) = ahead[0], behind[0]
        if scaled.weight is not None and isinstance(divided, weighted):
            pairs.append((before, after))
    return pairs


def rescale(network: str | nn.Sequential, x: Tensor, factor: float, relu: int = 0) -> Tensor:
    """x (n,) or (S, n) with the layer ahead of a ReLU times ``factor`` and the layer behind it
    divided by it; a new tensor.

    The function stays: ReLU lets a positive factor through. This is the rescaling of Dinh et al.
    2017; chapter 9 uses it to break Metric 2.1. ``relu`` counts the ReLUs from 0. Weights and
    biases ahead are scaled, behind the weights alone. A factor that is a power of two changes no
    digit of the outputs.

    Raises
    ------
    ValueError
        ``factor`` that is not positive, ``relu`` that the network does not have, an x that does not fit.
    """
    factor = positive("factor", factor, "Only a positive one passes through ReLU.")
    relu = whole_number("relu", relu)
    module, layout, points = _opened(network, x)
    pairs = around_relu(module)
    if not 0 <= relu < len(pairs):
        raise ValueError(
            f"relu is {relu}; this network has {len(pairs)} ReLUs between layers with weights, counted from 0."
        )
    ahead, behind = pairs[relu]
    points = points.clone()
    weights = layout.split(points)  # views
    weights[f"{ahead}.weight"].mul_(factor)
    if f"{ahead}.bias" in weights:
        weights[f"{ahead}.bias"].mul_(factor)
    weights[f"{behind}.weight"].div_(factor)
    return points.view_as(x)
