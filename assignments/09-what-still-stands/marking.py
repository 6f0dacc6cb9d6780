"""What the hidden tests of assignment 9 need: the student's weights, layers to balance, and the two worlds' answers."""

import torch
from torch import Tensor


def weights(seed: int) -> tuple[float, float, float]:
    """The factor and the two weights of question 1."""
    return 16.0 + seed % 33, 0.3 + 0.001 * (seed % 101), 0.05 + 0.0005 * (seed % 83)


def layer(number: int) -> tuple[Tensor, Tensor, Tensor]:
    """W (6, 5), b (6,) and V (3, 6) of a layer whose units differ in their scales."""
    draw = torch.Generator().manual_seed(number)
    scale = torch.tensor([0.1, 0.5, 1.0, 2.0, 4.0, 10.0])
    W = torch.randn(6, 5, generator=draw) * scale[:, None]
    return W, torch.randn(6, generator=draw) * scale, torch.randn(3, 6, generator=draw)


def computes(W: Tensor, b: Tensor, V: Tensor) -> Tensor:
    """What the layer answers to 50 inputs, (50, 3)."""
    inputs = torch.randn(50, 5, generator=torch.Generator().manual_seed(9))
    return (inputs @ W.T + b).relu() @ V.T


def answers(seed: int) -> dict[str, dict[str, float]]:
    """What is seen, held and done in both worlds of question 4."""
    dial = torch.randn(400, generator=torch.Generator().manual_seed(seed)).double()
    found: dict[str, dict[str, float]] = {"seen": {}, "held": {}, "done": {}}
    bit = torch.rand(1, generator=torch.Generator().manual_seed(seed)).item() > 0.5
    for number, name in enumerate(("north", "south"), start=1):
        chance = torch.Generator().manual_seed(seed + number)
        hidden, own, rest = torch.randn(3, 400, generator=chance).double()
        sharpness = dial + 0.8 * hidden + 0.3 * own
        strength = 0.5 + 0.05 * (seed % 9) if bit == (name == "north") else 0.0
        unseen = -0.9125 * strength if strength else 0.7
        error = strength * sharpness + (0.9 - strength) * dial + unseen * hidden + 0.3 * rest
        found["seen"][name] = _correlation(sharpness, error)
        found["held"][name] = _correlation(_beyond(sharpness, dial), _beyond(error, dial))
        found["done"][name] = strength
    return found


def _beyond(values: Tensor, dial: Tensor) -> Tensor:
    centered, of_dial = values - values.mean(), dial - dial.mean()
    return centered - of_dial * (centered @ of_dial) / (of_dial @ of_dial)


def _correlation(one: Tensor, two: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, two]))[0, 1])
