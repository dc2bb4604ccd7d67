"""What happens to samples before the network, and to its gains: nothing absurd, no DC, and silence
is silence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.dc_blocker import DcBlocker, first_offset
from nacli.errors import counted
from nacli.types import Floats

LIMIT = 4.0
"""Samples beyond this, 12 dB over full scale, are clipped. Peaks of loud recordings and of decoded
MP3 stay below; what is above is damage, or floats on the scale of integers."""


RARE = 0.01
"""Share of samples beyond the limit that damage may explain."""


def limited(pcm: Floats) -> tuple[Floats, int]:
    """Samples within +-`LIMIT`, and how many were beyond it."""
    beyond = int(np.count_nonzero(np.abs(pcm) > LIMIT))
    return (np.clip(pcm, -LIMIT, LIMIT) if beyond else pcm), beyond


def clipping_message(clipped: int, samples: int) -> str:
    """One line about `clipped` of `samples` samples; where they are not rare, their scale is
    wrong."""
    scale = f"beyond +-{LIMIT:g} (full scale is +-1)"
    line = f"{counted(clipped, 'sample')} of {samples} {'lies' if clipped == 1 else 'lie'} {scale}"
    line += f" and {'was' if clipped == 1 else 'were'} clipped"
    if clipped < RARE * samples:
        return line
    return f"{line}; floats on the scale of integers have to be divided first, 16 bits by 32768"


class PreProcess:
    """The chain for one stream at the model's rate; keeps what its filters remember."""

    SILENCE = 2 / 32768
    """Peak of a silent hop, -84 dB. What resamplers ring with is not sound, nor is the dither of 16
    bits, which would take as many bits as speech."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop, self._channels = hop, channels
        self._filter: DcBlocker | None = None
        self.offset = 0.0
        """The largest constant offset (DC) of a channel at the start, known after `process`."""
        self._silent_before = np.ones((channels, 1), dtype=bool)

    def process(self, pcm: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Samples [C, F * hop] to those for the network, and which frames [C, F] are silent: those
        whose two hops are, the one before and their own, whatever the network still remembers."""
        hops = pcm.reshape(len(pcm), -1, self._hop)
        silent = np.abs(hops).max(2) <= self.SILENCE
        before = np.concatenate([self._silent_before, silent[:, :-1]], axis=1)
        self._silent_before = silent[:, -1:]
        if self._filter is None:
            offset = first_offset(pcm)
            self.offset = float(np.abs(offset).max())
            self._filter = DcBlocker(self._channels, offset)
        return self._filter.process(pcm), silent & before
