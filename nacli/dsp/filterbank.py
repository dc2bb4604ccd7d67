"""Bands of short spectra: their energies, and the corrections that bring these to the original's.

A quantiser at a low rate keeps the waveform of what is strong and loses the energy of the rest.
What the ear minds more is the level of every band, so that is coded apart: once in a few hops (a
span) a code says by how much the bands of decoded sound are to be louder or softer.
"""

from __future__ import annotations

import numpy as np

from nacli.types import Complex, Floats

BANDS = 26
BARK_CORNER = 1960
"""Frequency in Hz at which the Bark scale turns from linear to logarithmic (Traunmüller, 1990)."""
LEAST, MOST = -1.0, 1.8
"""Of a correction, in natural logarithms of amplitudes: -9 to 16 dB."""
FLOOR, FINE_FLOOR, SILENCE = 4e-5, 4e-6, 1e-7
"""Of a span's mean energy, the same of spans of one hop, which are where there are many bits, and
of a spectrum at full scale: bands that are weaker are not worth a correction."""
LOWEST, NOTHING = -12.0, 1e-9
"""Of levels that networks see, in natural logarithms of energies under the highest; and what is
added to energies, so that silence has a logarithm."""


class Spectra:
    """Short spectra of sound and back: windows of a hop, half a hop apart."""

    def __init__(self, hop: int, spread: Floats) -> None:
        """`spread` says which bins make a band, and how much of each [bands, bins]."""
        self.hop, self.spread = hop, spread
        self.window: Floats = np.sin(np.pi * (np.arange(hop) + 0.5) / hop).astype(np.float32)
        self.means: Floats = (spread / spread.sum(1, keepdims=True)).T

    def of(self, pcm: Floats) -> Complex:
        """Spectra [..., 2 F - 1, bins] of samples [..., F * hop]."""
        halves = pcm.reshape(*pcm.shape[:-1], -1, self.hop // 2)
        blocks = np.concatenate([halves[..., :-1, :], halves[..., 1:, :]], axis=-1)
        return np.fft.rfft(blocks * self.window).astype(np.complex64)

    def sound(self, spectra: Complex) -> Floats:
        """Samples [F * hop] between the first and the last half of spectra [2 F + 1, bins]."""
        blocks = np.fft.irfft(spectra, self.hop).astype(np.float32) * self.window
        first, second = blocks.reshape(len(blocks), 2, -1).swapaxes(0, 1)
        return (second[:-1] + first[1:]).ravel()

    def energies(self, spectra: Complex) -> Floats:
        """Mean energies of bands [..., bands] of spectra [..., bins]."""
        energies: Floats = (np.square(spectra.real) + np.square(spectra.imag)) @ self.means
        return energies


def bark_spectra(hop: int, sample_rate: int) -> Spectra:
    """Those with BANDS bands that are as wide as the ear's; each bin lies between two of them."""
    frequencies = np.arange(hop // 2 + 1) * sample_rate / hop
    bark = (
        26.81 * frequencies / (BARK_CORNER + frequencies)
    )  # Traunmüller, 1990, but for a constant
    place = bark / bark[-1] * (BANDS - 1)
    spread = np.maximum(0, 1 - np.abs(place - np.arange(BANDS)[:, None]))
    return Spectra(hop, spread.astype(np.float32))


def against_highest(levels: Floats) -> Floats:
    """Levels [..., n] of energies in natural logarithms, as networks see them: against the highest
    of the n, so that loud and quiet sound look alike."""
    below = np.maximum(levels - levels.max(-1, keepdims=True), LOWEST)
    return below.astype(np.float32) / np.float32(4)


class BandEnergyMeter:
    """Energies of bands in the hops of one stream: a hop has those of its own spectrum and of the
    one before, which it completes."""

    def __init__(self, channels: int, spectra: Spectra) -> None:
        self._spectra = spectra
        self._before: Floats = np.zeros((channels, spectra.hop), dtype=np.float32)

    def measure(self, pcm: Floats) -> Floats:
        """Energies [C, F, bands] of samples [C, F * hop]."""
        joined = np.concatenate([self._before, pcm], axis=1)
        self._before = joined[:, -self._spectra.hop :]
        energies = self._spectra.energies(self._spectra.of(joined))[:, 1:]
        return energies.reshape(len(pcm), -1, 2, energies.shape[-1]).mean(2)


def floor_share(span: int) -> float:
    """Of the mean energy of a span of so many hops, what is not worth a correction."""
    return FLOOR if span > 1 else FINE_FLOOR


def band_corrections(original: Floats, decoded: Floats, span: int) -> Floats:
    """Corrections [..., S, BANDS] that give spans of so many hops the original's energies: of both,
    energies [..., F, BANDS]; the last span may be shorter."""
    starts = np.arange(0, original.shape[-2], span)
    lengths = np.diff(starts, append=original.shape[-2])[:, None]
    first, second = (np.add.reduceat(x, starts, axis=-2) / lengths for x in (original, decoded))
    floor = floor_share(span) * first.mean(-1, keepdims=True) + SILENCE
    wanted: Floats = 0.5 * np.log((first + floor) / (second + floor))
    return wanted.clip(LEAST, MOST).astype(np.float32)
