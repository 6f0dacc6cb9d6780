"""The loops a user would otherwise write: `DataLoader`, `ToTensor`, a module, an optimizer, one seed after another."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import ToTensor

from labsupport import networks
from labsupport.data import Dataset
from labsupport.training import Recipe


class Pictures(TorchDataset):
    """Images as torchvision's own data sets give them: a PIL picture for each index, through a transform."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor):
        self.pixels = (x.cpu() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        self.labels, self.transform = y.cpu().tolist(), ToTensor()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(np.squeeze(self.pixels[index]))), self.labels[index]


def train(network: str, dataset: Dataset, recipe: Recipe, seeds: int, *, tuned: bool = False) -> list[torch.nn.Module]:
    """Train seed after seed for ``recipe.epochs``; ``tuned`` adds workers, pinned memory and the fused optimizer."""
    where = dataset.device
    images = dataset.x_train.dim() == 4
    samples = Pictures(dataset.x_train, dataset.y_train) if images else TensorDataset(dataset.x_train.cpu(), dataset.y_train.cpu())
    more = {"num_workers": 8, "pin_memory": True, "persistent_workers": True} if tuned and where.type == "cuda" else {}
    modules = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        module = networks.build(network, num_classes=dataset.num_classes).to(where)
        optimizer = torch.optim.Adam(module.parameters(), lr=recipe.learning_rate, **({"fused": True} if tuned else {}))
        loader = DataLoader(samples, batch_size=recipe.batch_size, shuffle=True, **more)
        for _ in range(recipe.epochs):
            for x, y in loader:
                x, y = x.to(where, non_blocking=tuned), y.to(where, non_blocking=tuned)
                optimizer.zero_grad()
                F.cross_entropy(module(x), y).backward()
                optimizer.step()
        modules.append(module)
    return modules
