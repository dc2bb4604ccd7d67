"""Static tables of the high band, counted over recordings at their own sample rate.

The corpus is kept at 24 kHz, where there is no high band.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from nacli.audio import Resampler
from nacli.bench.clips import resample
from nacli.checkpoint import HIGH_BAND
from nacli.config import CODED_RATE
from nacli.dsp.filterbank import BandEnergyMeter, bark_spectra
from nacli.dsp.high_band import BANDS, LEVELS, RATE, RATIO, SPAN_FRAMES
from nacli.dsp.high_band_analysis import HighBandAnalyzer, level_trajectories
from nacli.entropy import frequencies
from nacli.entropy.high_band import CONTEXTS, level_differences
from nacli.tensor_file import Tensors

PACKET = 150
"""Frames of a packet."""


def high_band_packets(pcm: NDArray[np.float32], hop: int) -> Iterator[NDArray[np.int32]]:
    """Yield the high-band levels [S, n] of the packets of a recording [T, 1] at RATE, for every
    length of spans."""
    coded = resample(pcm, RATE, CODED_RATE)
    analyzer = HighBandAnalyzer(Resampler(RATE, RATE, 1), 1, hop)
    analyzer.push(pcm)
    frames = min(len(coded) // hop, len(pcm) // (RATIO * hop))
    below = BandEnergyMeter(1, bark_spectra(hop, CODED_RATE)).measure(coded[: frames * hop].T)[0]
    high = analyzer.take(frames)[0]
    for start in range(0, frames, PACKET):
        part = slice(start, start + PACKET)
        for _, span in SPAN_FRAMES:
            yield level_trajectories(high[part], below[part], span)


def high_band_tables(packets: Iterable[NDArray[np.int32]]) -> Tensors:
    """Return the tables of packets of levels [S, n]; levels that never occurred stay possible."""
    numbers = np.ones((1, BANDS + 1), dtype=np.int64)
    counts = np.ones((CONTEXTS, 2 * LEVELS - 1), dtype=np.int64)
    for levels in packets:
        numbers[0, levels.shape[1]] += 1
        rows, steps = level_differences(levels)
        np.add.at(counts, (rows, steps + LEVELS - 1), 1)
    tables = (frequencies(numbers), frequencies(counts))
    return {name: table.astype(np.uint32) for name, table in zip(HIGH_BAND, tables, strict=True)}
