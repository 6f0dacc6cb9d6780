"""What the hidden tests of assignment 1 need: the sizes, and the gradients that a notebook was given."""

import torch
import torch.nn.functional as F

from labsupport import data


def training_size(seed: int) -> int:
    """N of question 1."""
    return 5003 + 32 * (seed % 23) + seed % 29


def noise_by_formula(seed: int) -> tuple[float, float]:
    """The noise of batches of 40 at the start: drawn from all 400 samples, and four from each class."""
    gradients = _gradients(seed)
    plain = _variance(gradients) / 40 * (400 - 40) / (400 - 1)
    within = sum(_variance(gradients[40 * digit : 40 * digit + 40]) for digit in range(10))
    return float(plain), float(within / 4 * (40 - 4) / (40 - 1) / 100)


def _variance(gradients):
    return (gradients - gradients.mean(0)).square().sum(1).mean()


def _gradients(seed: int):
    """The gradients of the 400 samples where all weights are zero, class after class."""
    everything = data.load("mnist1d", device="cpu")
    shuffled = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))
    own = torch.cat([shuffled[everything.y_train[shuffled] == digit][:40] for digit in range(10)])
    inputs, labels = everything.x_train[own], everything.y_train[own]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    off = 0.1 - F.one_hot(labels, 10)
    return torch.cat([(off[:, :, None] * inputs[:, None]).flatten(1), off], 1)
