"""A constant offset (DC) goes: before the network, where it would drown the sound, and after it."""

from __future__ import annotations

import numpy as np

from nacli.timing import DC_BLOCKER_SAMPLES
from nacli.types import Floats


class DcBlocker:
    """Takes the mean of the last samples away from one stream at the model's rate."""

    WINDOW = DC_BLOCKER_SAMPLES

    def __init__(self, channels: int) -> None:
        self._past = np.zeros((channels, self.WINDOW), dtype=np.float32)

    def process(self, pcm: Floats) -> Floats:
        """Samples [C, T] to samples of the same shape."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self.WINDOW :]
        total = np.cumsum(joined, axis=1, dtype=np.float64)
        mean = (total[:, self.WINDOW :] - total[:, : -self.WINDOW]) / self.WINDOW
        return (pcm - mean).astype(np.float32)
