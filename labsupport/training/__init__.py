"""Training as the paper does it, for all seeds at once: from points x0 (S, n) to points x (S, n).

There is no data loader. The data lie on the device; an epoch is one permutation per seed, cut into batches; the last,
smaller batch is trained too. Small-batch and large-batch runs of one seed share x0, as in the authors' code.

A run is its own: each seed has its own start, order, augmentation, dropout and stop. What is equal to the last bit: the
same call twice; a call with other ``records`` or ``checkpoints``; a call that was killed and went on. What is equal to
rounding: a seed alone and the same seed beside others, because a product of several matrices may add up in another
order; after many steps such a difference can grow to that of another seed.
"""

from __future__ import annotations

import copy
import functools
import math
import time
import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from labsupport import arguments, networks, remedies
from labsupport.data import Dataset
from labsupport.engine import threads
from labsupport.engine.functions import check_points
from labsupport.objective import Objective, flatten
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import environment
from labsupport.training import precision
from labsupport.training.loop import Loop, epochs_of
from labsupport.training.resume import Saved
from labsupport.training.runs import HISTORY, History, Runs

__all__ = ["HISTORY", "Recipe", "Runs", "seed_numbers", "start", "train"]

#: What ``x0`` may say in words.
OWN = "network"


def seed_numbers(seeds: int | Iterable[int]) -> tuple[int, ...]:
    """How many seeds (0, 1, ...), or which, as a tuple of different whole numbers from 0 to 2^63 - 1.

    >>> seed_numbers(3), seed_numbers([7, 2])
    ((0, 1, 2), (7, 2))
    """
    hint = "Give a number of seeds, such as 5, or a list such as [0, 1, 2]."
    if isinstance(seeds, Iterable) and not isinstance(seeds, str) and getattr(seeds, "ndim", 1) > 0:
        found = tuple(arguments.seed("A seed", one) for one in seeds)
    else:
        found = tuple(
            range(arguments.whole_number("seeds", seeds, least=0, most=100_000, hint=hint))
        )
    if not found:
        raise ValueError(f"There are no seeds. {hint}")
    twice = sorted({one for one in found if found.count(one) > 1})
    if twice:
        raise ValueError(
            f"Seed {twice[0]} is given twice, and would be the same run twice. Give different seeds."
        )
    return found


def start(
    network: str | nn.Module, seeds: Sequence[int], *, num_classes: int | None = None
) -> Tensor:
    """Initial points (S, n), float32 on the CPU: PyTorch's uniform defaults, one draw per seed, torch's own generator
    left as it was.

    A module of one's own starts afresh too: each of its layers that has ``reset_parameters`` draws anew, in a copy.
    Parameters that belong to no such layer keep the values they have.
    """
    points = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            if isinstance(network, str):
                module: nn.Module = networks.build(network, num_classes=num_classes)
            else:
                module = copy.deepcopy(network).cpu()
                for layer in module.modules():
                    draw_anew = getattr(layer, "reset_parameters", None)
                    if draw_anew is not None:
                        draw_anew()
            points.append(flatten(module).float())
    return torch.stack(points)


def _as_before(function):
    """Let the function be called with a network and a data set instead of a problem, for one version."""

    @functools.wraps(function)
    def either(problem, *rest, **named):
        if not isinstance(problem, Problem) and (len(rest) > 1 or "dataset" in named):
            warnings.warn(
                "train(network, dataset, recipe, ...) is now train(Problem(network, dataset), recipe, ...).",
                DeprecationWarning,
                stacklevel=2,
            )
            if "dataset" in named:
                problem = Problem(problem, named.pop("dataset"))
            else:
                problem, rest = Problem(problem, rest[0]), rest[1:]
        return function(problem, *rest, **named)

    return either


