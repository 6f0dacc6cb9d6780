"""Chapter 7, is it over-fitting: when to stop, by hindsight or by a held-out split, and what it recovers."""

from __future__ import annotations

import dataclasses

import pandas as pd
import torch
from torch import Tensor, nn

from labsupport import device, networks, sweep, training
from labsupport.cache import remember
from labsupport.data import Dataset
from labsupport.errors import choose
from labsupport.objective import Objective
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import Settings
from labsupport.training import precision

#: Factors on the logits that are tried after training, by `tempered`.
TEMPERATURES = tuple(2 ** (k / 2) for k in range(-1, 9))
#: Epochs between two looks at the held-out samples.
EVERY = 4


def early_stopping(
    s: Settings, *, label_noise: float = 0.0, batches: tuple[str, ...] = ("SB", "LB")
) -> pd.DataFrame:
    """Train on what is left when ``s.held_out`` training samples are set aside, and look at them as training goes.

    Parameters
    ----------
    label_noise
        Fraction of the training and held-out labels that are replaced by another class at random: a case in which
        over-fitting is certain. LB then trains for as many epochs as SB. The test labels stay as they are.
    batches
        Which of the two to train.

    Returns
    -------
    DataFrame
        batch (SB, LB), seed, epoch, steps; accuracy (percent) and loss (nats) as ``train_accuracy``, ``train_loss``,
        and likewise of ``held_out`` and ``test``;
        ``temperature``, by which the logits are divided so that the held-out loss is least, and ``tempered_test_loss``,
        the test loss (nats) after that. One row per `EVERY` epochs and seed.

    Raises
    ------
    ValueError
        label_noise outside 0..1, or batches that are neither SB nor LB.
    """
    for name in batches:
        choose("batch", name, ("SB", "LB"))
    if not 0 <= label_noise < 1:
        raise ValueError(
            f"label_noise is {label_noise}; it is a fraction of the labels, at least 0 and below 1."
        )
    recipes = {"SB": s.SB, "LB": s.LB}
    if label_noise:
        recipes["LB"] = s.LB.but(epochs=s.SB.epochs, stop_loss=None)
    jobs = {}
    for name, recipe in recipes.items():
        if name in batches:
            used = precision.named(recipe.precision, s.main.build(), device.pick())
            recipe = recipe.but(precision=used)  # so that the stored table's name says it
            jobs[name] = (s.main, s.held_out, recipe, tuple(range(s.seeds)), label_noise)
    tables = sweep.each(_watched, jobs)
    return pd.concat(
        [table.assign(batch=name) for name, table in tables.items()], ignore_index=True
    )


def split(
    dataset: Dataset, held_out: int, *, label_noise: float = 0.0, seed: int = 0
) -> tuple[Dataset, Tensor, Tensor]:
    """Set the last ``held_out`` training samples aside: (the rest with the same test set, x (held_out, ...), y).

    Raises ValueError if that leaves no sample on one of the sides.
    """
    labels = corrupt(dataset.y_train, label_noise, dataset.num_classes, seed=seed)
    return dataclasses.replace(dataset, y_train=labels).split(held_out)


def corrupt(y: Tensor, fraction: float, num_classes: int, *, seed: int = 0) -> Tensor:
    """Labels (N,) of which a ``fraction`` are replaced by one of the other classes, each as likely.

    >>> y = torch.zeros(1000, dtype=torch.int64)
    >>> wrong = corrupt(y, 0.3, 10)
    >>> int((wrong != y).sum()), sorted(wrong.unique().tolist())
    (300, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(y), generator=generator)[: round(fraction * len(y))]
    shift = torch.randint(1, num_classes, (len(chosen),), generator=generator)
    wrong = y.clone()
    wrong[chosen.to(y.device)] = (y[chosen.to(y.device)] + shift.to(y.device)) % num_classes
    return wrong


@remember
def _watched(
    problem: Problem, held_out: int, recipe: Recipe, seeds: tuple[int, ...], label_noise: float
) -> pd.DataFrame:
    network = problem.network
    rest, x, y = split(problem.load(), held_out, label_noise=label_noise)
    epochs = range(0, (recipe.epochs or 0) + 1, EVERY)
    # besides the checkpoints' rows
    runs = training.train(Problem(network, rest), recipe, seeds, checkpoints=epochs, records=1)
    on_held_out, on_test = Objective(network, x, y), Objective(network, rest.x_test, rest.y_test)
    looks = [
        (runs.history[runs.history.epoch == epoch], points)
        for epoch, points in runs.checkpoints.items()
    ]
    last = runs.final.reset_index()
    # seeds that stopped between two looks
    looks.append((last[~last.epoch.isin(list(runs.checkpoints))], runs.x))
    rows = []
    for found, points in looks:
        if not len(found):
            continue
        points = points[[seeds.index(seed) for seed in found.seed]]
        loss, accuracy = on_held_out.loss_and_accuracy(points)
        temperature = best_temperature(on_held_out, points, network)
        tempered_loss = on_test(tempered(points, network, temperature))
        rows.append(
            found.assign(
                held_out_loss=loss.tolist(),
                held_out_accuracy=accuracy.tolist(),
                temperature=temperature.tolist(),
                tempered_test_loss=tempered_loss.tolist(),
            )
        )
    return pd.concat(rows, ignore_index=True).sort_values(["seed", "epoch"], ignore_index=True)


def tempered(x: Tensor, network: str | nn.Module, temperature: Tensor | float) -> Tensor:
    """The points whose logits are those of x (S, n) divided by ``temperature`` (S,) or a number: every answer stays.

    Only the output layer's weights and biases, the last entries of x, are divided.
    """
    output = list(networks.layers(network).children())[-1]
    last = sum(p.numel() for p in output.parameters())
    t = torch.as_tensor(temperature, dtype=x.dtype, device=x.device).reshape(-1, 1)
    return torch.cat([x[:, :-last], x[:, -last:] / t], dim=1)


def best_temperature(on: Objective, x: Tensor, network: str | nn.Module) -> Tensor:
    """Of `TEMPERATURES`, the one with the least loss of ``on`` at each row of x (S, n); (S,)."""
    losses = torch.stack([on(tempered(x, network, t)) for t in TEMPERATURES])  # (T, S)
    return torch.tensor(TEMPERATURES, device=x.device)[losses.argmin(0)]


def chosen(table: pd.DataFrame, by: str, *, least: bool = False) -> pd.DataFrame:
    """One row a batch and seed: the first epoch at which column ``by`` is greatest, or ``least``.

    >>> t = pd.DataFrame({"batch": "LB", "seed": 0, "epoch": [0, 2, 4], "held_out_accuracy": [10.0, 60.0, 60.0]})
    >>> chosen(t, by="held_out_accuracy")["epoch"].tolist()
    [2]
    """
    groups = table.sort_values("epoch").groupby(["batch", "seed"])[by]
    rows = groups.idxmin() if least else groups.idxmax()
    return table.loc[rows].reset_index(drop=True)
