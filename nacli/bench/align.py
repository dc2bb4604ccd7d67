"""Alignment of a decoded recording with its original: the same rate, start and length.

Codecs delay the signal. Every codec, including nacli, goes through the same steps here, so that
delay does not influence the metrics. Levels are never changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.bench.clips import resample
from nacli.types import Pcm

MAX_DELAY = 0.25
"""Largest delay or advance of a codec in seconds."""
ENVELOPE_STEP = 0.005
"""Step in seconds of the envelopes that are compared if the waveforms do not correlate."""
MIN_CORRELATION = 0.3
"""Correlation at which a delay is accepted; parametric codecs keep no waveform."""


def align(original: Pcm, decoded: Pcm, rate: int, decoded_rate: int) -> tuple[Pcm, int]:
    """Align a decoded recording with its original.

    Args:
        original: samples [T, C] at `rate`.
        decoded: samples [T', C'] at `decoded_rate`.

    Returns:
        The decoded samples at `rate` [T, C], and the delay in samples that was removed.
    """
    pcm = resample(decoded, decoded_rate, rate)
    if pcm.shape[1] != original.shape[1]:
        pcm = np.repeat(pcm.mean(1, keepdims=True), original.shape[1], axis=1)
    delay = find_delay(original.mean(1), pcm.mean(1), rate)
    pcm = pcm[delay:] if delay > 0 else np.pad(pcm, ((-delay, 0), (0, 0)))
    pcm = pcm[: len(original)]
    return np.pad(pcm, ((0, len(original) - len(pcm)), (0, 0))), delay


def find_delay(original: NDArray[np.float32], decoded: NDArray[np.float32], rate: int) -> int:
    """Return the samples by which `decoded` [T'] lags behind `original` [T], from the peak of their
    cross-correlation; 0 if they do not correlate."""
    delay, correlation = _peak(original, decoded, int(MAX_DELAY * rate))
    if correlation >= MIN_CORRELATION:
        return delay
    step = max(1, int(ENVELOPE_STEP * rate))
    envelopes = _envelope(original, step), _envelope(decoded, step)
    delay, correlation = _peak(*envelopes, int(MAX_DELAY * rate / step))
    return delay * step if correlation >= MIN_CORRELATION else 0


def _peak(
    first: NDArray[np.float32], second: NDArray[np.float32], max_lag: int
) -> tuple[int, float]:
    """Return the lag within +-`max_lag` with the highest correlation, and this correlation."""
    size = 1 << (len(first) + len(second)).bit_length()
    spectra = [np.fft.rfft(signal, size) for signal in (first, second)]
    products = np.fft.irfft(spectra[1] * spectra[0].conj(), size)
    lags = np.arange(-max_lag, max_lag + 1)
    lags = lags[(lags > -len(first)) & (lags < len(second))]
    if not len(lags):
        return 0, 0.0
    best = int(lags[products[lags].argmax()])
    energy = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return best, float(products[best]) / max(energy, 1e-20)


def _envelope(pcm: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the level of every `step` samples, less its mean."""
    whole = pcm[: len(pcm) // step * step].reshape(-1, step)
    levels = np.sqrt(np.square(whole).mean(1))
    return levels - levels.mean() if len(levels) else levels
