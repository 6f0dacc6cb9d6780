"""TIMIT (LDC93S1), the paper's speech: read from a user's own licensed copy; nothing of it is fetched or kept.

How this differs from the paper's pipeline (Kaldi's TIMIT recipe, as far as the paper tells):

- Features: 40 log-mel of `speech.log_mel`, scaled over the training frames. Kaldi's recipe adapts
  features to each speaker.
- Targets: the 61 phones that the corpus's own ``.PHN`` files give for the middle of each frame. The
  paper has 1,973 tied states of triphones, aligned by a model trained before.
- Frames: every frame of the 3,696 training and 1,344 test sentences, about 1.1 and 0.4 million. The
  paper counts 721,329 and 310,621.
- The two sentences that every speaker reads (SA1, SA2) are left out, as is usual.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from labsupport.data import speech
from labsupport.data.editions import TITLES
from labsupport.data.files import folder
from labsupport.errors import DataUnavailable

RATE = 16_000
# fmt: off
PHONES = (
    "aa", "ae", "ah", "ao", "aw", "ax", "ax-h", "axr", "ay", "b", "bcl", "ch", "d",
    "dcl", "dh", "dx", "eh", "el", "em", "en", "eng", "epi", "er", "ey", "f", "g",
    "gcl", "h#", "hh", "hv", "ih", "ix", "iy", "jh", "k", "kcl", "l", "m", "n",
    "ng", "nx", "ow", "oy", "p", "pau", "pcl", "q", "r", "s", "sh", "t", "tcl",
    "th", "uh", "uw", "ux", "v", "w", "y", "z", "zh",
)
# fmt: on
#: Sentences of the whole corpus, without SA1 and SA2.
SENTENCES = {"train": 3_696, "test": 1_344}
_HEADER = b"NIST_1A"


def find() -> Path | None:
    """The folder ``timit`` in `folder`, if it is there."""
    path = folder() / "timit"
    return path if path.is_dir() else None


def read(path: Path | None = None) -> tuple[dict[str, np.ndarray], str]:
    """Arrays and edition: float32 (N, 360) inputs, int64 labels, the place of the phone in `PHONES`.

    Parameters
    ----------
    path
        The folder that holds TRAIN and TEST, or one or two above it; by default ``timit`` in `folder`.
        Names may be in capitals or not.

    Raises
    ------
    DataUnavailable
        There is no such tree.
    ValueError
        Half a tree, a sentence without its ``.PHN`` file, a file that cannot be read, another rate.
    """
    parts = _parts(folder() / "timit" if path is None else path)
    frames, labels = {}, {}
    for part in ("train", "test"):
        found = [_sentence(sound, phones) for sound, phones in _sentences(parts[part])]
        frames[part] = [features for features, _ in found]
        labels[part] = np.concatenate([targets for _, targets in found])
    x_train, x_test = speech.together(frames["train"], frames["test"])
    arrays = {
        "x_train": x_train,
        "y_train": labels["train"],
        "x_test": x_test,
        "y_test": labels["test"],
    }
    counts = {part: len(frames[part]) for part in frames}
    title = TITLES["timit"]
    if counts != SENTENCES:
        title = f"{title} (a part: {counts['train']:,} and {counts['test']:,} sentences)"
    return arrays, title


# -- the tree --------------------------------------------------------------------------------------


def _inside(path: Path, name: str) -> Path | None:
    """The folder of that name, in capitals or not."""
    folders = (
        inner for inner in sorted(path.iterdir()) if inner.name.lower() == name and inner.is_dir()
    )
    return next(folders, None)


def _parts(path: Path) -> dict[str, Path]:
    """The folders TRAIN and TEST, by their names in small letters."""
    have = "TIMIT is licensed by the Linguistic Data Consortium (LDC93S1)"
    give = f"give the folder that holds TRAIN and TEST as path, or put it at {folder() / 'timit'}"
    if not path.is_dir():
        raise DataUnavailable(
            f"{have}, and {path} is no folder here. With a copy of your own, {give}."
        )
    tried: Path | None = path
    for _ in range(3):
        if tried is None:
            break
        inner = {name: _inside(tried, name) for name in ("train", "test")}
        found = {name: folder for name, folder in inner.items() if folder is not None}
        if len(found) == 2:
            return found
        if found:
            missing = "test" if "train" in found else "train"
            raise ValueError(
                f"{tried} holds no folder {missing.upper()}: half of TIMIT is missing. Copy it there."
            )
        tried = _inside(tried, "timit") or _inside(tried, "data")
    raise DataUnavailable(
        f"{have}, and {path} holds neither TRAIN nor TEST. With a copy of your own, {give}."
    )


def _sentences(where: Path) -> list[tuple[Path, Path]]:
    """Sound and phones of each sentence of a part, without SA1 and SA2, in the order of their paths."""
    sounds, phones = {}, {}
    for file in sorted(where.rglob("*")):
        stem, _, ending = file.name.partition(".")
        name = (file.parent, stem.lower())
        if ending.lower() == "phn":
            phones[name] = file
        elif ending.lower() == "wav" or (ending.lower() == "wav.wav" and name not in sounds):
            sounds[name] = file
    if not sounds:
        raise ValueError(
            f"{where} holds no recordings (DR1/SPEAKER/SENTENCE.WAV). Copy the corpus whole."
        )
    lonely = sorted(sounds.keys() ^ phones.keys())
    if lonely:
        speaker, stem = lonely[0]
        lacks = "PHN" if lonely[0] in sounds else "WAV"
        raise ValueError(
            f"{speaker / stem.upper()} lacks its .{lacks} file, as do {len(lonely) - 1} others. Copy the corpus whole."
        )
    kept = [(sounds[name], phones[name]) for name in sorted(sounds) if not name[1].startswith("sa")]
    if not kept:
        raise ValueError(f"{where} holds no sentences but SA1 and SA2. Copy the corpus whole.")
    return kept


# -- one sentence ----------------------------------------------------------------------------------


def _sentence(sound: Path, phones: Path) -> tuple[np.ndarray, np.ndarray]:
    """Features (T, 40) and labels (T,) of the frames of one sentence."""
    rate, samples = read_sound(sound)
    if rate != RATE:
        raise ValueError(
            f"{sound} has {rate:,} samples a second; TIMIT has {RATE:,}. Copy the original there."
        )
    features = speech.log_mel(samples / 32768, rate)
    starts, labels = read_phones(phones)
    middles = (np.arange(len(features)) * speech.HOP + speech.FRAME / 2) * rate
    place = np.searchsorted(starts, middles, side="right") - 1
    return features, labels[np.maximum(place, 0)]


def read_phones(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A ``.PHN`` file: where each phone begins (in samples) and its place in `PHONES`, both int64 (P,).

    Raises ValueError for a line that is not "start end phone", or that goes backwards.
    """
    starts, labels, last = [], [], 0
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        if not line.strip():
            continue
        fields = line.split()
        known = (
            len(fields) == 3 and fields[0].isdigit() and fields[1].isdigit() and fields[2] in PHONES
        )
        if not known or int(fields[0]) < last or int(fields[1]) < int(fields[0]):
            raise ValueError(
                f"{path} has the line {line[:60]!r}; lines are 'start end phone', in order of time."
            )
        last = int(fields[0])
        starts.append(last)
        labels.append(PHONES.index(fields[2]))
    if not starts:
        raise ValueError(f"{path} names no phone. Copy the original there.")
    return np.array(starts, np.int64), np.array(labels, np.int64)


