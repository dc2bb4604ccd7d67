"""The pitch filter lowers the coding noise between the harmonics of voices and instruments.

Low frequencies of a periodic sound are averaged with those one period before and one period after,
the more the better they match: a comb filter, as in decoders of speech since Chen and Gersho
(1995). Periods and strengths are estimated from the decoded sound, so they cost no bits. Above
`CUTOFF` the filter would remove as much sound as noise.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from nacli.config import CODED_RATE
from nacli.timing import PITCH_FILTER_CONTEXT, PITCH_FILTER_DELAY
from nacli.types import Doubles, Floats, Indices

MIN_PERIOD, MAX_PERIOD = 60, 400
"""Range of periods in samples at 24 kHz: 400 to 60 Hz."""
WINDOW = 400
"""Samples that are compared with those one period away: 17 ms."""
MIN_CORRELATION, FULL_CORRELATION = 0.6, 0.95
"""Correlations at which the filter begins to act, and at which it acts fully."""
PERIOD_PENALTY = 2e-4
"""Correlation that is subtracted for each sample of a period, because multiples of the period
correlate as well as the period itself."""
CUTOFF, TAPS = 1500, 63
"""Upper end of the filtered frequencies in Hz, and the length of the low-pass filter."""
NEIGHBOUR_WEIGHT = 0.25
"""Weight of the sound one period away, on either side, where sound repeats itself perfectly."""
MARGIN = MAX_PERIOD + WINDOW // 2 + TAPS // 2
"""Samples on either side of a position that its period and strength depend on."""
_FFT_SIZE = 1024
"""Size of the Fourier transforms, which hold WINDOW + MAX_PERIOD samples."""


@cache
def low_pass() -> Doubles:
    """Return the low-pass filter [TAPS]: a windowed sinc."""
    time = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF / CODED_RATE * time) * np.hamming(TAPS)
    return taps / taps.sum()


class PitchFilter:
    """The pitch filter of one stream at the coded rate. Its output is delayed by `DELAY` hops."""

    DELAY = PITCH_FILTER_DELAY
    """Hops after a hop that its filtering depends on: one period, and half a window beside it."""
    REACH = DELAY + PITCH_FILTER_CONTEXT
    """Hops of the past that are kept: those of the delay, and those that a hop depends on."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        assert self.DELAY * hop >= MARGIN, "the delay covers the samples after a hop"
        assert (self.REACH - self.DELAY) * hop >= MARGIN, "the context covers those before it"
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)

    def process(self, pcm: Floats) -> Floats:
        """Filter the next samples [C, F * hop]; return as many samples, DELAY hops later."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self._past.shape[1] :]
        return np.stack([self._filter(channel) for channel in joined])

    def _filter(self, pcm: Floats) -> Floats:
        """Filter samples [T] of one channel, except the first REACH - DELAY and the last DELAY
        hops, which are context."""
        hop, lead = self._hop, (self.REACH - self.DELAY) * self._hop
        if not pcm.any():  # the silence of a gap may last an hour
            return np.zeros(len(pcm) - self.REACH * hop, dtype=np.float32)
        low = np.convolve(pcm, low_pass(), "same")
        positions = np.arange(lead, len(pcm) - self.DELAY * hop + 1, hop)
        before, after = (
            _comb(low, positions, hop, *find_periods(low, positions, side)) for side in (-1, 1)
        )
        return (pcm[lead : lead + len(before)] + before + after).astype(np.float32)


def find_periods(low: Doubles, positions: Indices, side: int) -> tuple[Indices, Doubles]:
    """Estimate the period at each position by normalised cross-correlation.

    Args:
        low: low-passed samples [T].
        positions: sample indices [n].
        side: -1 compares with the past, 1 with the future.

    Returns:
        Offsets [n] in samples, negative for the past, and strengths [n] from 0 to 1.
    """
    lead = MAX_PERIOD if side < 0 else 0
    start = positions[:, None] - WINDOW // 2 - lead
    stretch = low[start + np.arange(WINDOW + MAX_PERIOD)]
    own = stretch[:, lead : lead + WINDOW]
    spectrum = np.fft.rfft(stretch, _FFT_SIZE) * np.fft.rfft(own, _FFT_SIZE).conj()
    products = np.fft.irfft(spectrum, _FFT_SIZE)[:, : MAX_PERIOD + 1]
    sums = np.cumsum(np.pad(np.square(stretch), ((0, 0), (1, 0))), axis=1)
    energies = sums[:, WINDOW:] - sums[:, :-WINDOW]
    lags = np.arange(MIN_PERIOD, MAX_PERIOD + 1)
    at = lead + side * lags
    correlations = products[:, at] / (np.sqrt(energies[:, at] * energies[:, [lead]]) + 1e-9)
    best = (correlations - PERIOD_PENALTY * lags).argmax(1)
    strengths = correlations[np.arange(len(positions)), best] - MIN_CORRELATION
    return side * lags[best], (strengths / (FULL_CORRELATION - MIN_CORRELATION)).clip(0, 1)


def _comb(
    low: Doubles, positions: Indices, hop: int, offsets: Indices, strengths: Doubles
) -> Doubles:
    """Return the change of each sample by the average with the samples at these offsets, from the
    first position to the last. In each hop the change at its start fades into that at its end."""
    at = positions[:-1, None] + np.arange(hop)
    start, end = (
        NEIGHBOUR_WEIGHT * strengths[part, None] * (low[at + offsets[part, None]] - low[at])
        for part in (slice(None, -1), slice(1, None))
    )
    return (start + np.arange(hop) / hop * (end - start)).ravel()
