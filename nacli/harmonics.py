"""Noise between the harmonics of voices and instruments, which coding leaves there, is lowered.

Low sound that repeats itself is averaged with itself one period before and one period after, the
more the better it repeats: a comb filter, as decoders of speech have had since Chen and Gersho
(1995). Period and strength are found in the decoded sound, so no bits are spent on them. Above
`CUTOFF` it would cost what it wins.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from nacli.format import CODED_RATE

Floats = NDArray[np.float32]
Places = NDArray[np.intp]

SHORTEST, LONGEST = 60, 400
"""Periods in samples at 24 kHz: 400 to 60 Hz."""
WINDOW = 720
"""Samples that are compared with what came a period before: 30 ms."""
WEAKEST, CLEAR = 0.6, 0.95
"""Correlations from which on sound counts as repeating itself, and as doing so perfectly."""
PREFERENCE = 2e-4
"""Correlation that a sample more of a period must be worth: multiples of a period fit as well."""
CUTOFF, TAPS = 1500, 63
"""Frequency in Hz up to which sound is filtered, and the length of the filter that parts it."""
_SIZE = 2048
"""Of the Fourier transforms, for WINDOW + LONGEST samples and as many lags."""


@cache
def _low_pass() -> NDArray[np.float64]:
    """A windowed sinc [TAPS], the same for every block."""
    time = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF / CODED_RATE * time) * np.hamming(TAPS)
    return taps / taps.sum()


class HarmonicFilter:
    """The filter of one stream at the model's rate; what it gives is `DELAY` hops late."""

    DELAY = 2
    """Hops: the next period, and the window at the end of a hop, must be known."""
    REACH = DELAY + 3
    """Hops before one that it has to know."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        assert self.DELAY * hop >= max(LONGEST, WINDOW // 2) + TAPS // 2, "a period ahead is known"
        lead = (self.REACH - self.DELAY) * hop
        assert lead >= LONGEST + WINDOW // 2 + TAPS // 2, "and one before"
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
        low = np.convolve(pcm, _low_pass(), "same")
        places = np.arange(lead, len(pcm) - self.DELAY * hop + 1, hop)
        periods, strengths = _periods(low, places)
        fade = np.arange(hop) / hop
        before, after = (
            _combed(low, places[:-1], hop, periods[part], strengths[part])
            for part in (slice(None, -1), slice(1, None))
        )
        change = (before + fade * (after - before)).ravel()
        return (pcm[lead : lead + len(change)] + change).astype(np.float32)


def _periods(low: NDArray[np.float64], places: Places) -> tuple[Places, NDArray[np.float64]]:
    """Period and strength of the filter around each place."""
    first = places[:, None] - WINDOW // 2 - LONGEST
    stretch = low[first + np.arange(WINDOW + LONGEST)]
    own = stretch[:, LONGEST:]
    spectrum = np.fft.rfft(stretch, _SIZE) * np.fft.rfft(own, _SIZE).conj()
    products = np.fft.irfft(spectrum, _SIZE)[:, LONGEST::-1]
    sums = np.cumsum(np.pad(np.square(stretch), ((0, 0), (1, 0))), axis=1)
    energies = (sums[:, WINDOW:] - sums[:, :-WINDOW])[:, ::-1]
    lags = np.arange(SHORTEST, LONGEST + 1)
    likeness = products[:, lags] / (np.sqrt(energies[:, lags] * energies[:, :1]) + 1e-9)
    best = (likeness - PREFERENCE * lags).argmax(1)
    found = likeness[np.arange(len(places)), best]
    return lags[best], ((found - WEAKEST) / (CLEAR - WEAKEST)).clip(0, 1)


def _combed(
    low: NDArray[np.float64],
    places: Places,
    hop: int,
    periods: Places,
    strengths: NDArray[np.float64],
) -> NDArray[np.float64]:
    """What the filter changes [F, hop] from each place on, with its period and strength."""
    at = places[:, None] + np.arange(hop)
    beside = (low[at - periods[:, None]] + low[at + periods[:, None]]) / 2
    return strengths[:, None] / 2 * (beside - low[at])
