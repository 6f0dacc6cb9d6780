"""What the hidden tests of assignment 8 need: the student's numbers, a reference SAM in groups, the four cells."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from labsupport import data
from labsupport.teach.judging import function


def batches(seed: int) -> tuple[int, int, float]:
    """Small batch, large batch and small rate of question 1."""
    return 24 + seed % 13, 300 + seed % 101, 0.02 + 0.001 * (seed % 7)


def regression():
    """The gradient of a small curved regression, a function that can travel, and a point."""
    draw = torch.Generator().manual_seed(8)
    A, t = torch.randn(12, 4, generator=draw).double(), torch.randn(12, generator=draw).double()
    gradient = function(
        "lambda x, rows: A[rows].T @ (4 * (A[rows] @ x - t[rows]) ** 3) / len(rows)", A=A, t=t
    )
    return gradient, torch.tensor([0.4, -0.7, 0.2, 0.5], dtype=torch.float64)


def sam(gradient, x: Tensor, rows: Tensor, rho: float, size: int) -> Tensor:
    """The gradient (n,) with a step uphill for each group."""
    found = torch.zeros_like(x)
    for group in rows.split(size):
        here = gradient(x, group)
        found += len(group) * gradient(x + rho * here / here.norm(), group)
    return found / len(rows)


@functools.cache
def cells(seed: int) -> Tensor:
    """The test accuracies of question 5 in percent, (2 rates, 2 group sizes, 6 networks)."""
    everything = data.load("mnist1d", device="cpu")
    own = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:512]
    inputs, labels = everything.x_train[own].double(), everything.y_train[own]
    test_inputs, test_labels = everything.x_test[:2000].double(), everything.y_test[:2000]

    def trained(rate, group):
        draw = torch.Generator().manual_seed(0)
        points = torch.randn(6, 1234, generator=draw).double() / 5
        for _ in range(60):
            rows = torch.randint(512, (6, 256), generator=draw)
            points.requires_grad_()
            answers = _outputs(points, inputs[rows], group)[0].flatten(0, 1)
            loss = F.cross_entropy(answers, labels[rows].flatten(), reduction="sum") / 256
            (g,) = torch.autograd.grad(loss, points)
            points = points.detach() - rate * g
        _, (mean, variance) = _outputs(points, inputs.expand(6, -1, -1), 512)
        W, b, V, c = points.split([960, 24, 240, 10], 1)
        z = (test_inputs @ W.view(-1, 40, 24) - mean[:, 0]) / (variance[:, 0] + 1e-5).sqrt()
        answers = (z + b[:, None]).relu() @ V.view(-1, 24, 10) + c[:, None]
        return 100 * (answers.argmax(2) == test_labels).double().mean(1)

    found = [trained(rate, group) for rate in (0.05, 0.2) for group in (256, 32)]
    return torch.stack(found).view(2, 2, 6)


def _outputs(points: Tensor, inputs: Tensor, group: int):
    W, b, V, c = points.split([960, 24, 240, 10], 1)
    z = (inputs @ W.view(-1, 40, 24)).view(6, -1, group, 24)
    mean, variance = z.mean(2, keepdim=True), z.var(2, correction=0, keepdim=True)
    z = ((z - mean) / (variance + 1e-5).sqrt()).flatten(1, 2)
    return (z + b[:, None]).relu() @ V.view(-1, 24, 10) + c[:, None], (mean, variance)
