"""Synthesis of the high band in the decoder: noise at the coded levels."""

from __future__ import annotations

import numpy as np

from nacli.config import CODED_RATE
from nacli.dsp.filterbank import Spectra, bark_spectra
from nacli.dsp.high_band import (
    BAND_EDGES,
    BANDS,
    FOLLOWED_OFFSET,
    LOWEST_DB,
    RATIO,
    STEP_DB,
    band_weights,
    followed_energy,
)
from nacli.types import Complex, Doubles, Floats, Integers


class HighBandSynthesizer:
    """Synthesises the high band of one stream, hop by hop."""

    def __init__(self, channels: int, hop: int, first_hop: int, delay: int) -> None:
        """Start a stream.

        Args:
            channels: number of channels.
            hop: hop of the coded signal in samples.
            first_hop: number of the hop that comes out first.
            delay: hops from the arrival of a frame's levels to the samples that they belong to.
        """
        self._hop, self._next = RATIO * hop, first_hop
        self._pending: Integers = np.zeros((channels, delay, BANDS), dtype=np.int32)
        self._below = bark_spectra(hop, CODED_RATE)
        self._window = Spectra(self._hop, band_weights()).window
        self._tail: Floats = np.zeros((channels, hop), dtype=np.float32)

    def process(self, pcm: Floats, levels: Integers | None) -> Floats:
        """Return the samples of the high band [C, F * RATIO * hop].

        Args:
            pcm: finished samples [C, F * hop] of the coded signal.
            levels: levels [C, F, BANDS] that arrived with these samples; None for silence.
        """
        first, levels = self._next, self._delayed(levels, RATIO * pcm.shape[1] // self._hop)
        self._next += levels.shape[1]
        if not levels.any():  # the silence of a gap may last an hour: it takes no transforms
            pcm_out = np.zeros((len(pcm), RATIO * pcm.shape[1]), dtype=np.float32)
            pcm_out[:, : self._tail.shape[1]] = self._tail
            self._tail = np.zeros_like(self._tail)
            return pcm_out
        decibels = LOWEST_DB + STEP_DB * (levels - 1)
        followed = np.sqrt(self._followed_energies(pcm) + FOLLOWED_OFFSET)[..., None]
        return self._noise(np.where(levels > 0, 10 ** (decibels / 10), 0) * followed, first)

    def _delayed(self, levels: Integers | None, frames: int) -> Integers:
        """Return the levels [C, F, BANDS] of the samples that come out now."""
        if levels is None:
            levels = np.zeros((len(self._pending), frames, BANDS), dtype=np.int32)
        joined = np.concatenate([self._pending, levels], axis=1)
        levels, self._pending = np.split(joined, [frames], axis=1)
        return levels

    def _followed_energies(self, pcm: Floats) -> Floats:
        """Return the energies [C, F] of the coded signal in each hop alone: with overlapping
        windows the noise would outlast the sound."""
        hops = pcm.reshape(len(pcm), -1, self._below.hop) * self._below.window
        return followed_energy(self._below.energies(np.fft.rfft(hops).astype(np.complex64)))

    def _noise(self, energies: Doubles, first_hop: int) -> Floats:
        """Return noise [C, F * RATIO * hop] with these energies of bins [C, F, BANDS]."""
        # windows overlap by half: with random phases, sound has half the energy of its spectra
        magnitudes = np.sqrt(2 * energies).astype(np.float32).repeat(2, axis=1)
        bins = np.zeros((*magnitudes.shape[:2], self._hop // 2 + 1), dtype=np.complex64)
        phases = random_phases(2 * first_hop, *magnitudes.shape[:2])
        bins[..., BAND_EDGES[0] : BAND_EDGES[-1]] = (
            magnitudes.repeat(np.diff(BAND_EDGES), axis=-1) * phases
        )
        blocks = np.fft.irfft(bins, self._hop).astype(np.float32) * self._window
        first, second = np.split(blocks, 2, axis=-1)
        second = np.concatenate([self._tail[:, None], second], axis=1)
        self._tail = second[:, -1]
        return (first + second[:, :-1]).reshape(len(energies), -1)


def random_phases(first: int, channels: int, spectra: int) -> Complex:
    """Return pseudo-random complex numbers of magnitude 1 [C, spectra, bins] for the spectra from
    number `first` on.

    Each is a 32-bit hash of its position in the stream, so that the noise is the same wherever a
    decoder starts.
    """
    channel, spectrum, frequency_bin = np.ogrid[
        :channels, first : first + spectra, BAND_EDGES[0] : BAND_EDGES[-1]
    ]
    x = spectrum * 0x9E3779B1 + frequency_bin * 0x85EBCA77 + channel * 0xC2B2AE3D
    x = x.astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    angles = (x ^ (x >> np.uint32(16))) * np.float32(2 * np.pi / 2**32)
    return np.exp(1j * angles).astype(np.complex64)
