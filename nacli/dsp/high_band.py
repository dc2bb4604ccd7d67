"""The high band: what lies above the coded signal, as noise at the levels that it had.

The networks' sound ends at 12 kHz. Up there the ear hears how loud it is and when, and hardly what:
a span of frames has a level for each of a few bands, some 100 bits a second for all of them, and
the decoder fills these with noise. Its strength follows within a span what is decoded below, so
that a long span does not smear a cymbal. Only recordings at a higher rate than the coded signal's
have a high band.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nacli.config import CODED_RATE
from nacli.dsp.filterbank import BandEnergyMeter, Spectra, bark_spectra
from nacli.types import Complex, Floats, Integers

if TYPE_CHECKING:
    from nacli.audio import Resampler


RATIO = 2
RATE = RATIO * CODED_RATE
"""Samples a second of the high band: 48,000, of which nothing is below 11.5 kHz."""
EDGES = np.array([153, 180, 200, 227, 260, 294])
"""Of the bands in bins of 75 Hz: 11.5, 13.5, 15, 17, 19.5 and 22 kHz."""
BANDS = len(EDGES) - 1
LEVELS = 40
"""Of a band: none, then from `LOWEST_DB` on in steps of `STEP_DB`."""
LOWEST_DB, STEP_DB = -82.0, 3.0
FAINT = 5e-8
"""Energy of a spectrum's bin under which there is nothing, -98 dB: the dither of 16 bits."""
BELOW = slice(23, 25)
"""Of the bands of `nacli/dsp/filterbank.py`, those below the high band, 6 to 12 kHz, that it follows."""
QUIET = 1.6e-7
"""Added to their energies where levels are taken, -90 dB: what follows nothing is nothing."""
SPANS = ((9, 2), (5, 4), (0, 8))
"""Where a frame of a packet has so many stages, spans have so many frames."""
CHANGE_COST, STEP_COST = 1.0, 0.3
"""What a change of level, and each step of it, costs in squared steps that levels are off."""


def has_high_band(sample_rate: int) -> bool:
    """Whether a recording has sound above the coded signal."""
    return sample_rate > CODED_RATE


def span_frames(counts: Integers) -> int:
    """Frames of the spans of a channel whose frames have stage counts [F]."""
    most = int(counts.max(initial=0))
    return next(frames for stages, frames in SPANS if most >= stages)


