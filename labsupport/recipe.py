"""How to train: everything that is chosen before the first step, as one frozen value. A leaf: it trains nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from labsupport import remedies
from labsupport.arguments import number, positive, whole_number
from labsupport.errors import choose

OPTIMIZERS = ("adam", "sgd")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Recipe:
    """How to train. Give ``epochs`` or ``steps``; the rest has the paper's values where the paper gives any.

    Parameters
    ----------
    stop_loss
        Nats; ends a seed's training after the first epoch that is seen to reach it on the training set (see
        `training.stopping`).
    stop_plateau
        (epochs, share): ends a seed's training when in so many epochs the mean loss of its batches has not fallen below
        its best by this share. (5, 0.01): five epochs without an improvement of one percent.
    growth
        (from epoch, batch size) pairs, epochs counted from 0.
    precision
        "auto": convolutions are multiplied in 16 bits where the machine has instructions for it, all else in float32.
        "float32", "bfloat16" or "float16" say so. `Runs.precision`, and the name under which a run is stored, say what
        "auto" came to. Measures are always taken in float32 or float64.
    ghost_batch, proximal, inner_steps, sam_rho, sam_adaptive, augment
        The remedies of chapter 8: samples normalized together, strength of the proximal term and steps per batch,
        ascent length (``sam_adaptive`` for ASAM), one of `remedies.AUGMENTATIONS`.

    Raises
    ------
    TypeError, ValueError
        A value out of range or of another type; fields that exclude each other, such as momentum with Adam.
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
    stop_plateau: tuple[int, float] | None = None
    precision: str = "auto"

    def __post_init__(self):
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("precision", self.precision, PRECISIONS)
        if self.augment is not None:
            choose("augmentation", self.augment, remedies.AUGMENTATIONS)
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(
                f"Give epochs or steps, one of the two; given: epochs={self.epochs}, steps={self.steps}."
            )
        for name in ("batch_size", "epochs", "steps", "ghost_batch", "inner_steps"):
            if getattr(self, name) is not None:
                self._set(name, whole_number(name, getattr(self, name), least=1))
        self._set("warmup_steps", whole_number("warmup_steps", self.warmup_steps, least=0))
        self._set("learning_rate", positive("learning_rate", self.learning_rate))
        for name in ("momentum", "weight_decay", "proximal", "sam_rho", "stop_loss"):
            if getattr(self, name) is not None:
                self._set(name, number(name, getattr(self, name), least=0))
        if self.momentum and self.optimizer == "adam":
            raise ValueError(
                f"momentum is {self.momentum} and the optimizer is 'adam', which has its own. "
                "Leave momentum out, or use optimizer='sgd'."
            )
        if self.ghost_batch == 1:
            raise ValueError("ghost_batch is 1; batch norm needs at least 2 samples together.")
        self._set("growth", _growth(self.growth))
        if self.stop_plateau is not None:
            self._set("stop_plateau", _plateau(self.stop_plateau))

    def _set(self, name: str, value) -> None:
        """A field of this frozen value in its plain type, so that equal recipes are equal keys."""
        object.__setattr__(self, name, value)

    @property
    def largest_batch(self) -> int:
        """The largest batch size that it comes to."""
        return max([self.batch_size, *(size for _, size in self.growth)])

    def but(self, **changes) -> Recipe:
        """This recipe with some fields changed.

        >>> Recipe(32, epochs=80).but(batch_size=400, epochs=None, steps=10).steps
        10
        """
        return replace(self, **changes)


def _growth(given) -> tuple[tuple[int, int], ...]:
    wanted = (
        f"growth is {given}; it needs (from epoch, batch size) pairs, epochs counted from 0 and rising, sizes of at "
        "least 1. An example: ((10, 64), (20, 128))."
    )
    try:
        pairs = tuple(
            (whole_number("epoch", epoch, least=0), whole_number("size", size, least=1))
            for epoch, size in given
        )
    except (TypeError, ValueError):
        raise ValueError(wanted) from None
    epochs = [epoch for epoch, _ in pairs]
    if epochs != sorted(set(epochs)):
        raise ValueError(wanted)
    return pairs


def _plateau(given) -> tuple[int, float]:
    try:
        epochs, share = given
        return whole_number("epochs", epochs, least=1), number("share", share, least=0, below=1)
    except (TypeError, ValueError):
        raise ValueError(
            f"stop_plateau is {given!r}; a pair (epochs, share) is needed, at least 1 epoch and a share from 0 "
            "to 1. An example: (5, 0.01)."
        ) from None
