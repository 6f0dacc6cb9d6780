"""A data set: four tensors on one device, checked when it is made, and known by their content."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from labsupport.arguments import text, whole_number
from labsupport.cache import fingerprint
from labsupport.data import tensors
from labsupport.data.editions import PARTS
from labsupport.engine import samples


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test set on one device.

    Parameters
    ----------
    x_train, x_test : Tensor (N, ...) and (M, ...)
        Inputs: floating-point numbers, all finite, or whole numbers such as tokens. Images of uint8
        become float32 from 0 to 1.
    y_train, y_test : Tensor (N,) and (M,)
        Labels from 0 to ``num_classes`` - 1; whole numbers of any type become int64.
    edition
        What exactly was loaded, to print beside results. It says so itself when the content was
        changed afterwards by `dataclasses.replace`.

    Raises
    ------
    TypeError, ValueError
        What is no tensor; numbers of samples, shapes or devices that do not fit each other; labels out
        of range; inputs that are not finite.

    >>> x, y = torch.zeros(6, 2), torch.arange(6) % 3
    >>> one, other = Dataset(x, y, x, y, 3), Dataset(x, y.flip(0), x, y, 3)
    >>> one.key == Dataset(x.clone(), y, x, y, 3).key, one.key == other.key
    (True, False)
    """

    x_train: Tensor
    y_train: Tensor
    x_test: Tensor
    y_test: Tensor
    num_classes: int
    name: str = "yours"
    edition: str = ""
    seed: int = 0
    origin: str | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self):
        self._set("name", text("name", self.name))
        self._set("edition", self.edition or self.name)
        self._set("num_classes", whole_number("num_classes", self.num_classes, least=2))
        for part in ("train", "test"):
            x = tensors.inputs(f"x_{part}", getattr(self, f"x_{part}"))
            y = tensors.labels(f"y_{part}", getattr(self, f"y_{part}"), self.num_classes)
            if len(x) != len(y) or len(x) == 0:
                raise ValueError(
                    f"x_{part} has {len(x)} samples and y_{part} {len(y)} labels; equally many, and at least one, "
                    "are needed."
                )
            self._set(f"x_{part}", x)
            self._set(f"y_{part}", y)
        self._fit_together()
        if self.origin is not None and self.origin != self.key:
            self._set("edition", f"{self.edition.removesuffix(', changed')}, changed")
            self._set("origin", self.key)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _fit_together(self) -> None:
        one, other = self.x_train, self.x_test
        if one.shape[1:] != other.shape[1:] or one.dtype != other.dtype:
            raise ValueError(
                f"x_train holds samples of {one.dtype} {tuple(one.shape[1:])}, x_test of {other.dtype} "
                f"{tuple(other.shape[1:])}; both must be alike."
            )
        devices = {str(getattr(self, part).device) for part in PARTS}
        if len(devices) > 1:
            raise ValueError(
                f"The tensors lie on {' and '.join(sorted(devices))}; put all four on one device."
            )

    # -- content ------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        """A digest of all four tensors and the number of classes: the same content, the same key.

        Neither the name nor the device is part of it. A tensor that was changed in place has another.
        """
        return fingerprint(self)

    @property
    def versions(self) -> tuple[int, ...]:
        """How often each tensor was changed in place, as torch counts; quick to ask, unlike `key`."""
        found = (getattr(self, part) for part in PARTS)
        return tuple(0 if tensor.is_inference() else tensor._version for tensor in found)

    @property
    def device(self) -> torch.device:
        """Where all four tensors lie."""
        return self.x_train.device

    def __repr__(self) -> str:
        return (
            f"{self.edition}: {len(self.y_train):,} training and {len(self.y_test):,} test samples of shape "
            f"{tuple(self.x_train.shape[1:])}, {self.num_classes} classes, on {self.device}"
        )

    # -- parts and variants -------------------------------------------------------------------------

    def to(self, device: str | torch.device) -> Dataset:
        """The same data on another device, or itself if they lie there."""
        if torch.device(device) == self.device:
            return self
        moved = {part: getattr(self, part).to(device) for part in PARTS}
        return dataclasses.replace(self, **moved)

    def first(self, train_size: int) -> Dataset:
        """The same data with only the first ``train_size`` training samples.

        Raises ValueError if there are fewer.
        """
        total = len(self.y_train)
        size = whole_number(
            "train_size", train_size, least=1, most=total, hint=f"{self.edition} has no more."
        )
        return self._with_training(self.x_train[:size], self.y_train[:size])

    def split(self, held_out: int) -> tuple[Dataset, Tensor, Tensor]:
        """Set the last ``held_out`` training samples aside for validation.

        Returns
        -------
        (Dataset, Tensor (held_out, ...), Tensor (held_out,))
            The rest with the same test set; inputs and labels of the samples set aside.

        Raises
        ------
        ValueError
            No sample would be left on one of the sides.

        >>> x, y = torch.zeros(6, 2), torch.arange(6) % 3
        >>> rest, _, labels = Dataset(x, y, x, y, 3).split(2)
        >>> len(rest.y_train), labels.tolist()
        (4, [1, 2])
        """
        total = len(self.y_train)
        kept = total - whole_number("held_out", held_out, least=1, most=total - 1)
        rest = self._with_training(self.x_train[:kept], self.y_train[:kept])
        return rest, self.x_train[kept:], self.y_train[kept:]

    def _with_training(self, x: Tensor, y: Tensor) -> Dataset:
        """An honest part keeps its edition."""
        part = dataclasses.replace(self, x_train=x, y_train=y, origin=None)
        part._set("origin", None if self.origin is None else part.key)
        return part

    # -- where they come from -----------------------------------------------------------------------

    @classmethod
    def known(cls, *fields, **more) -> Dataset:
        """A data set whose edition holds only as long as its content is this one."""
        made = cls(*fields, **more)
        made._set("origin", made.key)
        return made

    @classmethod
    def of(
        cls,
        x_train: Any,
        y_train: Any,
        x_test: Any = None,
        y_test: Any = None,
        *,
        num_classes: int | None = None,
        name: str = "yours",
        device: str | torch.device | None = None,
    ) -> Dataset:
        """Data of your own, in their own order.

        Parameters
        ----------
        x_train, y_train, x_test, y_test
            Tensors, NumPy arrays or lists. Labels may be (N,), (N, 1) or one-hot (N, K). Or two torch
            ``Dataset`` or ``DataLoader`` of (input, label): ``Dataset.of(train, test)``; each is
            read once.
        num_classes
            By default one more than the largest label.
        device
            Where the tensors go; by default they stay where they are.

        Raises
        ------
        TypeError, ValueError
            What cannot be read as inputs and labels that fit each other.

        >>> Dataset.of([[0.0], [1.0], [2.0]], [0, 1, 2], [[0.5]], [1])
        yours: 3 training and 1 test samples of shape (1,), 3 classes, on cpu
        """
        if x_test is None and y_test is None:
            (x_train, y_train), (x_test, y_test) = samples.read(x_train), samples.read(y_train)
        y_train = tensors.one_label_each("y_train", tensors.tensor("y_train", y_train))
        y_test = tensors.one_label_each("y_test", tensors.tensor("y_test", y_test))
        x_train, x_test = tensors.tensor("x_train", x_train), tensors.tensor("x_test", x_test)
        if num_classes is None:
            num_classes = 1 + max(int(y_train.max()), int(y_test.max()))
        made = cls(x_train, y_train, x_test, y_test, num_classes, name)
        return made if device is None else made.to(device)
