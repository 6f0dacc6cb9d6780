"""How to train: everything that is chosen before the first step, as one frozen value. A leaf: it trains nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from labsupport import remedies
from labsupport.errors import choose

OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True)
class Recipe:
    """How to train. Give ``epochs`` or ``steps``; the rest has the paper's values where the paper gives any.

    ``stop_loss`` (nats) ends a seed's training after the first epoch whose training loss is at or below it.
    ``growth`` holds (from epoch, batch size) pairs. The last six fields are the remedies of chapter 8: ``ghost_batch``
    samples normalized together, ``proximal`` strength with ``inner_steps`` steps per batch, ``sam_rho`` ascent length
    (``sam_adaptive`` for ASAM), ``augment`` one of `remedies.AUGMENTATIONS`.
    """

    batch_size: int
    epochs: int | None = None
    steps: int | None = None
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    warmup_steps: int = 0
    stop_loss: float | None = None
    growth: tuple[tuple[int, int], ...] = ()
    ghost_batch: int | None = None
    proximal: float = 0.0
    inner_steps: int = 1
    sam_rho: float = 0.0
    sam_adaptive: bool = False
    augment: str | None = None

    def __post_init__(self):
        choose("optimizer", self.optimizer, OPTIMIZERS)
        if self.augment is not None:
            choose("augmentation", self.augment, remedies.AUGMENTATIONS)
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(f"Give epochs or steps, one of the two; given: epochs={self.epochs}, steps={self.steps}.")
        for name in ("batch_size", "epochs", "steps", "ghost_batch", "inner_steps"):
            value = getattr(self, name)
            if value is not None and (value != int(value) or value < 1):
                raise ValueError(f"{name} is {value}; a whole number of at least 1 is needed.")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate is {self.learning_rate}; a positive number is needed.")
        for name in ("momentum", "weight_decay", "warmup_steps", "proximal", "sam_rho", "stop_loss"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"{name} is {value}; it cannot be negative, infinite or no number.")
        if self.ghost_batch == 1:
            raise ValueError("ghost_batch is 1; batch norm needs at least 2 samples together.")
        epochs = [epoch for epoch, _ in self.growth]
        if epochs != sorted(set(epochs)) or any(epoch < 0 for epoch in epochs) or any(size < 1 for _, size in self.growth):
            raise ValueError(f"growth is {self.growth}; it needs (from epoch, batch size) pairs, epochs counted from 0 and "
                             "rising, sizes of at least 1. An example: ((10, 64), (20, 128)).")

    def but(self, **changes) -> Recipe:
        """This recipe with some fields changed.

        >>> Recipe(32, epochs=80).but(batch_size=400, epochs=None, steps=10).steps
        10
        """
        return replace(self, **changes)
