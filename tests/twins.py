"""Slow twins: the package's arithmetic done again in the most ordinary way, one module, one batch, one seed at a time.

They know nothing of flat vectors, stacks or chunks in parallel. The tests hold the fast code against them.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import nn

from labsupport import networks, remedies


def module_at(network: str, x: torch.Tensor, *, num_classes: int | None = None) -> nn.Module:
    """The network as an ordinary module of x's dtype, whose parameters hold x."""
    module = networks.build(network, num_classes=num_classes).to(x.dtype)
    nn.utils.vector_to_parameters(x.detach().clone(), module.parameters())
    return module


def vector_of(module: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def loss(
    network: str, x: torch.Tensor, inputs: torch.Tensor, labels: torch.Tensor, chunk: int = 5000
) -> torch.Tensor:
    """Mean cross-entropy in float64, chunk after chunk, with PyTorch's own layers and dropout off."""
    # batch norm keeps no statistics, so eval concerns dropout alone
    module = module_at(network, x.double()).eval()
    total = torch.zeros((), dtype=torch.float64)
    for start in range(0, len(labels), chunk):
        part = slice(start, start + chunk)
        total = total + nn.CrossEntropyLoss(reduction="sum")(
            module(inputs[part].double()), labels[part]
        )
    return total.detach() / len(labels)


def dense_hessian(function, x: torch.Tensor) -> torch.Tensor:
    """All second derivatives of a function of x (n,), (n, n)."""
    return torch.autograd.functional.hessian(function, x)


def best_vertex(function, x: torch.Tensor, half: torch.Tensor) -> float:
    """The largest value of a function over all 2^n corners of the box x +- half."""
    corners = itertools.product((-1.0, 1.0), repeat=len(x))
    return max(
        float(function(x + torch.tensor(corner, dtype=x.dtype) * half)) for corner in corners
    )


def train(network: str, dataset, recipe, seed: int, x0: torch.Tensor) -> torch.Tensor:
    """The loop a reader would write: one module, nn.CrossEntropyLoss, torch.optim, batch after batch; its end."""
    module = module_at(network, x0, num_classes=dataset.num_classes).train()
    parameters, criterion = list(module.parameters()), nn.CrossEntropyLoss()
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(
            parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
    else:
        optimizer = torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
    order, noise = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    done = 0
    for epoch in itertools.count():
        if done == recipe.steps or epoch == recipe.epochs:
            return vector_of(module)
        size = recipe.batch_size
        for start, grown in recipe.growth:
            size = grown if epoch >= start else size
        permutation = torch.randperm(len(dataset.y_train), generator=order)
        for rows in permutation.split(size):
            if done == recipe.steps:
                break
            inputs, labels = dataset.x_train[rows], dataset.y_train[rows]
            if recipe.augment:
                inputs = remedies.AUGMENTATIONS[recipe.augment](inputs, noise)
            if recipe.warmup_steps:
                optimizer.param_groups[0]["lr"] = recipe.learning_rate * min(
                    1, (done + 1) / recipe.warmup_steps
                )
            anchor = [p.detach().clone() for p in parameters]
            for _ in range(recipe.inner_steps):
                _backward(module, parameters, criterion, recipe, inputs, labels, anchor)
                optimizer.step()
            done += 1


def _backward(module, parameters, criterion, recipe, inputs, labels, anchor) -> None:
    """Leave the gradient of one batch in ``.grad``."""

    def batch_loss():
        if not recipe.ghost_batch:
            return criterion(module(inputs), labels)
        groups = max(1, len(labels) // recipe.ghost_batch)  # what is left over joins the last group
        edges = [k * recipe.ghost_batch for k in range(groups)] + [len(labels)]
        parts = [
            criterion(module(inputs[a:b]), labels[a:b]) * (b - a)
            for a, b in itertools.pairwise(edges)
        ]
        return sum(parts) / len(labels)

    def gradients(value):
        for parameter, gradient in zip(parameters, torch.autograd.grad(value, parameters)):
            parameter.grad = gradient

    gradients(batch_loss())
    if recipe.sam_rho:
        before = [p.detach().clone() for p in parameters]
        unit = [p.abs() + 0.01 if recipe.sam_adaptive else torch.ones_like(p) for p in before]
        length = torch.sqrt(sum(((t * p.grad) ** 2).sum() for t, p in zip(unit, parameters)))
        with torch.no_grad():
            for t, p in zip(unit, parameters):
                p += recipe.sam_rho * t**2 * p.grad / length
        gradients(batch_loss())
        with torch.no_grad():
            for old, p in zip(before, parameters):
                p.copy_(old)
    if recipe.proximal:
        with torch.no_grad():
            for old, p in zip(anchor, parameters):
                p.grad += recipe.proximal * (p - old)


def pseudo_inverse(a: torch.Tensor) -> np.ndarray:
    return np.linalg.pinv(a.double().numpy())