@_as_before
def train(
    problem: Problem,
    recipe: Recipe,
    seeds: int | Sequence[int] = 5,
    *,
    device: str | torch.device | None = None,
    x0: Tensor | str | None = None,
    checkpoints: Iterable[int] | None = None,
    records: int | Sequence[int] = 40,
    progress: bool = True,
    resume: str | None = None,
) -> Runs:
    """Train the problem's network from several seeds, all on one device, in float32.

    Parameters that require no gradient stay as they are and are no part of x.

    Parameters
    ----------
    seeds
        How many (0, 1, ...), or which. A seed sets the start and the order of the samples.
    x0 : Tensor (n,) or (S, n), or "network"
        Where to start. None: afresh from each seed, also where the problem's network is a module that has been trained
        (`start`). "network": every seed from the weights that this module has now.
    checkpoints
        Epochs after which to keep the points; 0 is the start.
    records
        About how many rows the history gets for each seed, besides the first and the last; or the epochs after which to
        record one. 0: no history at all.
    resume
        A folder in which the state is saved once a minute. A call that was killed goes on from there when it is made
        again, and ends with the same numbers to the last bit.

    Raises
    ------
    TypeError, ValueError
        What is no problem or recipe; no seeds, or one twice; a batch larger than the data; an x0 that does not fit;
        records or checkpoints that are no epochs of this recipe.
    TrainingDiverged
        The loss stopped being a number; the message names recipe, epoch and seed.
    """
    if not isinstance(problem, Problem):
        raise TypeError(
            f"problem is {arguments.shown(problem)}; a Problem is needed, such as Problem('F0', 'mnist1d')."
        )
    if not isinstance(recipe, Recipe):
        raise TypeError(
            f"recipe is {arguments.shown(recipe)}; a Recipe is needed, such as Recipe(32, epochs=80)."
        )
    seeds = seed_numbers(seeds)
    dataset = problem.load(device)
    _check(recipe, dataset)
    epochs = epochs_of(recipe, len(dataset.y_train))
    keep, noted = _epochs("checkpoints", checkpoints or (), epochs), _noted(records, epochs)
    module = networks.layers(problem.network, num_classes=dataset.num_classes)
    on_train = Objective(module, _float32(dataset.x_train), dataset.y_train)
    on_test = Objective(module, _float32(dataset.x_test), dataset.y_test)
    first = _first(problem.network, module, x0, seeds, dataset, on_train.n)
    saved = (
        None
        if resume is None
        else Saved(resume, _about(problem, recipe, seeds, first, keep, noted))
    )
    loop = Loop(History(on_train, on_test), recipe, seeds, first, keep, noted)
    began = time.perf_counter()
    with threads.threads_for(on_train.n):
        loop.run(progress and show_progress(), saved)
    return Runs(
        problem,
        recipe,
        seeds,
        first,
        loop.x,
        loop.history.table(),
        loop.kept,
        time.perf_counter() - began,
        precision.named(recipe.precision, module, dataset.device),
    )


def show_progress() -> bool:
    """Progress bars are for people: off where TQDM_DISABLE is set, as in the book's own build.

    tqdm itself reads that variable, but in a notebook shows what is not refused outright.
    """
    return environment.shows_progress()


# -- arguments -------------------------------------------------------------------------------------------------


def _check(recipe: Recipe, dataset: Dataset) -> None:
    """Whether this recipe fits these data."""
    total = len(dataset.y_train)
    if recipe.largest_batch > total:
        raise ValueError(
            f"The batch of {recipe.largest_batch} is larger than the data: {dataset.name} has {total} training "
            "samples here."
        )
    if recipe.augment and remedies.DIMENSIONS[recipe.augment] != dataset.x_train.dim() - 1:
        raise ValueError(
            f"The augmentation {recipe.augment!r} is not for {dataset.name}, whose samples have shape "
            f"{tuple(dataset.x_train.shape[1:])}."
        )


def _epochs(what: str, given, last: int) -> set[int]:
    """Epochs from 0 to ``last``, each once."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(
            f"{what} is {arguments.shown(given)}; a list of epochs is needed, such as [0, {last}]."
        )
    hint = f"This recipe has {last} epochs; 0 is the start."
    return {
        arguments.whole_number(f"An epoch of {what}", epoch, least=0, most=last, hint=hint)
        for epoch in given
    }


def _noted(records, epochs: int) -> frozenset[int] | range:
    """The epochs to record; empty: no history at all."""
    if (
        isinstance(records, Iterable)
        and not isinstance(records, str)
        and getattr(records, "ndim", 1) > 0
    ):
        return frozenset(_epochs("records", records, epochs))
    hint = "0 keeps no history; a list names the epochs to record."
    count = arguments.whole_number("records", records, least=0, hint=hint)
    return range(0, epochs + 1, max(1, math.ceil(epochs / count))) if count else range(0)


def _first(
    network, module: nn.Module, x0, seeds: tuple[int, ...], dataset: Dataset, n: int
) -> Tensor:
    """The points to start from, (S, n), a copy on the data's device."""
    if x0 is None:
        x0 = start(network, seeds, num_classes=dataset.num_classes)
    elif isinstance(x0, str):
        if x0 != OWN or isinstance(network, str):
            raise ValueError(
                f"x0 is {x0!r}; a tensor is possible, or {OWN!r} where the problem's network is a module, "
                "whose weights are then the start."
            )
        x0 = flatten(module)
    first = check_points(x0, n, what="x0").detach().to(dataset.device, torch.float32)
    if len(first) not in (1, len(seeds)):
        raise ValueError(
            f"x0 has {len(first)} rows and there are {len(seeds)} seeds; give as many, or a single point."
        )
    return first.expand(len(seeds), -1).clone()


def _float32(x: Tensor) -> Tensor:
    """Real numbers in the format of the points; whole numbers (of tokens) as they are."""
    return x.float() if x.is_floating_point() else x


def _about(problem: Problem, recipe: Recipe, seeds, first: Tensor, keep, noted) -> dict:
    """What a saved state belongs to."""
    network = problem.network if isinstance(problem.network, str) else repr(problem.network)
    data_set = repr(problem.load("cpu").key)
    checksum = float(
        first.double().cpu().mul(torch.from_numpy(np.cos(np.arange(first.shape[1])))).sum()
    )
    return {
        "network": network,
        "data": data_set,
        "recipe": repr(recipe),
        "seeds": list(seeds),
        "start": checksum,
        "checkpoints": sorted(keep),
        "records": sorted(noted),
        "torch": torch.__version__,
    }
