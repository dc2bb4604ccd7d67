"""Analysis of the high band in the encoder: band energies, and the levels that code them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from nacli.dsp.filterbank import BandEnergyMeter, Spectra
from nacli.dsp.high_band import (
    BAND_EDGES,
    FOLLOWED_OFFSET,
    LEVELS,
    LOWEST_DB,
    RATIO,
    STEP_DB,
    band_weights,
    followed_energy,
)
from nacli.dsp.trajectory import smooth_trajectory
from nacli.types import Complex, Floats, Integers

SILENCE_ENERGY = 5e-8
"""Mean energy of a bin up to which a band counts as silent: that of white noise at -98 dB, such as
the dither of 16-bit recordings."""
LEVEL_REACH = 1
"""Largest difference between a smoothed level and the measured one."""
CHANGE_COST, STEP_COST = 1.0, 0.3
"""Costs of a change of level, and of each step of the change, in squared level steps."""


class Resampler(Protocol):
    """A sample-rate converter of one stream."""

    def process(self, pcm: Floats) -> Floats:
        """Convert the next samples [T, C]."""

    def flush(self) -> Floats:
        """Return the last samples [T, C], which the converter held back."""


class HighBandAnalyzer:
    """Measures the band energies of one stream's high band, hop by hop."""

    def __init__(self, resampler: Resampler, channels: int, hop: int) -> None:
        """Start a stream.

        Args:
            resampler: converter from the rate of the recording to `high_band.RATE`.
            channels: number of channels.
            hop: hop of the coded signal in samples.
        """
        self._resampler, self._hop = resampler, RATIO * hop
        self._spectra = Spectra(self._hop, band_weights())
        self._meter = BandEnergyMeter(channels, self._spectra)
        self._pending: Floats = np.zeros((0, channels), dtype=np.float32)
        self._ended = False

    def ready(self, hops: int) -> bool:
        """Return whether the energies of the next hops can be taken."""
        return self._ended or len(self._pending) >= hops * self._hop

    def push(self, pcm: Floats) -> None:
        """Add samples [T, C] at the rate of the recording."""
        self._pending = np.concatenate([self._pending, self._resampler.process(pcm)])

    def flush(self) -> None:
        """End the stream: no more samples follow."""
        self._ended = True
        self._pending = np.concatenate([self._pending, self._resampler.flush()])

    def take(self, hops: int) -> Floats:
        """Return the energies [C, F, BANDS] of the next hops."""
        return self.measure(self.samples(hops))

    def samples(self, hops: int) -> Floats:
        """Return the samples [T, C] of the next hops, at `high_band.RATE`, for `measure`; after the
        end there is silence."""
        samples = hops * self._hop
        pcm, self._pending = self._pending[:samples], self._pending[samples:]
        return np.pad(pcm, ((0, samples - len(pcm)), (0, 0)))

    def measure(self, pcm: Floats) -> Floats:
        """Return the energies [C, F, BANDS] of the hops of `samples`, rotated or as they are."""
        return self._meter.measure(pcm.T)

    def bins(self, pcm: Floats) -> Complex:
        """Return the bins [F, bins, C] of the high band in the spectra of hops of samples [T, C],
        without overlap."""
        hops = pcm.T.reshape(pcm.shape[1], -1, self._hop) * self._spectra.window
        bins = np.fft.rfft(hops)[..., BAND_EDGES[0] : BAND_EDGES[-1]].astype(np.complex64)
        return np.moveaxis(bins, 0, -1)


def level_trajectories(high: Floats, below: Floats, frames: int) -> Integers:
    """Return the levels [S, n] of one channel in spans of this number of frames.

    Silent bands above the highest band with sound are left out.

    Args:
        high: energies [F, BANDS] of the high band.
        below: energies [F, bands] of the coded signal, as `nacli/dsp/filterbank.py` measures them.
        frames: the length of a span.
    """
    levels = _span_levels(high, below, frames)
    return smooth_trajectory(levels, LEVEL_REACH, CHANGE_COST, STEP_COST, LEVELS - 1)


def _span_levels(high: Floats, below: Floats, frames: int) -> Integers:
    """Return the nearest levels [S, n] for spans of this number of frames."""
    starts = np.arange(0, len(high), frames)
    lengths = np.minimum(frames, len(high) - starts)
    followed = np.sqrt(followed_energy(below) + FOLLOWED_OFFSET)
    followed = np.add.reduceat(followed, starts) / lengths
    energies = np.add.reduceat(high, starts, axis=0) / lengths[:, None]
    decibels = 10 * np.log10(np.maximum(energies, SILENCE_ENERGY) / followed[:, None])
    levels = np.rint((decibels - LOWEST_DB) / STEP_DB).astype(np.int32) + 1
    levels = np.where(energies > SILENCE_ENERGY, levels.clip(1, LEVELS - 1), 0)
    with_sound = np.flatnonzero(levels.any(axis=0))
    return levels[:, : int(with_sound.max(initial=-1)) + 1]
