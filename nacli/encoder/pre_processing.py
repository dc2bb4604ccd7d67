"""What happens to samples before the network, and to its gains: no DC, and silence is silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.dc_blocker import DcBlocker
from nacli.types import Floats


class PreProcess:
    """The chain for one stream at the model's rate; keeps what its filters remember."""

    SILENCE = 2 / 32768
    """Peak of a silent hop, -84 dB. What resamplers ring with is not sound, nor is the dither of 16
    bits, which would take as many bits as speech."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        self._offset = DcBlocker(channels)
        self._silent_before = np.ones((channels, 1), dtype=bool)

    def process(self, pcm: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Samples [C, F * hop] to those for the network, and which frames [C, F] are silent: those
        whose two hops are, the one before and their own, whatever the network still remembers."""
        hops = pcm.reshape(len(pcm), -1, self._hop)
        silent = np.abs(hops).max(2) <= self.SILENCE
        before = np.concatenate([self._silent_before, silent[:, :-1]], axis=1)
        self._silent_before = silent[:, -1:]
        return self._offset.process(pcm), silent & before
