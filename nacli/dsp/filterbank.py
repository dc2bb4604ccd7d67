"""The filterbank of bands: short-time spectra, band energies, and what restores band energies.

`nacli/envelope/corrections.py` says why band energies are corrected, and codes the corrections.
"""

from __future__ import annotations

import numpy as np

from nacli.types import Complex, Floats

BANDS = 26
BARK_CORNER = 1960
"""Frequency in Hz at which the Bark scale turns from linear to logarithmic (Traunmüller, 1990)."""
MIN_CORRECTION, MAX_CORRECTION = -1.0, 1.8
"""Limits of a correction, in natural logarithms of amplitude ratios: -9 to 16 dB."""
RELATIVE_FLOOR, FINE_RELATIVE_FLOOR = 4e-5, 4e-6
"""Shares of the mean band energy of a span under which a band is not worth a correction: for spans
of several hops, and for those of one hop, which belong to streams with many bits."""
SILENCE_ENERGY = 1e-7
"""Energy under which a band is not worth a correction, on the scale of spectra of full-scale
samples."""


class Spectra:
    """Short-time Fourier transform with bands: windows of one hop, half a hop apart."""

    def __init__(self, hop: int, band_weights: Floats) -> None:
        """`band_weights` [bands, bins] say how much of each bin belongs to each band."""
        self.hop, self.band_weights = hop, band_weights
        self.window: Floats = np.sin(np.pi * (np.arange(hop) + 0.5) / hop).astype(np.float32)
        self.means: Floats = (band_weights / band_weights.sum(1, keepdims=True)).T

    def analyze(self, pcm: Floats) -> Complex:
        """Return the spectra [..., 2 F - 1, bins] of samples [..., F * hop]."""
        halves = pcm.reshape(*pcm.shape[:-1], -1, self.hop // 2)
        blocks = np.concatenate([halves[..., :-1, :], halves[..., 1:, :]], axis=-1)
        return np.fft.rfft(blocks * self.window).astype(np.complex64)

    def synthesize(self, spectra: Complex) -> Floats:
        """Return the samples [F * hop] of spectra [2 F + 1, bins] by overlap-add, without the first
        and the last half hop, which only one window covers."""
        blocks = np.fft.irfft(spectra, self.hop).astype(np.float32) * self.window
        first, second = blocks.reshape(len(blocks), 2, -1).swapaxes(0, 1)
        return (second[:-1] + first[1:]).ravel()

    def energies(self, spectra: Complex) -> Floats:
        """Return the mean energy of each band [..., bands] of spectra [..., bins]."""
        energies: Floats = (np.square(spectra.real) + np.square(spectra.imag)) @ self.means
        return energies


def bark_spectra(hop: int, sample_rate: int) -> Spectra:
    """Return the transform with BANDS triangular bands that are equally wide on the Bark scale
    (Traunmüller, 1990, without the additive constant)."""
    frequencies = np.arange(hop // 2 + 1) * sample_rate / hop
    bark = 26.81 * frequencies / (BARK_CORNER + frequencies)
    position = bark / bark[-1] * (BANDS - 1)
    weights = np.maximum(0, 1 - np.abs(position - np.arange(BANDS)[:, None]))
    return Spectra(hop, weights.astype(np.float32))


class BandEnergyMeter:
    """Measures the band energies of one stream, hop by hop.

    The energy of a hop is the mean over two spectra: its own, and the one half a hop before, which
    the hop completes.
    """

    def __init__(self, channels: int, spectra: Spectra) -> None:
        self._spectra = spectra
        self._before: Floats = np.zeros((channels, spectra.hop), dtype=np.float32)

    def measure(self, pcm: Floats) -> Floats:
        """Return the energies [C, F, bands] of the next samples [C, F * hop]."""
        joined = np.concatenate([self._before, pcm], axis=1)
        self._before = joined[:, -self._spectra.hop :]
        energies = self._spectra.energies(self._spectra.analyze(joined))[:, 1:]
        return energies.reshape(len(pcm), -1, 2, energies.shape[-1]).mean(2)


def relative_floor(span: int) -> float:
    """Return the share of a span's mean band energy under which a band is not worth a correction;
    `span` is its number of hops."""
    return RELATIVE_FLOOR if span > 1 else FINE_RELATIVE_FLOOR


def band_corrections(original: Floats, decoded: Floats, span: int) -> Floats:
    """Return the corrections that give spans of decoded sound the band energies of the original.

    Args:
        original, decoded: band energies [..., F, BANDS] of hops.
        span: hops of a span; the last span may be shorter.

    Returns:
        Natural logarithms of amplitude ratios [..., S, BANDS].
    """
    starts = np.arange(0, original.shape[-2], span)
    lengths = np.diff(starts, append=original.shape[-2])[:, None]
    first, second = (np.add.reduceat(x, starts, axis=-2) / lengths for x in (original, decoded))
    floor = relative_floor(span) * first.mean(-1, keepdims=True) + SILENCE_ENERGY
    corrections: Floats = 0.5 * np.log((first + floor) / (second + floor))
    return corrections.clip(MIN_CORRECTION, MAX_CORRECTION).astype(np.float32)
