"""What happens to decoded samples after the network: no DC, clear harmonics, silent silence, peaks
held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.harmonics import HarmonicFilter
from nacli.offset import OffsetFilter

Floats = NDArray[np.float32]


class PostProcess:
    """The chain for one stream at the model's rate; keeps what its filters remember. What it gives
    is `DELAY` hops late, and depends on `reach(hop)` hops before."""

    DELAY = HarmonicFilter.DELAY
    FADE = 64
    """Samples of the ramp where sound joins silence."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        self._offset, self._harmonics = OffsetFilter(channels), HarmonicFilter(channels, hop)
        self._gain_before = np.zeros((channels, 1), dtype=np.int32)
        self._gains_ahead = np.zeros((channels, self.DELAY), dtype=np.int32)

    @staticmethod
    def reach(hop: int) -> int:
        """Hops before one that it has to know."""
        return HarmonicFilter.REACH - HarmonicFilter.DELAY - (-OffsetFilter.WINDOW // hop)

    def process(self, pcm: Floats, gains: NDArray[np.int32]) -> Floats:
        """Network output [C, F * hop] with its gains [C, F] to finished samples, same shape."""
        joined = np.concatenate([self._gains_ahead, gains], axis=1)
        gains, self._gains_ahead = joined[:, : -self.DELAY], joined[:, -self.DELAY :]
        heard = self._harmonics.process(self._offset.process(pcm))
        return np.clip(heard * self._gate(gains), -1.0, 1.0)

    def finish(self) -> Floats:
        """The samples that are still to come [C, DELAY * hop]."""
        gains = np.zeros_like(self._gains_ahead)
        return self.process(np.zeros((len(gains), self.DELAY * self._hop), np.float32), gains)

    def _gate(self, gains: NDArray[np.int32]) -> Floats:
        """Envelope [C, F * hop]: 1 where both frames of a hop sound, else 0, with ramps in the
        silent hops beside.

        The output of frame f is hop f - 1, which frames f - 1 and f overlap: a sound in it would
        be in both. Where only one sounds, the network's output is its echo of a hop beside.
        """
        sounds = np.concatenate([self._gain_before, gains], axis=1) > 0
        self._gain_before = gains[:, -1:]
        before, now = sounds[:, :-1, None], sounds[:, 1:, None]
        rise = np.zeros(self._hop, dtype=np.float32)
        rise[-self.FADE :] = np.arange(1, self.FADE + 1) / self.FADE
        envelope = np.where(before, np.where(now, np.float32(1), rise[::-1]), rise * now)
        return envelope.reshape(len(gains), -1).astype(np.float32)
