"""Removal of a constant offset (DC), which would mask the sound in the networks, and which they may
leave in their output."""

from __future__ import annotations

import numpy as np

from nacli.timing import DC_BLOCKER_SAMPLES
from nacli.types import Floats

MIN_OFFSET = 0.01
"""Smallest mean, relative to full scale, that counts as an offset: the sudden removal of a smaller
one in the first window is inaudible."""
OFFSET_PARTS, OFFSET_TOLERANCE = 8, 0.25
"""Number of parts of the first window whose means are compared, and the largest difference of one
of them from the whole mean, relative to it."""


class DcBlocker:
    """Subtracts a moving mean of the last `WINDOW` samples from one stream at the coded rate."""

    WINDOW = DC_BLOCKER_SAMPLES

    def __init__(self, channels: int, offset: Floats | float = 0.0) -> None:
        """The samples before the stream are taken as constant, with the value `offset` [C]."""
        self._past = np.zeros((channels, self.WINDOW), dtype=np.float32)
        self._past += np.reshape(offset, (-1, 1))

    def process(self, pcm: Floats) -> Floats:
        """Return the next samples [C, T] without their offset."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self.WINDOW :]
        total = np.cumsum(joined, axis=1, dtype=np.float64)
        mean = (total[:, self.WINDOW :] - total[:, : -self.WINDOW]) / self.WINDOW
        return (pcm - mean).astype(np.float32)


def first_offset(pcm: Floats) -> Floats:
    """Return the constant offset [C] at the start of a stream [C, T]; 0 for channels without one.

    The mean of the first window is an offset if it is far from 0 and nearly the same in all parts
    of the window: the mean of sound changes its sign.
    """
    start = pcm[:, : DcBlocker.WINDOW]
    parts = np.stack([part.mean(1) for part in np.array_split(start, OFFSET_PARTS, axis=1)])
    mean = parts.mean(0)
    steady = np.abs(parts - mean).max(0) < OFFSET_TOLERANCE * np.abs(mean)
    return np.where(steady & (np.abs(mean) > MIN_OFFSET), mean, 0.0).astype(np.float32)
