"""The programs a user would otherwise write: loops over modules and data loaders, SciPy over a
module, curvlinops, PyHessian.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.optimize import minimize
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import ToTensor

from benchmarks import residual
from labsupport.data import Dataset
from labsupport.recipe import Recipe


class Pictures(TorchDataset):
    """Images as torchvision's own data sets give them: a PIL picture for each index, through a transform."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor):
        self.pixels = (x.cpu() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        self.labels, self.transform = y.cpu().tolist(), ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(np.squeeze(self.pixels[index]))), self.labels[index]


def train(
    network: str | nn.Module, dataset: Dataset, recipe: Recipe, seeds: int, *, tuned: bool = False
) -> list[nn.Module]:
    """Train seed after seed for ``recipe.epochs``; ``tuned`` adds workers, pinned memory and the fused optimizer."""
    where = dataset.device
    images = dataset.x_train.dim() == 4
    samples = (
        Pictures(dataset.x_train, dataset.y_train)
        if images
        else TensorDataset(dataset.x_train.cpu(), dataset.y_train.cpu())
    )
    more = (
        {"num_workers": 8, "pin_memory": True, "persistent_workers": True}
        if tuned and where.type == "cuda"
        else {}
    )
    modules = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        module = residual.make(network, dataset).to(where)
        optimizer = torch.optim.Adam(
            module.parameters(), lr=recipe.learning_rate, **({"fused": True} if tuned else {})
        )
        loader = DataLoader(samples, batch_size=recipe.batch_size, shuffle=True, **more)
        for _ in range(recipe.epochs):
            for x, y in loader:
                x, y = x.to(where, non_blocking=tuned), y.to(where, non_blocking=tuned)
                optimizer.zero_grad()
                F.cross_entropy(module(x), y).backward()
                optimizer.step()
        modules.append(module)
    return modules


def module_at(network: str | nn.Module, x: torch.Tensor, dataset: Dataset) -> nn.Module:
    """The network as a module with parameters x (n,), on the data's device; batch norm by the
    batch's own statistics.
    """
    module = residual.make(network, dataset).to(dataset.device)
    vector_to_parameters(x.to(dataset.device), module.parameters())
    return module


def sharpness(
    network: str | nn.Module,
    x: torch.Tensor,
    dataset: Dataset,
    *,
    epsilon: float = 1e-3,
    iterations: int = 10,
    chunk: int = 5000,
) -> tuple[float, int]:
    """Metric 2.1 as one would write it first: L-BFGS-B from SciPy, every evaluation through a
    module and back to the host.

    Returns the largest loss found (nats) and the number of evaluations.
    """
    module = module_at(network, x, dataset)
    middle = x.double().cpu().numpy()
    width = epsilon * (np.abs(middle) + 1)
    found = []

    def minus_loss(y):
        point = torch.from_numpy(middle + y).to(dataset.device, torch.float32)
        vector_to_parameters(point, module.parameters())
        module.zero_grad()
        total = 0.0
        for inputs, labels in zip(dataset.x_train.split(chunk), dataset.y_train.split(chunk)):
            loss = F.cross_entropy(module(inputs), labels, reduction="sum") / len(dataset.y_train)
            loss.backward()
            total += float(loss.detach())
        gradient = parameters_to_vector([p.grad for p in module.parameters()])
        found.append(total)
        return -total, -gradient.double().cpu().numpy()

    start = np.random.default_rng(0).uniform(-1, 1, len(width)) * width
    minimize(
        minus_loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([-width, width], 1),
        options={"maxiter": iterations},
    )
    return max(found), len(found)


def top_eigenvalue(network: str, x: torch.Tensor, dataset: Dataset, *, chunk: int = 5000) -> float:
    """The Hessian's largest eigenvalue with curvlinops' operator and SciPy's Lanczos, to a relative 1e-3."""
    from curvlinops import HessianLinearOperator
    from scipy.sparse.linalg import eigsh

    module = module_at(network, x, dataset)
    batches = list(zip(dataset.x_train.split(chunk), dataset.y_train.split(chunk)))
    operator = HessianLinearOperator(
        module, nn.CrossEntropyLoss(), list(module.parameters()), batches, check_deterministic=False
    )
    first = np.random.default_rng(0).standard_normal(len(x))
    return float(
        eigsh(operator.to_scipy(), k=1, which="LA", tol=1e-3, v0=first, return_eigenvectors=False)[
            0
        ]
    )


def top_eigenvalue_by_pyhessian(network: str, x: torch.Tensor, dataset: Dataset) -> float:
    """The Hessian's eigenvalue of largest size with PyHessian's power iteration, to a relative
    1e-3, all samples in a batch.
    """
    from pyhessian import hessian

    module = module_at(network, x, dataset)
    batch = (dataset.x_train, dataset.y_train)
    torch.manual_seed(0)
    found = hessian(module, nn.CrossEntropyLoss(), data=batch, cuda=dataset.device.type == "cuda")
    return float(found.eigenvalues(maxIter=500, tol=1e-3, top_n=1)[0][0])