def span_count(counts: Integers) -> int:
    """Spans of such a channel."""
    return -(-len(counts) // span_frames(counts))


def frame_levels(levels: Integers | None, counts: Integers) -> Integers:
    """Levels of frames [F, BANDS] from those of spans [S, n] of a channel with stage counts [F]."""
    found = np.zeros((len(counts), BANDS), dtype=np.int32)
    if levels is not None:
        found[:, : levels.shape[1]] = levels.repeat(span_frames(counts), axis=0)[: len(counts)]
    return found


class HighBandAnalyzer:
    """What the encoder hears of a stream's high band; it takes samples at the recording's rate."""

    def __init__(self, resampler: Resampler, channels: int, hop: int) -> None:
        """`resampler` is one to RATE, and `hop` that of the coded signal."""
        self._resampler, self._hop = resampler, RATIO * hop
        self._meter = BandEnergyMeter(channels, Spectra(self._hop, _spread()))
        self._pending: Floats = np.zeros((0, channels), dtype=np.float32)
        self._ended = False

    def ready(self, hops: int) -> bool:
        """Whether so many hops may be taken."""
        return self._ended or len(self._pending) >= hops * self._hop

    def push(self, pcm: Floats) -> None:
        """Samples [T, C] that come next."""
        self._pending = np.concatenate([self._pending, self._resampler.process(pcm)])

    def flush(self) -> None:
        """All have come."""
        self._ended = True
        self._pending = np.concatenate([self._pending, self._resampler.flush()])

    def take(self, hops: int) -> Floats:
        """Energies [C, F, BANDS] of the next hops; there is silence after the end."""
        samples = hops * self._hop
        pcm, self._pending = self._pending[:samples], self._pending[samples:]
        return self._meter.measure(np.pad(pcm, ((0, samples - len(pcm)), (0, 0))).T)


def level_trajectories(high: Floats, below: Floats) -> dict[int, Integers]:
    """Levels [S, n] of a channel by the frames of a span, from energies of its hops: of the high
    band [F, BANDS], and of the bands below it [F, ...]. Bands above the highest that sounds are
    left out."""
    return {frames: _smooth_trajectory(_levels(high, below, frames)) for _, frames in SPANS}


def _levels(high: Floats, below: Floats, frames: int) -> Integers:
    starts = np.arange(0, len(high), frames)
    lengths = np.diff(starts, append=len(high))
    strength = np.add.reduceat(np.sqrt(reference(below) + QUIET), starts) / lengths
    energies = np.add.reduceat(high, starts, axis=0) / lengths[:, None]
    decibels = 10 * np.log10(np.maximum(energies, FAINT) / strength[:, None])
    levels = np.rint((decibels - LOWEST_DB) / STEP_DB).astype(np.int32) + 1
    levels = np.where(energies > FAINT, levels.clip(1, LEVELS - 1), 0)
    sounding = np.flatnonzero(levels.any(axis=0))
    return levels[:, : int(sounding.max(initial=-1)) + 1]


def _smooth_trajectory(levels: Integers) -> Integers:
    """Levels [S, n] that change less often: of all courses that are off by a step at most the one
    that costs least (Viterbi, 1967). Nothing stays nothing."""
    ways = levels[..., None] + np.array([-1, 0, 1])
    allowed = (levels[..., None] == 0) & (ways == 0) | (levels[..., None] > 0) & (ways > 0)
    own = np.where(allowed & (ways < LEVELS), np.array([1.0, 0.0, 1.0]), np.inf)
    cost, before = own[0], []
    for span in range(1, len(levels)):
        step = np.abs(ways[span, :, None] - ways[span - 1, :, :, None])
        total = cost[:, :, None] + CHANGE_COST * (step > 0) + STEP_COST * step
        before.append(total.argmin(1))
        cost = total.min(1) + own[span]
    path = [cost.argmin(1)]
    for best in reversed(before):
        path.append(np.take_along_axis(best, path[-1][:, None], 1)[:, 0])
    found = np.stack(path[::-1])[..., None]
    return np.take_along_axis(ways, found, 2)[..., 0].astype(np.int32)


def reference(energies: Floats) -> Floats:
    """What the high band follows [..., F], of energies [..., F, bands] as `nacli/dsp/filterbank.py` has
    them."""
    followed: Floats = energies[..., BELOW].mean(-1)
    return followed


class HighBandSynthesizer:
    """The high band of one stream in the decoder."""

    def __init__(self, channels: int, hop: int, first: int, late: int) -> None:
        """`hop` is that of the coded signal, `first` the number of the hop that comes first; sound
        comes `late` hops after its levels."""
        self._hop, self._next = RATIO * hop, first
        self._waiting: Integers = np.zeros((channels, late, BANDS), dtype=np.int32)
        self._below = bark_spectra(hop, CODED_RATE)
        self._window = Spectra(self._hop, _spread())
        self._tail: Floats = np.zeros((channels, hop), dtype=np.float32)

    def process(self, pcm: Floats, levels: Integers | None) -> Floats:
        """Finished samples [C, F * hop] of the coded signal, and the levels [C, F, BANDS] that came
        with them, where any did, to samples [C, F * RATIO * hop]."""
        frames = RATIO * pcm.shape[1] // self._hop
        number, self._next = self._next, self._next + frames
        come = np.zeros((len(pcm), frames, BANDS), dtype=np.int32) if levels is None else levels
        joined = np.concatenate([self._waiting, come], axis=1)
        levels, self._waiting = np.split(joined, [frames], axis=1)
        if not levels.any():  # a gap may be an hour of it
            made = np.zeros((len(pcm), RATIO * pcm.shape[1]), dtype=np.float32)
            made[:, : self._tail.shape[1]], self._tail = self._tail, np.zeros_like(self._tail)
            return made
        below = self._followed(pcm)
        decibels = LOWEST_DB + STEP_DB * (levels - 1)
        energies = np.where(levels > 0, 10 ** (decibels / 10), 0) * np.sqrt(below)[..., None]
        # windows overlap by half: the sound of random phases has half the energy of its spectra
        sizes = np.sqrt(2 * energies).astype(np.float32).repeat(2, axis=1)
        bins = np.zeros((*sizes.shape[:2], self._hop // 2 + 1), dtype=np.complex64)
        noise = random_phases(2 * number, *sizes.shape[:2])
        bins[..., EDGES[0] : EDGES[-1]] = sizes.repeat(np.diff(EDGES), axis=-1) * noise
        blocks = np.fft.irfft(bins, self._hop).astype(np.float32) * self._window.window
        first, second = np.split(blocks, 2, axis=-1)
        second = np.concatenate([self._tail[:, None], second], axis=1)
        self._tail = second[:, -1]
        return (first + second[:, :-1]).reshape(len(pcm), -1)

    def _followed(self, pcm: Floats) -> Floats:
        """Energies [C, F] below the high band in each hop alone: noise does not outlast the sound
        by the reach of one more window."""
        hops = pcm.reshape(len(pcm), -1, self._below.hop) * self._below.window
        return reference(self._below.energies(np.fft.rfft(hops).astype(np.complex64)))


def random_phases(number: int, channels: int, spectra: int) -> Complex:
    """Numbers of size one [C, spectra, bins] for spectra from a number on: the same wherever a
    stream is entered (a hash of 32 bits of where each stands)."""
    channel, spectrum, place = np.ogrid[:channels, number : number + spectra, EDGES[0] : EDGES[-1]]
    x = (spectrum * 0x9E3779B1 + place * 0x85EBCA77 + channel * 0xC2B2AE3D).astype(np.uint32)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    angles = (x ^ (x >> np.uint32(16))) * np.float32(2 * np.pi / 2**32)
    return np.exp(1j * angles).astype(np.complex64)


def _spread() -> Floats:
    """Which bins each band has [BANDS, bins]."""
    bins = np.arange(RATE // 75 // 2 + 1)
    return ((bins >= EDGES[:-1, None]) & (bins < EDGES[1:, None])).astype(np.float32)
