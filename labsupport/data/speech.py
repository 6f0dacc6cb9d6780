"""Speech as F2 reads it: 40 log-mel features a frame, nine frames side by side, 360 numbers.

A frame is 25 ms of sound, one every 10 ms. Its power spectrum is summed under 40 triangles, evenly
spaced on the mel scale m(f) = 1127 ln(1 + f / 700) from 20 Hz to half the sampling rate, and the
logarithm is taken. Each of the 40 features is then scaled by the mean and deviation that it has on
the training frames.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import fft

FEATURES = 40
#: Frames on either side of the one that is classified.
CONTEXT = 4
#: Seconds of a frame, and from one frame to the next.
FRAME, HOP = 0.025, 0.010
_PREEMPHASIS = 0.97
_LOWEST = 20.0  # Hz
_FLOOR = 1e-10  # power; digital silence has a logarithm too


def log_mel(signal: np.ndarray, rate: int) -> np.ndarray:
    """Log-mel features of one recording.

    Parameters
    ----------
    signal : array (N,)
        Samples from -1 to 1; shorter than a frame, it is filled up with silence.
    rate
        Samples a second.

    Returns
    -------
    array (T, 40), float32
        One row a frame; frame t begins at sample t * rate * 0.01.
    """
    width, hop = round(FRAME * rate), round(HOP * rate)
    signal = np.asarray(signal, dtype=np.float64)
    signal = np.append(signal[:1], signal[1:] - _PREEMPHASIS * signal[:-1])
    signal = np.pad(signal, (0, max(0, width - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(signal, width)[::hop]  # (T, width)
    points = 1 << (2 * width - 1).bit_length()
    spectrum = fft.rfft(frames * np.hamming(width), points, axis=1)  # (T, points / 2 + 1)
    power = np.abs(spectrum) ** 2 @ triangles(rate, points).T  # (T, 40)
    return np.log(np.maximum(power, _FLOOR)).astype(np.float32)


@functools.cache
def triangles(rate: int, points: int) -> np.ndarray:
    """The 40 triangles as weights of the frequencies of a transform: (40, points / 2 + 1), each at most 1."""
    frequencies = fft.rfftfreq(points, 1 / rate)
    low, high = _mel(_LOWEST), _mel(rate / 2)
    corners = np.linspace(low, high, FEATURES + 2)[:, None]  # each triangle: three of them in a row
    mels = _mel(frequencies)[None, :]
    step = corners[1] - corners[0]
    return np.maximum(0.0, 1.0 - np.abs(mels - corners[1:-1]) / step)


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)


def in_context(frames: np.ndarray) -> np.ndarray:
    """Each frame with four on either side: (T, 40) -> (T, 360), oldest first; the ends are repeated.

    >>> in_context(np.arange(3.0)[:, None])[1].tolist()
    [0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    padded = np.pad(frames, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, 2 * CONTEXT + 1, axis=0
    )  # (T, 40, 9)
    return windows.transpose(0, 2, 1).reshape(len(frames), -1)


def together(train: list[np.ndarray], test: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of both sets from their recordings' frames: scaled, in context, float32 (N, 360) and (M, 360)."""
    every = np.concatenate(train)
    mean = every.mean(0, dtype=np.float64).astype(np.float32)
    deviation = every.std(0, dtype=np.float64).astype(np.float32) + np.float32(1e-8)
    scaled = [[(frames - mean) / deviation for frames in part] for part in (train, test)]
    x_train, x_test = (np.concatenate([in_context(frames) for frames in part]) for part in scaled)
    return x_train, x_test
