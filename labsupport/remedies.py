"""The pieces a training step is put together from: the batch, the gradient, the step length.

Each is a small function of tensors with a leading axis of S models. `training` composes them by what a `Recipe`
asks for; chapter 8 takes them one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

#: (points (S, n), inputs (S, B, ...), labels (S, B)) -> (losses (S,), gradients (S, n)). The next call may write its
#: gradients where the last one's are.
Gradient = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def warmed_up(learning_rate: float, step: int, warmup_steps: int) -> float:
    """Gradual warm-up (Goyal et al. 2017): the rate climbs in a straight line over the first steps.

    >>> [warmed_up(1.0, step, 4) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    return learning_rate * min(1.0, (step + 1) / warmup_steps) if warmup_steps else learning_rate


def batch_size_at(epoch: int, batch_size: int, growth: tuple[tuple[int, int], ...]) -> int:
    """The batch size in an epoch (counted from 0) when it grows: ``growth`` holds (from epoch, batch size) pairs.

    >>> [batch_size_at(epoch, 32, ((2, 64), (3, 400))) for epoch in range(4)]
    [32, 32, 64, 400]
    """
    for start, size in growth:
        if epoch >= start:
            batch_size = size
    return batch_size


def ghost(gradient: Gradient, size: int) -> Gradient:
    """Ghost batch norm (Hoffer et al. 2017): groups of ``size`` samples are normalized apart, their gradients averaged.

    A last group that would be smaller joins the one before it.
    """

    def grouped(points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        batch = labels.shape[1]
        edges = list(range(0, max(batch - size, 0) + 1, size)) + [batch]
        losses, mean = points.new_zeros(()), points.new_zeros(())
        for a, b in zip(edges, edges[1:]):
            share = (b - a) / batch
            loss, g = gradient(points, inputs[:, a:b], labels[:, a:b])
            losses, mean = losses + share * loss, mean + share * g
        return losses, mean

    return grouped


def sharpness_aware(gradient: Gradient, rho: float, *, adaptive: bool = False) -> Gradient:
    """The gradient at the end of one ascent step of length ``rho``.

    SAM (Foret et al. 2021) steps along g / ||g||. ASAM (Kwon et al. 2021) measures the step in units of each weight,
    T = |x|: it moves by T^2 g / ||T g||, and so does not change when a layer is rescaled.
    """

    def ascended(points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        losses, g = gradient(points, inputs, labels)
        unit = points.abs() + 0.01 if adaptive else torch.ones_like(points)  # .01: the authors' eta
        length = (unit * g).norm(dim=1, keepdim=True).clamp_min(1e-12)
        return losses, gradient(points + rho * unit**2 * g / length, inputs, labels)[1]

    return ascended


def proximal(gradient: Gradient, strength: float, anchor: Tensor) -> Gradient:
    """Conservative training (Keskar et al. 2017, appendix E.2): adds strength / 2 * ||x - anchor||^2 to the loss."""

    def held_back(points: Tensor, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        losses, g = gradient(points, inputs, labels)
        return losses, g + strength * (points - anchor)

    return held_back


def augment_signals(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """New versions of MNIST-1D signals (..., 40): shifted by up to 2 places, scaled by up to 10 %, a little noise."""
    where = inputs.device
    size = (*inputs.shape[:-1], 1)
    shift = torch.randint(-2, 3, size, generator=generator, device=where)
    places = (torch.arange(inputs.shape[-1], device=where) - shift) % inputs.shape[-1]
    scale = 1 + 0.1 * (2 * torch.rand(size, generator=generator, device=where) - 1)
    noise = 0.05 * torch.randn(inputs.shape, generator=generator, device=where)
    return inputs.gather(-1, places) * scale + noise


def augment_images(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """New versions of images (S, B, C, H, W) as in appendix E.1: flipped or not, rotated by up to 10 degrees, moved by
    up to a fifth of the size; outside the picture there is black."""
    lead, image = inputs.shape[:-3], inputs.shape[-3:]
    flat = inputs.reshape(-1, *image)
    draw = lambda: 2 * torch.rand(len(flat), generator=generator, device=inputs.device) - 1
    angle, flip = draw() * torch.pi / 18, draw().sign()
    zero = torch.stack([flip * angle.cos(), -angle.sin(), 0.4 * draw()], 1)
    one = torch.stack([flip * angle.sin(), angle.cos(), 0.4 * draw()], 1)
    grid = F.affine_grid(torch.stack([zero, one], 1), list(flat.shape), align_corners=False)
    return F.grid_sample(flat, grid, align_corners=False).view(*lead, *image)


AUGMENTATIONS = {"signals": augment_signals, "images": augment_images}
#: The dimensions of one sample that each augmentation is for.
DIMENSIONS = {"signals": 1, "images": 3}
