"""Periods of voices and instruments, estimated from decoded sound."""

from __future__ import annotations

from functools import cache

import numpy as np

from nacli.config import CODED_RATE
from nacli.types import Doubles, Indices

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
