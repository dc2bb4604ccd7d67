"""Put a decoded recording beside its original: same rate, same beginning, same length.

Codecs delay what they code. Every codec, nacli too, goes through the same steps here, so that none
is judged by its delay. Levels are never corrected.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.bench.clips import resample
from nacli.types import Pcm

MAX_DELAY = 0.25
"""Seconds that a codec may be late or early."""
ENVELOPE = 0.005
"""Seconds per step of the envelopes that are compared where waveforms are not alike."""
ALIKE = 0.3
"""Correlation from which two waveforms tell their delay; parametric codecs keep no waveform."""


def align(original: Pcm, decoded: Pcm, rate: int, decoded_rate: int) -> tuple[Pcm, int]:
    """`decoded` [T', C] at the rate and length of `original` [T, C], and the delay in samples that
    was taken out."""
    pcm = resample(decoded, decoded_rate, rate)
    if pcm.shape[1] != original.shape[1]:
        pcm = np.repeat(pcm.mean(1, keepdims=True), original.shape[1], axis=1)
    delay = find_delay(original.mean(1), pcm.mean(1), rate)
    pcm = pcm[delay:] if delay > 0 else np.pad(pcm, ((-delay, 0), (0, 0)))
    pcm = pcm[: len(original)]
    return np.pad(pcm, ((0, len(original) - len(pcm)), (0, 0))), delay


def find_delay(original: NDArray[np.float32], decoded: NDArray[np.float32], rate: int) -> int:
    """Samples that `decoded` [T'] lags behind `original` [T]: the peak of their correlation."""
    delay, likeness = _peak(original, decoded, int(MAX_DELAY * rate))
    if likeness >= ALIKE:
        return delay
    step = max(1, int(ENVELOPE * rate))
    envelopes = _envelope(original, step), _envelope(decoded, step)
    delay, likeness = _peak(*envelopes, int(MAX_DELAY * rate / step))
    return delay * step if likeness >= ALIKE else 0


def _peak(first: NDArray[np.float32], second: NDArray[np.float32], most: int) -> tuple[int, float]:
    """The lag within +-`most` at which two signals correlate best, and their correlation there."""
    size = 1 << (len(first) + len(second)).bit_length()
    spectra = [np.fft.rfft(signal, size) for signal in (first, second)]
    products = np.fft.irfft(spectra[1] * spectra[0].conj(), size)
    lags = np.arange(-most, most + 1)
    lags = lags[(lags > -len(first)) & (lags < len(second))]
    if not len(lags):
        return 0, 0.0
    best = int(lags[products[lags].argmax()])
    energy = float(np.linalg.norm(first)) * float(np.linalg.norm(second))
    return best, float(products[best]) / max(energy, 1e-20)


def _envelope(pcm: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Level per `step` samples, around its mean."""
    whole = pcm[: len(pcm) // step * step].reshape(-1, step)
    levels = np.sqrt(np.square(whole).mean(1))
    return levels - levels.mean() if len(levels) else levels