def read_sound(path: Path) -> tuple[int, np.ndarray]:
    """Sampling rate and int16 samples (N,) of a file with a NIST SPHERE or a RIFF header.

    Raises ValueError for what is neither, is packed, or is shorter than its header says.
    """
    content = path.read_bytes()
    try:
        if content.startswith(_HEADER):
            rate, samples = _sphere(content)
        else:
            rate, samples = wavfile.read(io.BytesIO(content))
    except (ValueError, KeyError, IndexError, EOFError, TypeError, OSError, struct.error) as error:
        raise ValueError(
            f"{path} cannot be read as a recording: {error}. Copy the original there."
        ) from error
    if samples.dtype != np.int16 or samples.ndim != 1 or len(samples) == 0:
        raise ValueError(
            f"{path} holds {samples.dtype} {samples.shape}; int16 samples of one channel are needed."
        )
    return rate, samples


def _sphere(content: bytes) -> tuple[int, np.ndarray]:
    """The header is text: NIST_1A, its length, then 'name type value' lines up to end_head."""
    length = int(content[8:16])
    header = {}
    for line in content[16:length].decode("ascii", "replace").splitlines():
        name, *rest = line.split(maxsplit=2)[:3] or [""]
        if name == "end_head":
            break
        if len(rest) == 2:
            header[name] = rest[1].strip()
    coding = header.get("sample_coding", "pcm")
    if (
        coding != "pcm"
        or int(header.get("channel_count", 1)) != 1
        or int(header["sample_n_bytes"]) != 2
    ):
        raise ValueError(
            f"its samples are {coding}, and plain 16-bit samples of one channel are needed"
        )
    order = "<i2" if header.get("sample_byte_format", "01") == "01" else ">i2"
    count = int(header["sample_count"])
    body = content[length:]
    samples = np.frombuffer(body[: len(body) // 2 * 2], order)
    if len(samples) < count:
        raise ValueError(f"it holds {len(samples):,} samples of {count:,}: it is truncated")
    return int(header["sample_rate"]), samples[:count].astype(np.int16)
