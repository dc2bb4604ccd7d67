"""Pre-processing: what happens to samples before the network.

Absurd values are clipped, a constant offset is removed, and silent frames are found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.dsp.dc_blocker import DcBlocker, first_offset
from nacli.errors import counted
from nacli.types import Floats

LIMIT = 4.0
"""Magnitude beyond which samples are clipped, 12 dB over full scale. Peaks of loud recordings and
of decoded MP3 stay below it; what is above is damage, or floats on the scale of integers."""
RARE = 0.01
"""Share of samples beyond the limit that damage may explain; if there are more, the scale is
wrong."""


def limited(pcm: Floats) -> tuple[Floats, int]:
    """Clip samples to +-`LIMIT`; return them and the number of samples beyond it."""
    beyond = int(np.count_nonzero(np.abs(pcm) > LIMIT))
    return (np.clip(pcm, -LIMIT, LIMIT) if beyond else pcm), beyond


def clipping_message(clipped: int, samples: int) -> str:
    """Return a warning in one line that `clipped` of `samples` samples were clipped, with a hint
    where they are not rare."""
    scale = f"beyond +-{LIMIT:g} (full scale is +-1)"
    line = f"{counted(clipped, 'sample')} of {samples} {'lies' if clipped == 1 else 'lie'} {scale}"
    line += f" and {'was' if clipped == 1 else 'were'} clipped"
    if clipped < RARE * samples:
        return line
    return f"{line}; floats on the scale of integers have to be divided first, 16 bits by 32768"


class PreProcess:
    """The pre-processing of one stream at the coded rate, with its state."""

    SILENCE = 2 / 32768
    """Largest magnitude of samples in a silent hop, -84 dB. The ringing of resamplers and the
    dither of 16 bits stay below it; coded, they would take the bits of speech."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop, self._channels = hop, channels
        self._filter: DcBlocker | None = None
        self.offset = 0.0
        """The largest constant offset (DC) of a channel at the start, known after the first
        `process`."""
        self._silent_before = np.ones((channels, 1), dtype=bool)

    def process(self, pcm: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Filter samples [C, F * hop] for the network; return also which frames [C, F] are silent.

        A frame is silent where both of its hops are, the one before and its own, whatever the
        network still remembers of earlier sound.
        """
        hops = pcm.reshape(len(pcm), -1, self._hop)
        silent = np.abs(hops).max(2) <= self.SILENCE
        before = np.concatenate([self._silent_before, silent[:, :-1]], axis=1)
        self._silent_before = silent[:, -1:]
        if self._filter is None:
            offset = first_offset(pcm)
            self.offset = float(np.abs(offset).max())
            self._filter = DcBlocker(self._channels, offset)
        return self._filter.process(pcm), silent & before
