"""What the hidden tests of assignment 4 need: the loss that each student's notebook was given."""

import torch
import torch.nn.functional as F

from labsupport import data

SHAPES = [(16, 40), (16,), (10, 16), (10,)]


def loss_of(seed: int):
    """The training loss of the student with this seed, a function of one point (826,)."""
    everything = data.load("mnist1d", device="cpu")
    own = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:300]
    inputs, labels = everything.x_train[own], everything.y_train[own]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)

    def f(x):
        parts = x.split([640, 16, 160, 10])
        W, b, V, c = (part.view(shape) for part, shape in zip(parts, SHAPES))
        return F.cross_entropy(torch.tanh(inputs @ W.T + b) @ V.T + c, labels)

    return f
