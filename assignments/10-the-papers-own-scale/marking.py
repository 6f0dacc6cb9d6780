"""What the hidden tests of assignment 10 need: the costs, Welch's interval, the measured rows, and the gaps of the trainings."""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor

from labsupport import Recipe, data
from labsupport.reproduce import committed
from labsupport.training.stopping import Stopping

EPOCHS = 40
RULES = {"loose": (3, 0.1), "strict": (5, 0.05)}
RUNS = (("F1", "mnist", None), ("F1", "mnist", 10_000), ("F2", "fsdd", 20_000))


def cost(seed: int) -> tuple[dict[str, int], dict[str, float]]:
    """Updates and seconds of one training of question 1, SB and LB."""
    samples, operations = 50_003 + 10 * (seed % 397), 4_000_000 + 10_000 * (seed % 251)
    computing = 100 * samples * operations / (0.3 * 8.1e12)
    updates, seconds = {}, {}
    for batch, size in (("SB", 256), ("LB", samples // 10)):
        updates[batch] = 100 * -(-samples // size)
        seconds[batch] = max(computing, 0.001 * updates[batch])
    return updates, seconds


def welch(first: Tensor, second: Tensor) -> list[float]:
    """How many times as large the geometric mean of the first ratios is, low and high."""
    found = stats.ttest_ind(first.double().log(), second.double().log(), equal_var=False)
    ends = found.confidence_interval(0.95)
    times = math.exp(float(first.double().log().mean() - second.double().log().mean()))
    return [times, math.exp(ends.low), math.exp(ends.high)]


def measured(seed: int) -> tuple[list[float], list[float]]:
    """The student's rows of question 4: the sharpness of SB and of LB in the order of the seeds."""
    network, dataset, train_size = RUNS[seed // 4 % 3]
    epsilon, dimensions = (0.0005, 0.001)[seed % 2], (None, 100)[seed // 2 % 2]
    table = committed.tables()["sharpness"]
    table = table[
        (table.network == network) & (table.dataset == dataset) & (table.epsilon == epsilon)
    ]
    table = table[
        (table.recipe == "as in the paper") & (table.point == "end") & (table.estimator == "strong")
    ]
    table = table[table.train_size.fillna(0) == (train_size or 0)]
    table = table[table.subspace_dim.fillna(0) == (dimensions or 0)]
    wide = table.pivot(index="seed", columns="batch", values="sharpness").sort_index()
    return wide.SB.tolist(), wide.LB.tolist()


def gap(seed: int, way: str) -> Tensor:
    """SB minus LB of question 5, (5,) in points, each training read where ``way`` says."""
    small, large = (_read(_trained(seed, size), way) for size in (20, 200))
    return small - large


def _read(run: dict[str, Tensor], way: str) -> Tensor:
    found = []
    for start in range(5):
        if way == "loss":
            found.append(
                next(k for k, loss in enumerate(run["train_loss"][:, start]) if loss <= 1.4)
            )
        else:
            found.append(_end(run["batch_loss"][:, start], *RULES[way]) - 1)
    return torch.stack([run["accuracy"][row, start] for start, row in enumerate(found)])


def _end(batch_loss: Tensor, patience: int, share: float) -> int:
    rule = Stopping(
        Recipe(1, epochs=EPOCHS, stop_plateau=(patience, share)), 1, torch.device("cpu")
    )
    ended = (epoch for epoch, mean in enumerate(batch_loss, 1) if rule.flat(mean[None]).item())
    return next(ended, EPOCHS)


@lru_cache
def _trained(seed: int, size: int) -> dict[str, Tensor]:
    (x, y), (x_test, y_test) = _samples(seed)
    generator = torch.Generator().manual_seed(0)
    shapes, scales = [(5, 32, 40), (5, 32), (5, 10, 32), (5, 10)], [40**-0.5, 0.0, 32**-0.5, 0.0]
    networks = [
        (scale * torch.randn(shape, generator=generator)).double().requires_grad_()
        for shape, scale in zip(shapes, scales, strict=True)
    ]
    optimizer = torch.optim.Adam(networks, lr=0.005)
    seen: dict[str, list[Tensor]] = {"batch_loss": [], "train_loss": [], "accuracy": []}
    for _ in range(EPOCHS):
        total = torch.zeros(5, dtype=torch.float64)
        for batch in torch.rand(5, len(x), generator=generator).argsort(1).split(size, 1):
            optimizer.zero_grad()
            loss = _losses(networks, x[batch], y[batch])
            loss.sum().backward()
            optimizer.step()
            total = total + loss.detach() * batch.shape[1] / len(x)
        with torch.no_grad():
            seen["batch_loss"].append(total)
            seen["train_loss"].append(_losses(networks, x, y))
            seen["accuracy"].append(
                100 * (_outputs(networks, x_test).argmax(-1) == y_test).double().mean(1)
            )
    return {name: torch.stack(rows) for name, rows in seen.items()}


def _samples(seed: int):
    everything = data.load("mnist1d", device="cpu")
    own = torch.randperm(4000, generator=torch.Generator().manual_seed(seed))[:400]
    middle, width = everything.x_train[own].mean(0), everything.x_train[own].std(0)
    return (
        (((everything.x_train[own] - middle) / width).double(), everything.y_train[own]),
        (((everything.x_test[:2000] - middle) / width).double(), everything.y_test[:2000]),
    )


def _outputs(networks, x: Tensor) -> Tensor:
    W, b, V, c = networks
    return torch.tanh(x @ W.mT + b[:, None]) @ V.mT + c[:, None]


def _losses(networks, x: Tensor, y: Tensor) -> Tensor:
    scores = _outputs(networks, x)
    labels = y.expand(scores.shape[:2]).flatten()
    return F.cross_entropy(scores.flatten(0, 1), labels, reduction="none").view(5, -1).mean(1)
