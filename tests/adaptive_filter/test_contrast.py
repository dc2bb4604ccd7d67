"""Spectral contrast makes peaks stand out more from their surroundings, and raises no bin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.adaptive_filter.contrast import EXPONENT, LEVEL, raise_contrast
from nacli.adaptive_filter.sizes import HOP
from nacli.config import CODED_RATE

BINS = HOP // 2 + 1


def raised(spectra: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Return spectra [W, bins] with raised contrast."""
    parts = spectra.astype(np.complex64).view(np.float32).copy()
    raise_contrast(parts)
    return parts.view(np.complex64)


def noise(*shape: int) -> NDArray[np.complex64]:
    random = np.random.default_rng(0)
    return (random.normal(size=shape) + 1j * random.normal(size=shape)).astype(np.complex64)


def test_a_flat_spectrum_and_silence_keep_their_shape() -> None:
    flat = np.exp(1j * np.angle(noise(3, BINS)))
    assert np.allclose(raised(flat), LEVEL * flat, atol=1e-5)
    assert not raised(np.zeros((3, BINS), dtype=np.complex64)).any()


def test_ratios_to_the_surroundings_grow_by_the_exponent() -> None:
    for ratio in (3.0, 1 / 8):
        spectrum = np.ones((1, BINS), dtype=np.complex64)
        spectrum[0, 80] *= ratio
        gain = abs(raised(spectrum)[0, 80]) / ratio / LEVEL
        assert 0.9 * EXPONENT < np.log(gain) / np.log(ratio) < EXPONENT


def test_a_tone_keeps_its_level() -> None:
    time = np.arange(HOP) / CODED_RATE
    window = np.sin(np.pi * (np.arange(HOP) + 0.5) / HOP)
    tone = np.fft.rfft(window * np.sin(2 * np.pi * 440 * time))[None].astype(np.complex64)
    peak = np.abs(tone[0]).argmax()
    assert raised(tone)[0, peak] == tone[0, peak]
    assert (np.abs(raised(1e3 * noise(50, BINS))) <= np.abs(1e3 * noise(50, BINS))).all()


def test_phases_stay_and_loudness_does_not_matter() -> None:
    spectra = noise(4, BINS)
    assert np.allclose(np.angle(raised(spectra) / spectra), 0, atol=1e-5)
    assert np.allclose(raised(30 * spectra), 30 * raised(spectra), rtol=1e-4)
