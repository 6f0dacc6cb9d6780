"""Chapter 1: what a batch changes about a step. Its noise, what the hardware makes of it, and what an epoch then buys."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from labsupport.cache import remember
from labsupport.engine import threads
from labsupport.experiments.minima import iterates
from labsupport.objective import Objective, summed_loss
from labsupport.problem import Problem
from labsupport.settings import Settings

#: Batch sizes at which noise is measured; those as large as the data or larger are left out.
SIZES = (8, 32, 128, 400, 1000, 2000, 3200)


def epoch_batches(total: int, size: int, generator: torch.Generator) -> Tensor:
    """The full batches of one epoch: a permutation of 0..total-1, cut; (total // size, size), the last smaller one left out.

    >>> sorted(epoch_batches(6, 2, torch.Generator().manual_seed(0)).flatten().tolist())
    [0, 1, 2, 3, 4, 5]
    """
    order = torch.randperm(total, generator=generator, device=generator.device)
    return order[: total // size * size].view(-1, size)


def batch_gradients(f: Objective, x: Tensor, batches: Tensor) -> Tensor:
    """The gradient at x (n,) of the mean loss over each batch, (D, B) indices of samples: (D, n).

    Batch norm uses each batch's own statistics, as in training, or those that f has frozen.
    """
    size = max(1, 2_000 // batches.shape[1])
    found = []
    with threads.threads_for(f.n):
        for part in batches.split(min(size, 64)):
            leaf = x.expand(len(part), -1).clone().requires_grad_()
            logits = f.engine.logits(leaf, f.inputs[part], shared=False, frozen=f.frozen)
            losses = summed_loss(logits, f.labels[part]) / part.shape[1]
            found.append(torch.autograd.grad(losses.sum(), leaf)[0])
    return torch.cat(found)


def sample_variance(f: Objective, x: Tensor, *, samples: int | None = None) -> float:
    """sigma^2 at x (n,): the mean of ||g_i - g||^2 over the first so many samples i, by default all; g is the full gradient.

    f must have frozen statistics, since batch norm knows no single sample.
    """
    samples = min(samples or len(f.labels), len(f.labels))
    squares = sum(batch_gradients(f, x, part[:, None]).square().sum().item()
                  for part in torch.arange(samples, device=f.device).split(64))
    return squares / samples - f.gradient(x).square().sum().item()


def correction(batch_size, total: int):
    """The finite-population factor (N - B) / (N - 1): drawing without replacement, the noise is gone at B = N.

    >>> [correction(B, 5) for B in (1, 3, 5)]
    [1.0, 0.5, 0.0]
    """
    return (total - batch_size) / (total - 1)


def _measure(f: Objective, x: Tensor, size: int, at_least: int, seed: int) -> dict:
    """Noise of batches of one size around the full gradient at x (n,), and how far their mean is from it."""
    generator = torch.Generator(x.device).manual_seed(seed)
    total, full = len(f.labels), f.gradient(x)
    count, noise, mean = 0, 0.0, torch.zeros_like(full)
    while count < at_least:
        off = batch_gradients(f, x, epoch_batches(total, size, generator)) - full
        count, noise, mean = count + len(off), noise + off.square().sum().item(), mean + off.sum(0)
    signal, noise = full.square().sum().item(), noise / count
    shift = (mean / count).square().sum().item()
    return {"batch_size": size, "signal": signal, "noise": noise, "bias": max(0.0, (count * shift - noise) / (count - 1))}


@remember
def _noise(problem: Problem, x: Tensor, statistics: str, sizes: tuple[int, ...],
           at_least: int) -> pd.DataFrame:
    f = problem.objective()
    rows = []
    for seed, point in enumerate(x.to(f.device)):
        function = f.frozen_at(point) if statistics == "frozen" else f
        rows += [{"seed": seed, **_measure(function, point, size, at_least, seed)} for size in sizes]
    return pd.DataFrame(rows)


@remember
def _variance(problem: Problem, x: Tensor) -> list[float]:
    f = problem.objective()
    return [sample_variance(f.frozen_at(point), point, samples=1000) for point in x.to(f.device)]


def sizes(s: Settings) -> tuple[int, ...]:
    """`SIZES`, those smaller than the training set."""
    return tuple(size for size in SIZES if size < len(s.main.objective().labels))


def gradient_noise(s: Settings, epoch: int = 1, *, statistics: str = "frozen", batch_sizes: tuple[int, ...] | None = None,
                   at_least: int = 32) -> pd.DataFrame:
    """The noise of minibatch gradients by batch size, at the SB iterates of one epoch.

    Parameters
    ----------
    epoch
        One of the epochs that `warm_starts.iterates` keeps.
    statistics
        ``frozen``: batch norm's statistics are those of all samples at x, so that a batch gradient is a plain mean over
        samples. ``batch``: each batch's own, as in training.
    batch_sizes
        By default `sizes`.
    at_least
        Batches drawn per size, in whole epochs.

    Returns
    -------
    DataFrame
        seed, batch_size; signal, ||g||^2; noise, the mean of ||g_B - g||^2; bias, the squared distance between the mean of
        g_B and g, corrected for the number of draws; law, sigma^2 / B (N - B) / (N - 1) with sigma^2 from 1,000 single samples.
    """
    x, total = iterates(s)[epoch], len(s.main.objective().labels)
    found = _noise(s.main, x, statistics, batch_sizes or sizes(s), at_least)
    variance = found.seed.map(dict(enumerate(_variance(s.main, x))))
    return found.assign(law=variance / found.batch_size * correction(found.batch_size, total))


def slope(table: pd.DataFrame, column: str = "noise") -> pd.Series:
    """The slope of log ``column`` against log batch size, by least squares, one per seed."""
    return table.groupby("seed").apply(
        lambda rows: np.polyfit(np.log(rows.batch_size), np.log(rows[column]), 1)[0], include_groups=False)


def signal_and_noise(s: Settings) -> pd.DataFrame:
    """How the full gradient compares with its noise along SB training, statistics frozen.

    Returns
    -------
    DataFrame
        epoch, seed; signal, ||g||^2; variance, sigma^2, from epochs of batches of SB's size; crossing, sigma^2 / ||g||^2:
        the batch size at which, drawn with replacement, noise is as long as signal.
    """
    size, total = s.SB.batch_size, len(s.main.objective().labels)
    tables = []
    for epoch, x in iterates(s).items():
        found = _noise(s.main, x, "frozen", (size,), 2 * (total // size))
        variance = found.noise * size / correction(size, total)
        tables.append(pd.DataFrame({"epoch": epoch, "seed": found.seed, "signal": found.signal, "variance": variance,
                                    "crossing": variance / found.signal}))
    return pd.concat(tables, ignore_index=True)


def gradient_cloud(s: Settings, epoch: int, batch_sizes: tuple[int, ...], *, seed: int = 0, count: int = 100) -> dict[int, np.ndarray]:
    """{batch size: (count, 2)}: gradients of batches as points of a plane, in units of the full gradient's length.

    Second column: the part along the full gradient, which itself lies at (0, 1). First column: the length of all that
    remains, sideways; so the distance to (0, 1) is the true length of the noise. Its sign is the side of an arbitrary
    direction on which the batch lies. Statistics are frozen.
    """
    return _cloud(s.main, iterates(s)[epoch][seed], tuple(batch_sizes), count)


@remember
def _cloud(problem: Problem, x: Tensor, batch_sizes: tuple[int, ...], count: int) -> dict:
    f = problem.objective().frozen_at(x)
    generator = torch.Generator(f.device).manual_seed(0)
    full, total, clouds = f.gradient(x), len(f.labels), {}
    side = torch.randn(full.shape, generator=generator, device=f.device)
    for size in batch_sizes:
        drawn = batch_gradients(f, x, epoch_batches(total, size, generator))
        while len(drawn) < count and size < total:
            drawn = torch.cat([drawn, batch_gradients(f, x, epoch_batches(total, size, generator))])
        along = drawn[:count] @ full / full.square().sum()
        rest = drawn[:count] - along[:, None] * full
        clouds[size] = torch.stack([(rest @ side).sign() * rest.norm(dim=1) / full.norm(), along], 1).cpu().numpy()
    return clouds


# -- what the hardware makes of it -----------------------------------------------------------------------------------


def throughput(s: Settings, batch_sizes: tuple[int, ...], *, rounds: int = 5, seconds: float = 0.1) -> pd.DataFrame:
    """Samples a second that plain SGD steps of one model process here, by batch size; timed now, never remembered.

    On a CPU the seconds are those that the processor spent on this program, so that others running beside it count
    little. Each round visits all sizes in turn.

    Returns
    -------
    DataFrame
        round, batch_size, steps_per_second, samples_per_second.
    """
    f = s.main.objective()
    x = iterates(s)[0][0].to(f.device).clone()
    generator = torch.Generator(f.device).manual_seed(0)
    batches = {size: epoch_batches(len(f.labels), size, generator) for size in batch_sizes}
    gpu = f.device.type == "cuda"
    clock = time.perf_counter if gpu else time.process_time

    def timed(size: int, steps: int) -> float:
        began = clock()
        for step in range(steps):
            batch = batches[size][step % len(batches[size])]
            x.sub_(1e-4 * batch_gradients(f, x, batch[None])[0])
        if gpu:
            torch.cuda.synchronize()
        return clock() - began

    for size in batch_sizes:  # warm up
        timed(size, 2)
    steps = {size: max(2, int(seconds / (timed(size, 3) / 3))) for size in batch_sizes}
    rates = [(turn, size, steps[size] / timed(size, steps[size])) for turn in range(rounds) for size in batch_sizes]
    return pd.DataFrame([{"round": turn, "batch_size": size, "steps_per_second": rate, "samples_per_second": rate * size}
                         for turn, size, rate in rates])


def loss_at(history: pd.DataFrame, axis: str, value: float) -> pd.Series:
    """Each seed's training loss where ``axis`` (epoch or steps) has a value, log loss in between being a straight line.

    Before the first record and after the last, the nearest one counts.
    """
    return history.groupby("seed").apply(
        lambda rows: float(np.exp(np.interp(value, rows[axis], np.log(rows.train_loss)))), include_groups=False)


def reached(history: pd.DataFrame, column: str, level: float) -> pd.DataFrame:
    """Where each seed's ``column`` first is at ``level`` or beyond, by seed: epoch and steps, NaN where it never is.

    A loss is beyond when it is lower, an accuracy when it is higher.
    """
    beyond = history[column] <= level if "loss" in column else history[column] >= level
    first = history[beyond].groupby("seed")[["epoch", "steps"]].first()
    return first.reindex(history.seed.unique())
