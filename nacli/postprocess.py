"""What happens to decoded samples after the network: no DC, silent silence, peaks held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class PostProcess:
    """The chain for one stream at the model's rate; keeps what its filters remember."""

    DC_WINDOW = 4800
    """Samples of the moving mean that is taken away: 0.2 s, so that low notes stay."""
    FADE = 64
    """Samples of the ramp where sound joins silence."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        self._past = np.zeros((channels, self.DC_WINDOW), dtype=np.float32)
        self._open = np.zeros(channels, dtype=np.float32)
        self._gain_before = np.zeros((channels, 1), dtype=np.int32)

    def process(self, pcm: Floats, gains: NDArray[np.int32]) -> Floats:
        """Network output [C, F * hop] with its gains [C, F] to finished samples, same shape."""
        return np.clip(self._remove_dc(pcm) * self._gate(gains), -1.0, 1.0)

    def _remove_dc(self, pcm: Floats) -> Floats:
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self.DC_WINDOW :]
        total = np.cumsum(joined, axis=1, dtype=np.float64)
        mean = (total[:, self.DC_WINDOW :] - total[:, : -self.DC_WINDOW]) / self.DC_WINDOW
        return (pcm - mean).astype(np.float32)

    def _gate(self, gains: NDArray[np.int32]) -> Floats:
        """Envelope [C, F * hop]: 0 over hops whose two frames are silent, ramps where that changes.

        The output of frame f is hop f - 1, to which frames f - 1 and f contribute.
        """
        before = np.concatenate([self._gain_before, gains[:, :-1]], axis=1)
        target = ((before > 0) | (gains > 0)).astype(np.float32)
        start = np.concatenate([self._open[:, None], target[:, :-1]], axis=1)
        self._open, self._gain_before = target[:, -1], gains[:, -1:]
        ramp = np.minimum(np.arange(1, self._hop + 1) / self.FADE, 1.0).astype(np.float32)
        envelope = start[:, :, None] + (target - start)[:, :, None] * ramp
        return envelope.reshape(len(gains), -1).astype(np.float32)
