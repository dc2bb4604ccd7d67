"""A constant offset (DC) goes: before the network, where it would drown the sound, and after it."""

from __future__ import annotations

import numpy as np

from nacli.timing import DC_BLOCKER_SAMPLES
from nacli.types import Floats


class DcBlocker:
    """Takes the mean of the last samples away from one stream at the model's rate. Before the
    stream there is silence, or the `offset` [C] that it begins with."""

    WINDOW = DC_BLOCKER_SAMPLES

    def __init__(self, channels: int, offset: Floats | float = 0.0) -> None:
        self._past = np.zeros((channels, self.WINDOW), dtype=np.float32)
        self._past += np.reshape(offset, (-1, 1))

    def process(self, pcm: Floats) -> Floats:
        """Samples [C, T] to samples of the same shape."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self.WINDOW :]
        total = np.cumsum(joined, axis=1, dtype=np.float64)
        mean = (total[:, self.WINDOW :] - total[:, : -self.WINDOW]) / self.WINDOW
        return (pcm - mean).astype(np.float32)


def first_offset(pcm: Floats) -> Floats:
    """The constant offset [C] that a stream [C, T] begins with; 0 for channels without one.

    A mean is an offset where it is far from 0 and is nearly the same in all parts of the first
    window: the mean of sound changes its sign.
    """
    start = pcm[:, : DcBlocker.WINDOW]
    parts = np.stack([part.mean(1) for part in np.array_split(start, _PARTS, axis=1)])
    mean = parts.mean(0)
    steady = np.abs(parts - mean).max(0) < _STEADY * np.abs(mean)
    return np.where(steady & (np.abs(mean) > _LEAST), mean, 0.0).astype(np.float32)


_LEAST = 0.01
"""Of full scale: less is not heard when it is taken away in the first window."""
_PARTS, _STEADY = 8, 0.25
