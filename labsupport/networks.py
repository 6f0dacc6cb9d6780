"""The paper's networks F1, F2, C1-C4 (Keskar et al. 2017, Table 1 and appendix B) and three small ones of ours.

Each is a plain `nn.Sequential`. Batch norm always uses the statistics of the batch it is given, in training and
in evaluation, as the authors' code did (Keras 1, ``mode=2``): no buffers, so a network is its parameters alone.
C1 and C3 follow the authors' code; appendix B.3 prints stride 2 on the convolution, which would not give the
published parameter count. C2 and C4 carry the dropout of the authors' code, of which the paper names only part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from labsupport.errors import choose, shown


def _norm(width: int, *, dims: int = 1) -> nn.Module:
    kind = nn.BatchNorm1d if dims == 1 else nn.BatchNorm2d
    return kind(width, track_running_stats=False)


def _dense(
    widths: list[int], classes: int, *, dropout: float = 0.0, norm: bool = True
) -> list[nn.Module]:
    """Linear layers between the ``widths``, each with batch norm, ReLU and perhaps dropout; then the output layer."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        layers += (
            [nn.Linear(before, after)]
            + [_norm(after)] * norm
            + [nn.ReLU()]
            + [nn.Dropout(dropout)] * (dropout > 0)
        )
    return layers + [nn.Linear(widths[-1], classes)]


def fully_connected(inputs: int, width: int, depth: int, *, norm: bool = True):
    """The network as a function of its number of classes: ``depth`` layers of ``width``, with batch norm or without."""
    return lambda classes: nn.Sequential(
        nn.Flatten(), *_dense([inputs] + [width] * depth, classes, norm=norm)
    )


def _conv_1d(classes: int) -> nn.Sequential:
    """Three strided 1-D convolutions, 40 -> 20 -> 10 -> 5 positions, as in the MNIST-1D paper's
    baseline, with batch norm.
    """
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 40))]
    for channels in (1, 25, 25):
        layers += [
            nn.Conv1d(
                channels, 25, 5 if channels == 1 else 3, stride=2, padding=2 if channels == 1 else 1
            ),
            _norm(25),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(125, classes))


def _shallow_conv(classes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (3, 64):  # (B, 3, 32, 32) -> (B, 64, 16, 16) -> (B, 64, 8, 8)
        layers += [
            nn.Conv2d(channels, 64, 5, padding=2),
            _norm(64, dims=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, padding=1),
        ]
    return nn.Sequential(*layers, nn.Flatten(), *_dense([4096, 384, 192], classes, dropout=0.5))


def _deep_conv(classes: int) -> nn.Sequential:
    """VGG-like; dropout after every convolution but a stack's last: .3 in the first stack, .4 in the others."""
    layers: list[nn.Module] = []
    before = 3
    for stack, (repeats, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
        for layer in range(repeats):
            layers += [nn.Conv2d(before, width, 3, padding=1), _norm(width, dims=2), nn.ReLU()]
            if layer < repeats - 1:
                layers += [nn.Dropout(0.3 if stack == 0 else 0.4)]
            before = width
        layers += [nn.MaxPool2d(2)]
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Dropout(0.5), *_dense([512, 512], classes, dropout=0.5)
    )


@dataclass(frozen=True)
class Entry:
    """A line of the registry: ``shape`` is one sample's, ``parameters`` counts weights, biases and BN scale/shift."""

    make: Callable[[int], nn.Sequential]
    dataset: str
    shape: tuple[int, ...]
    classes: int
    parameters: int
    source: str


REGISTRY: dict[str, Entry] = {
    "F0": Entry(fully_connected(40, 128, 3), "mnist1d", (40,), 10, 40_330, "ours"),
    "F0-plain": Entry(
        fully_connected(40, 128, 3, norm=False),
        "mnist1d",
        (40,),
        10,
        39_562,
        "ours, F0 without batch norm",
    ),
    "C0": Entry(_conv_1d, "mnist1d", (40,), 10, 5_360, "ours"),
    "F1s": Entry(
        fully_connected(784, 256, 3), "mnist", (1, 28, 28), 10, 336_650, "ours, F1 for a laptop"
    ),
    "F1": Entry(fully_connected(784, 512, 5), "mnist", (1, 28, 28), 10, 1_462_794, "paper"),
    "F2": Entry(fully_connected(360, 512, 7), "timit", (360,), 1_973, 2_780_085, "paper"),
    "C1": Entry(_shallow_conv, "cifar10", (3, 32, 32), 10, 1_757_834, "paper"),
    "C2": Entry(_deep_conv, "cifar10", (3, 32, 32), 10, 14_991_946, "paper"),
    "C3": Entry(_shallow_conv, "cifar100", (3, 32, 32), 100, 1_775_204, "paper"),
    "C4": Entry(_deep_conv, "cifar100", (3, 32, 32), 100, 15_038_116, "paper"),
}


def build(name: str, *, num_classes: int | None = None) -> nn.Sequential:
    """Make the network called ``name``; its weights are PyTorch's uniform defaults, drawn from torch's generator.

    Parameters
    ----------
    num_classes
        Outputs; by default those of the network's own data set.

    Raises
    ------
    UnknownName
        With the nearest valid name.
    ValueError
        ``num_classes`` below 2.

    >>> sum(p.numel() for p in build("F0").parameters())
    40330
    """
    entry = REGISTRY[choose("network", name, REGISTRY)]
    if num_classes is not None and num_classes < 2:
        raise ValueError(f"num_classes is {num_classes}; a classifier needs at least 2.")
    return entry.make(num_classes or entry.classes)


def layers(network: str | nn.Module, *, num_classes: int | None = None) -> nn.Module:
    """The module itself, or the one called so, for its layers alone: torch's own generator is left as it was.

    Raises
    ------
    TypeError
        What is neither a name nor a module, such as a class or a function.
    """
    if isinstance(network, str):
        with torch.random.fork_rng(devices=[]):
            return build(network, num_classes=num_classes)
    if isinstance(network, type) and issubclass(network, nn.Module):
        raise TypeError(
            f"network is the class {network.__name__}; a module, such as {network.__name__}(), is needed."
        )
    if isinstance(network, torch.jit.ScriptModule):
        raise TypeError(
            "network is a ScriptModule, whose code cannot be called at another x. Give the module it was made from."
        )
    if not isinstance(network, nn.Module):
        raise TypeError(
            f"network is {shown(network)}; a torch.nn.Module, or a name such as 'F0', is needed."
        )
    return getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
