"""Noise between the harmonics of voices and instruments, which coding leaves there, is lowered.

Low sound that repeats itself is averaged with itself one period before and one period after, each
the more the better it repeats: a comb filter, as decoders of speech have had since Chen and Gersho
(1995). Periods and strengths are found in the decoded sound, so no bits are spent on them. Above
`CUTOFF` it would cost what it wins.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nacli.config import CODED_RATE
from nacli.timing import PITCH_FILTER_CONTEXT, PITCH_FILTER_DELAY
from nacli.types import Doubles, Floats, Indices

SHORTEST, LONGEST = 60, 400
"""Periods in samples at 24 kHz: 400 to 60 Hz."""
WINDOW = 400
"""Samples that are compared with what is a period before, and after: 17 ms."""
WEAKEST, CLEAR = 0.6, 0.95
"""Correlations from which on sound counts as repeating itself, and as doing so perfectly."""
PREFERENCE = 2e-4
"""Correlation that a sample more of a period must be worth: multiples of a period fit as well."""
CUTOFF, TAPS = 1500, 63
"""Frequency in Hz up to which sound is filtered, and the length of the filter that parts it."""
NEIGHBOUR_WEIGHT = 0.25
"""Weight of the sound one period away, on either side, where sound repeats itself perfectly."""
_SIZE = 1024
"""Of the Fourier transforms, for WINDOW + LONGEST samples and as many lags."""
MARGIN = LONGEST + WINDOW // 2 + TAPS // 2
"""Samples on either side of a place that say by how much it is filtered."""


@cache
def low_pass() -> Doubles:
    """A windowed sinc [TAPS], the same for every block."""
    time = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF / CODED_RATE * time) * np.hamming(TAPS)
    return taps / taps.sum()


class PitchFilter:
    """The filter of one stream at the model's rate; what it gives is `DELAY` hops late."""

    DELAY = PITCH_FILTER_DELAY
    """Hops: the next period, and the window beside it, must be known at the end of a hop."""
    REACH = DELAY + PITCH_FILTER_CONTEXT
    """Hops before one that it has to know."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        assert self.DELAY * hop >= MARGIN, "a period ahead is known"
        assert (self.REACH - self.DELAY) * hop >= MARGIN, "and one before"
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)

    def process(self, pcm: Floats) -> Floats:
        """Samples [C, F * hop] to as many, DELAY hops late."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self._past.shape[1] :]
        return np.stack([self._filter(row) for row in joined])

    def _filter(self, pcm: Floats) -> Floats:
        """Samples of all but the first REACH - DELAY and the last DELAY hops."""
        hop, lead = self._hop, (self.REACH - self.DELAY) * self._hop
        if not pcm.any():  # a gap may be an hour of it
            return np.zeros(len(pcm) - self.REACH * hop, dtype=np.float32)
        low = np.convolve(pcm, low_pass(), "same")
        places = np.arange(lead, len(pcm) - self.DELAY * hop + 1, hop)
        before, after = (_change(low, places, hop, *repeats(low, places, s)) for s in (-1, 1))
        return (pcm[lead : lead + len(before)] + before + after).astype(np.float32)


def repeats(low: Doubles, places: Indices, side: int) -> tuple[Indices, Doubles]:
    """How far from each place, before it (`side` -1) or after it (1), sound is the same again, and
    how much that counts, 0 to 1."""
    lead = LONGEST if side < 0 else 0
    stretch = low[places[:, None] - WINDOW // 2 - lead + np.arange(WINDOW + LONGEST)]
    own = stretch[:, lead : lead + WINDOW]
    spectrum = np.fft.rfft(stretch, _SIZE) * np.fft.rfft(own, _SIZE).conj()
    products = np.fft.irfft(spectrum, _SIZE)[:, : LONGEST + 1]
    sums = np.cumsum(np.pad(np.square(stretch), ((0, 0), (1, 0))), axis=1)
    energies = sums[:, WINDOW:] - sums[:, :-WINDOW]
    lags = np.arange(SHORTEST, LONGEST + 1)
    at = lead + side * lags
    likeness = products[:, at] / (np.sqrt(energies[:, at] * energies[:, [lead]]) + 1e-9)
    best = (likeness - PREFERENCE * lags).argmax(1)
    found = likeness[np.arange(len(places)), best]
    return side * lags[best], ((found - WEAKEST) / (CLEAR - WEAKEST)).clip(0, 1)


def _change(
    low: Doubles, places: Indices, hop: int, shifts: Indices, strengths: Doubles
) -> Doubles:
    """What averaging with the sound so far from each place changes, from the first to the last: in
    each hop the change of one place goes over into that of the next."""
    at = places[:-1, None] + np.arange(hop)
    start, end = (
        NEIGHBOUR_WEIGHT * strengths[part, None] * (low[at + shifts[part, None]] - low[at])
        for part in (slice(None, -1), slice(1, None))
    )
    return (start + np.arange(hop) / hop * (end - start)).ravel()
