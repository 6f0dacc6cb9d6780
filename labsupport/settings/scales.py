"""One table: which networks, data and recipes the book uses at which scale. No notebook branches on the scale."""

from __future__ import annotations

from dataclasses import dataclass

from labsupport.errors import choose
from labsupport.problem import Problem
from labsupport.recipe import Recipe
from labsupport.settings import environment


@dataclass(frozen=True)
class Settings:
    """What the chapters share: the ``main`` problem with its recipes ``SB`` and ``LB``, the
    ``control``, and sizes of sweeps.
    """

    name: str
    main: Problem
    seeds: int
    SB: Recipe
    LB: Recipe
    batch_sizes: tuple[int, ...]
    control: Problem
    control_seeds: int
    control_SB: Recipe
    control_LB: Recipe
    warm_epochs: tuple[int, ...]  # chapter 6: SB epochs before LB takes over
    growth: tuple[tuple[int, int], ...]  # chapter 6: (from epoch, batch size)
    reverse_epochs: int  # chapter 6: SB epochs from where LB ended
    long_epochs: int  # chapter 5: LB trained on beyond its stop
    long_every: int  # chapter 5: epochs between its later checkpoints
    held_out: int  # chapter 7: training samples kept for validation
    manifolds: int  # chapter 4: random manifolds averaged
    slice_steps: int  # chapter 4: points along a side of a slice through the box
    finishing: int  # chapter 4: iterations at most on the way to the bottom
    edge_train_size: int  # chapter 9: samples of full-batch gradient descent
    edge_steps: dict[str, tuple[int, ...]]  # chapter 9: after how many steps to look, by network


_SB = Recipe(32, epochs=80)
_LB = Recipe(400, epochs=200, stop_loss=2e-3)
_GROWTH = ((10, 64), (20, 128), (30, 256), (40, 400))
_EDGE = {"F0-plain": (0, 25, 50, 100, 150, 200, 300, 400), "F0": (0, 20, 40, 60, 100, 150)}

#: {name of a scale: its settings}: smoke, laptop, gpu.
TABLE: dict[str, Settings] = {
    "smoke": Settings(  # do the cells run? the numbers mean nothing
        name="smoke",
        main=Problem("F0", "mnist1d", 800),
        seeds=2,
        SB=_SB.but(epochs=3),
        LB=_LB.but(epochs=4),
        batch_sizes=(32, 400),
        control=Problem("F1s", "mnist", 1000),
        control_seeds=2,
        control_SB=Recipe(64, epochs=1),
        control_LB=Recipe(500, epochs=2),
        warm_epochs=(0, 1, 2),
        growth=((1, 64), (2, 128), (3, 400)),
        reverse_epochs=1,
        long_epochs=8,
        long_every=2,
        held_out=160,
        manifolds=1,
        slice_steps=3,
        finishing=10,
        edge_train_size=200,
        edge_steps={"F0-plain": (0, 2, 4), "F0": (0, 2, 4)},
    ),
    "laptop": Settings(  # five seeds, two cores, minutes; the effects are real
        name="laptop",
        main=Problem("F0", "mnist1d"),
        seeds=5,
        SB=_SB,
        LB=_LB,
        batch_sizes=(32, 64, 128, 256, 400, 800, 2000),
        control=Problem("F1s", "mnist", 10_000),
        control_seeds=5,
        control_SB=Recipe(64, epochs=20),
        control_LB=Recipe(1000, epochs=50, stop_loss=2e-3),
        warm_epochs=(0, 1, 2, 4, 8, 16, 24, 40),
        growth=_GROWTH,
        reverse_epochs=20,
        long_epochs=300,
        long_every=4,
        held_out=800,
        manifolds=3,
        slice_steps=13,
        finishing=100,
        edge_train_size=1000,
        edge_steps=_EDGE,
    ),
    "gpu": Settings(  # ten seeds, and the paper's own F1 on all of MNIST for the control
        name="gpu",
        main=Problem("F0", "mnist1d"),
        seeds=10,
        SB=_SB,
        LB=_LB,
        batch_sizes=(32, 64, 128, 256, 400, 800, 2000),
        control=Problem("F1", "mnist"),
        control_seeds=5,
        control_SB=Recipe(256, epochs=20),
        control_LB=Recipe(6000, epochs=100, stop_loss=1e-3),
        warm_epochs=(0, 1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 60),
        growth=_GROWTH,
        reverse_epochs=40,
        long_epochs=300,
        long_every=4,
        held_out=800,
        manifolds=5,
        slice_steps=19,
        finishing=100,
        edge_train_size=1000,
        edge_steps=_EDGE,
    ),
}


def current() -> Settings:
    """The settings of the scale that `environment.scale` names. Raises UnknownName for one that is not in `TABLE`."""
    return TABLE[choose("scale", environment.scale(), TABLE)]
