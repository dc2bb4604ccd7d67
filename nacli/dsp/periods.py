"""Periods of voices and instruments, by normalised cross-correlation of low-passed sound."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nacli.config import CODED_RATE
from nacli.types import Doubles, Floats, Indices

MIN_PERIOD, MAX_PERIOD = 60, 400
"""Range of periods in samples at 24 kHz: 400 to 60 Hz."""
WINDOW = 400
"""Samples that are compared with those one period away: 17 ms."""
MIN_CORRELATION, FULL_CORRELATION = 0.6, 0.95
"""Correlations that have the strengths 0 and 1."""
PERIOD_PENALTY = 2e-4
"""Correlation that is subtracted for each sample of a period, because multiples of the period
correlate as well as the period itself."""
CUTOFF, TAPS = 1500, 63
"""Upper end in Hz of the frequencies that are compared, and the length of the low-pass filter."""
REACH = MAX_PERIOD + WINDOW // 2
"""Low-passed samples on either side of a position that its period and strength depend on."""
MARGIN = REACH + TAPS // 2
"""Samples on either side of a position that its period and strength depend on."""


@cache
def low_pass() -> Doubles:
    """Return the low-pass filter [TAPS]: a windowed sinc."""
    time = np.arange(TAPS) - TAPS // 2
    taps = np.sinc(2 * CUTOFF / CODED_RATE * time) * np.hamming(TAPS)
    return taps / taps.sum()


def periods_at(pcm: Floats, interval: int) -> tuple[Indices, Doubles]:
    """Return lags and strengths [n, 2] as `find_periods` does, for the samples [T] at 24 kHz at
    MARGIN, MARGIN + interval, and so on, as long as MARGIN samples follow.

    Each row is computed by itself, so it depends on no others, not even by rounding.
    """
    low = np.convolve(pcm.astype(np.float64), low_pass(), "valid")
    return find_periods(low, np.arange(REACH, len(low) - REACH + 1, interval))


def find_periods(low: Doubles, positions: Indices) -> tuple[Indices, Doubles]:
    """Estimate the period before and after each position.

    Args:
        low: low-passed samples [T].
        positions: sample indices [n] with REACH samples before and after them.

    Returns:
        Lags [n, 2] in samples to the best match before (negative) and after each position, and
        strengths [n, 2] from 0 to 1.
    """
    lags = np.arange(MIN_PERIOD, MAX_PERIOD + 1)
    penalties, rows = PERIOD_PENALTY * lags, np.arange(len(positions))
    both = _correlations(low, positions - REACH)
    sides = both[:, MAX_PERIOD - MIN_PERIOD :: -1], both[:, MAX_PERIOD + MIN_PERIOD :]
    best = [(side - penalties).argmax(1) for side in sides]
    found = np.stack([side[rows, at] for side, at in zip(sides, best, strict=True)], 1)
    strengths = (found - MIN_CORRELATION) / (FULL_CORRELATION - MIN_CORRELATION)
    return np.stack([-lags[best[0]], lags[best[1]]], 1), strengths.clip(0, 1)


def _correlations(low: Doubles, starts: Indices) -> Doubles:
    """Return the correlations [n, 2 MAX_PERIOD + 1] of the WINDOW samples in the middle of the
    stretches of 2 REACH samples from `starts` [n] on, with those at every lag from -MAX_PERIOD to
    MAX_PERIOD."""
    stretches = sliding_window_view(low, 2 * REACH)[starts]
    reversed_own, size = stretches[:, MAX_PERIOD:-MAX_PERIOD][:, ::-1], stretches.shape[1]
    spectra = np.fft.rfft(reversed_own, size)
    spectra *= np.fft.rfft(stretches)
    products = np.fft.irfft(spectra, size)[:, WINDOW - 1 :]
    levels = np.sqrt(_moving_sum(np.square(low), WINDOW))
    norms = sliding_window_view(levels, 2 * MAX_PERIOD + 1)[starts]
    norms *= norms[:, [MAX_PERIOD]]
    norms += 1e-9
    return np.divide(products, norms, out=norms)


def _moving_sum(x: Doubles, length: int) -> Doubles:
    """Return the sums of `length` successive values [T] at each place [T + 1 - length].

    Sums of 1, 2, 4, and so on are doubled and joined, so the rounding at a place does not depend on
    what comes before it, as it would with the differences of a cumulative sum.
    """
    total, at, size = np.zeros(len(x) + 1 - length), 0, 1
    while True:
        if length & size:
            total += x[at : at + len(total)]
            at += size
        if at == length:
            return total
        x, size = x[:-size] + x[size:], 2 * size
