"""Chapter 1's exercises: a control, what averaging leaves, finding a bug, a claim to attack, a noise meter."""

from __future__ import annotations

import torch

from labsupport.exercises import Answer, same


def _order(cut, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.cat(list(cut(100, 32, generator))).tolist()


def test_cut(cut) -> str | None:
    """Exercise 1.3: does ``cut(total, batch_size, generator)`` deal each sample once, in a new order?"""
    if not callable(cut):
        return "The answer is the function itself: answer = cut."
    generator = torch.Generator().manual_seed(1)
    batches = list(cut(100, 32, generator))
    samples = torch.cat(batches).tolist()
    if len(samples) < 100:
        return f"Of 100 samples only {len(samples)} are dealt: the last, smaller batch is missing."
    if len(set(samples)) < 100:
        return "Some samples are missing and others come twice: they are drawn with replacement."
    if [len(batch) for batch in batches] != [32, 32, 32, 4]:
        return "100 samples in batches of 32 should give batches of 32, 32, 32 and 4."
    if samples == sorted(samples):
        return "The samples come in their own order: nothing is shuffled."
    if torch.cat(list(cut(100, 32, generator))).tolist() == samples:
        return "Both epochs have the same order: the generator that is handed in must go on, not start anew."
    torch.manual_seed(0)
    one = _order(cut, 1)
    torch.manual_seed(1)
    if _order(cut, 1) != one:
        return (
            "The same generator gives another order each time: the shuffle does not draw from it."
        )
    return None


def _batches(b: int, count: int) -> torch.Tensor:
    """Squared lengths of batch gradients with signal 4 and variance 200, in 50 dimensions."""
    draw = torch.Generator().manual_seed(b)
    off = torch.randn(count, 50, generator=draw, dtype=torch.float64) * (200 / 50 / b) ** 0.5
    off[:, 0] += 2.0
    return off.square().sum(1)


def test_noise_scale(estimate) -> str | None:
    """Exercise 1.5: does ``noise_scale(small, large, b, B)`` find sigma^2 / ||g||^2 = 50?"""
    if not callable(estimate):
        return "The answer is the function itself: answer = noise_scale."
    small, large = _batches(8, 4000), _batches(64, 4000)
    s, t = small.mean().item(), large.mean().item()
    signal, variance = (64 * t - 8 * s) / 56, (s - t) / (1 / 8 - 1 / 64)
    found = float(estimate(small, large, 8, 64))
    mistakes = {
        "That is the ratio of the two means. Each mean still holds signal and noise together.": s
        / t,
        "That is 1 over the noise scale: signal over variance.": signal / variance,
        "That is the variance alone; divide it by the signal.": variance,
        "You took the large batch's squared length for the signal. It holds noise too: sigma^2 / B.": variance
        / t,
        "The difference of the means is sigma^2 (1/b - 1/B), not sigma^2.": (s - t) / signal,
    }
    if same(found, variance / signal, 1e-3):
        return None
    for sentence, wrong in mistakes.items():
        if same(found, wrong, 1e-3):
            return sentence
    wanted = variance / signal
    return f"On gradients whose noise scale is 50 your function gives {found:.3g}; the means say {wanted:.3g}."


def _between(of_class, share, full, **_) -> float:
    """The mean squared distance of the classes' gradients (classes, n) from the full one (n,)."""
    return (share * (of_class - full).square().sum(1)).sum().item()


ANSWERS = {
    "1.1": Answer(
        934,
        tolerance=1e-9,
        mistakes={
            "Ten times the batch is not a tenth of the updates: count an epoch's batches, the small one too.": 1000,
            "That is equal epochs: 900 updates with batches of 480 against 8,400 with batches of 48.": 100,
            "933 epochs make 8,397 updates, three too few.": 933,
            "Whole epochs are asked for: round up.": 8400 / 9,
            "That is the number of updates, not of epochs.": 8400,
            "You left out the smaller batch of an epoch with batches of 48.": 923,
            "You left out the smaller batch of an epoch with batches of 480.": 1050,
            "You left out the smaller batch at the end of each epoch, for both sizes.": 1038,
            "You rounded up once for all epochs together; each epoch has a smaller batch of its own.": 926,
            "That is the number of updates in one epoch with batches of 48.": 84,
        },
    ),
    "1.2": Answer(
        lambda noise, bias, K: (bias + (noise - bias) / K) ** 0.5,
        tolerance=0.01,
        mistakes={
            "You let the errors cancel altogether: the bias does not.": lambda noise, K, **_: (
                (noise / K) ** 0.5
            ),
            "That is for infinitely many batches: add what a thousand leave.": lambda bias, **_: (
                bias**0.5
            ),
            "That is the squared distance: take the root.": lambda noise, bias, K: (
                bias + (noise - bias) / K
            ),
            "That is one batch: the average of K has a K-th of its variance.": lambda noise, **_: (
                noise**0.5
            ),
            "The bias is a squared length: add squares, then take the root.": lambda noise, bias, K: (
                bias + ((noise - bias) / K) ** 0.5
            ),
            "The bias is a squared length already: do not square it again.": lambda noise, bias, K: (
                (bias**2 + (noise - bias) / K) ** 0.5
            ),
            "Lengths of independent parts do not add: add squares, then take the root.": lambda noise, bias, K: (
                bias**0.5 + ((noise - bias) / K) ** 0.5
            ),
            "The variance falls as 1/K; its root, the length, falls as 1/√K.": lambda noise, bias, K: (
                (bias + (noise - bias) / K**0.5) ** 0.5
            ),
        },
    ),
    "1.3": Answer(test=test_cut),
    "1.4": Answer(
        lambda shuffled, **known: _between(**known) / shuffled,
        tolerance=0.01,
        mistakes={
            "Nothing is left only if each batch holds all classes; one class misses the others.": 0,
            "That is the ratio at 32; it still holds the differences within a class.": lambda in_order, shuffled, **_: (
                in_order / shuffled
            ),
            "That is the ratio upside down.": lambda shuffled, **known: (
                shuffled / _between(**known)
            ),
            "That is the ratio of the lengths; the noise is their square.": lambda shuffled, **known: (
                (_between(**known) / shuffled) ** 0.5
            ),
            "Noise is the distance from the full gradient: subtract it.": lambda of_class, share, shuffled, **_: (
                (share * of_class.square().sum(1)).sum().item() / shuffled
            ),
            "You added up the classes: weigh each by its share.": lambda of_class, full, shuffled, **_: (
                (of_class - full).square().sum().item() / shuffled
            ),
            "Divide by the noise of shuffled batches of 32.": lambda shuffled, **known: _between(
                **known
            ),
            "You divided by the noise of sorted batches of 32.": lambda in_order, **known: (
                _between(in_order=in_order, **known) / in_order
            ),
        },
    ),
    "1.5": Answer(test=test_noise_scale),
}
