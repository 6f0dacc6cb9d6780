"""A long training on disk: what is needed to go on, to the last bit, after a kill.

One file, replaced in one move: a digest of all that follows, then arrays of numbers and a text of JSON, no pickle. It
says of which training it is, and another training refuses it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labsupport import files

#: Seconds between two savings.
EVERY = 60.0
#: The file in the folder that is given.
NAME = "training.state"


class Saved:
    """The state of one training, in a folder.

    Parameters
    ----------
    folder
        Made if it is not there. Only `NAME` in it is written, and removed when the training ends.
    about
        What the training is: a value that JSON can hold. A state with another one is refused.
    """

    def __init__(self, folder: str | os.PathLike, about: dict):
        self.path = Path(folder).expanduser() / NAME
        self.about = json.loads(json.dumps(about))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"resume is {str(folder)!r}, which cannot be a folder: {error.strerror}. "
                "Name a folder that can be written."
            ) from None

    def write(self, tensors: dict[str, Tensor], rest: dict) -> None:
        """Save tensors by name, and ``rest``, which JSON can hold."""
        arrays: dict[str, Any] = {
            name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()
        }
        text = json.dumps({"about": self.about, "rest": rest})
        packed = io.BytesIO()
        np.savez(packed, __text__=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
        with files.whole(self.path, beside=NAME) as file:
            file.write(hashlib.sha256(packed.getbuffer()).digest())
            file.write(packed.getbuffer())
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> tuple[dict[str, Tensor], dict] | None:
        """What was saved, or None where nothing is.

        Raises
        ------
        ValueError
            A damaged file, or that of another training.
        """
        if not self.path.exists():
            return None
        whole = self.path.read_bytes()
        digest, packed = whole[:32], whole[32:]
        if hashlib.sha256(packed).digest() != digest:
            raise ValueError(
                f"{self.path} is damaged, so this training cannot go on from it. Remove it to begin again."
            )
        with np.load(io.BytesIO(packed), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        said = json.loads(arrays.pop("__text__").tobytes())
        if said["about"] != self.about:
            other = [name for name in self.about if said["about"].get(name) != self.about[name]]
            raise ValueError(
                f"{self.path} holds another training: its {', '.join(other)} differ. "
                "Give each training a folder of its own, or remove the file."
            )
        return {name: torch.from_numpy(array) for name, array in arrays.items()}, said["rest"]

    def remove(self) -> None:
        """The training has ended."""
        self.path.unlink(missing_ok=True)
