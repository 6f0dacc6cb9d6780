"""The Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0): 3,000 recordings of ten digits, six speakers, 8 kHz.

F2 learns frames of speech. Here a frame's class is its digit and which fifth of the recording it lies
in: 50 classes. Recordings 0 to 4 of each speaker and digit are the test set, as is usual.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import struct
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from labsupport.data import files, speech
from labsupport.data.editions import TITLES, digest_of_files, unknown
from labsupport.data.files import folder
from labsupport.errors import DataUnavailable
from labsupport.files import require_writable

RATE = 8_000
DIGITS, SEGMENTS = 10, 5
CLASSES = DIGITS * SEGMENTS
#: Recordings below this index are the test set.
TEST = 5
#: SHA-256 of the names and samples of all recordings.
KNOWN = {"78b2044ae0c2ad20519e306309cdc60d9d7c839d364a81820f7af8b8887eb6b9": TITLES["fsdd"]}
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
_NAME = re.compile(r"\d_[a-zA-Z]+_\d+\.wav")


def find() -> Path | None:
    """The folder of recordings, if it is there."""
    path = folder() / "fsdd" / "recordings"
    return path if path.is_dir() else None


def read(path: Path | None = None) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and edition: float32 (N, 360) inputs, int64 labels 5 * digit + fifth.

    Parameters
    ----------
    path
        A folder of recordings named digit_speaker_index.wav, or one above; by default the one in
        `folder`, fetched if it is not there.

    Raises
    ------
    ValueError
        A recording that cannot be read, or with another sampling rate; a set that lacks classes.
    DataUnavailable
        It is not there and cannot be fetched.
    """
    where = (find() or fetch()) if path is None else _own(path)
    sounds = _sounds(where)
    exact = digest_of_files(
        (name, samples.astype("<i2").tobytes()) for name, samples in sounds.items()
    )
    edition = KNOWN.get(exact) or unknown("fsdd", exact, str(where))
    frames: dict[str, list] = {"train": [], "test": []}
    labels: dict[str, list] = {"train": [], "test": []}
    for name, samples in sounds.items():
        digit, _, index = name.removesuffix(".wav").split("_")
        part = "test" if int(index) < TEST else "train"
        found = speech.log_mel(samples / 32768, RATE)
        frames[part].append(found)
        labels[part].append(SEGMENTS * int(digit) + fifths(len(found)))
    if not frames["train"] or not frames["test"]:
        raise ValueError(
            f"{where} holds {len(frames['train'])} training and {len(frames['test'])} test recordings "
            f"(index 0 to 4); both are needed."
        )
    arrays = {f"y_{part}": np.concatenate(labels[part]) for part in labels}
    arrays["x_train"], arrays["x_test"] = speech.together(frames["train"], frames["test"])
    return arrays, edition


def fifths(frames: int) -> np.ndarray:
    """In which of five equal parts of a recording each of its frames lies: int64 (T,), from 0 to 4.

    >>> fifths(7).tolist()
    [0, 0, 1, 2, 2, 3, 4]
    """
    return np.arange(frames, dtype=np.int64) * SEGMENTS // frames


def _own(path: Path) -> Path:
    for found in (path / "recordings", path):
        if found.is_dir() and any(_NAME.fullmatch(file.name) for file in found.iterdir()):
            return found
    raise DataUnavailable(
        f"{path} holds no recordings named digit_speaker_index.wav, such as 7_jackson_32.wav."
    )


def _sounds(where: Path) -> dict[str, np.ndarray]:
    """{name: int16 samples (N,)} of every recording, in the order of the names."""
    again = "Delete the folder and run again; it will be fetched anew."
    found = {}
    for file in sorted(where.iterdir()):
        if not _NAME.fullmatch(file.name):
            continue
        try:
            rate, samples = wavfile.read(file)
        except (
            ValueError,
            OSError,
            EOFError,
            TypeError,
            IndexError,
            MemoryError,
            struct.error,
        ) as error:
            raise ValueError(f"{file} cannot be read as a recording: {error}. {again}") from error
        if rate != RATE:
            raise ValueError(
                f"{file} has {rate:,} samples a second; recordings of {RATE:,} are needed. {again}"
            )
        if samples.dtype != np.int16 or samples.ndim != 1 or len(samples) == 0:
            raise ValueError(
                f"{file} holds {samples.dtype} {samples.shape}; int16 samples of one channel are needed. {again}"
            )
        found[file.name] = samples
    if not found:
        raise ValueError(f"{where} holds no recordings named digit_speaker_index.wav. {again}")
    return found


def fetch() -> Path:
    """Fetch the recordings with pooch into `folder`; whole and checked by content, or not at all."""
    target = folder() / "fsdd" / "recordings"
    put = f"unpack the recordings into {target} yourself."
    try:
        import pooch
    except ImportError as error:
        raise DataUnavailable(
            f"FSDD is not in {folder()}, and needs pooch to be fetched. Run pip install pooch, or {put}"
        ) from error
    require_writable(target.parent, "LABSUPPORT_DATA")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="partial-") as scratch:
        try:
            get = pooch.HTTPDownloader(timeout=files.PATIENCE)
            # The archive is packed anew by its host now and then, so its content is checked below instead.
            path = pooch.retrieve(
                URL, known_hash=None, fname="fsdd.zip", path=scratch, downloader=get
            )
            sounds = _unpacked(Path(path))
        except (
            OSError,
            ValueError,
            RuntimeError,
            zipfile.BadZipFile,
            KeyError,
            struct.error,
        ) as error:
            raise DataUnavailable(
                f"FSDD is not in {folder()} and could not be fetched from {URL}: {error}. Try again later, or {put}"
            ) from error
        inner = Path(scratch) / "recordings"
        inner.mkdir()
        for name, content in sounds.items():
            (inner / name).write_bytes(content)
        try:
            os.replace(inner, target)
        except OSError:
            if not target.is_dir():  # another process was quicker
                raise
            shutil.rmtree(inner)
    return target


def _unpacked(path: Path) -> dict[str, bytes]:
    """The recordings in an archive; only files named like recordings are taken, whatever folder they claim."""
    with zipfile.ZipFile(path) as archive:
        members = {
            Path(member).name: member for member in archive.namelist() if "/recordings/" in member
        }
        found = {
            name: archive.read(member) for name, member in members.items() if _NAME.fullmatch(name)
        }
    samples = (
        (name, wavfile.read(io.BytesIO(content))[1].astype("<i2").tobytes())
        for name, content in found.items()
    )
    exact = digest_of_files(samples)
    if exact not in KNOWN:
        raise ValueError(f"what it sent are not the known recordings (SHA-256 {exact[:12]}...)")
    return found
