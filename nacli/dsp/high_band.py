"""The high band: bands, levels and spans, which analysis and synthesis share.

The networks code a signal up to 12 kHz. Above that the ear notices the energy and its timing, and
hardly the waveform. So each span of frames carries one level for each of a few bands, in all some
100 bits a second, and the decoder fills these bands with noise. Within a span the noise follows the
energy of the decoded signal below, so that a long span does not smear a cymbal. Only recordings
at a higher rate than that of the coded signal have a high band.
"""

from __future__ import annotations

import numpy as np

from nacli.config import CODED_RATE
from nacli.types import Floats, Integers

RATIO = 2
RATE = RATIO * CODED_RATE
"""Sample rate of the high band in Hz: 48,000. The high band is silent below 11.5 kHz."""
BAND_EDGES = np.array([153, 180, 200, 227, 260, 294])
"""Edges of the bands in bins of 75 Hz: 11.5, 13.5, 15, 17, 19.5 and 22 kHz."""
BANDS = len(BAND_EDGES) - 1
LEVELS = 40
"""Number of levels of a band: level 0 is silence, level 1 is `LOWEST_DB`, and each further level is
`STEP_DB` higher."""
LOWEST_DB, STEP_DB = -82.0, 3.0
FOLLOWED_OFFSET = 1.6e-7
"""Energy that is added to the followed energy, that of white noise at -90 dB: sound that is in the
high band alone has a level, and where the coded signal is silent for a moment, it is low."""
FOLLOWED_BANDS = slice(23, 25)
"""The bands of `nacli/dsp/filterbank.py` whose energy the high band follows: 6 to 12 kHz."""
SPAN_FRAMES = ((9, 2), (5, 4), (0, 8))
"""Pairs of a stage count and a span length in frames. The first pair applies whose stage count the
frames of a packet reach: with more bits for the codes, spans are shorter."""


def has_high_band(sample_rate: int) -> bool:
    """Return whether a recording at this rate has sound above the coded signal."""
    return sample_rate > CODED_RATE


def span_frames(counts: Integers) -> int:
    """Return the span length in frames of a channel whose frames have stage counts [F]."""
    largest = int(counts.max(initial=0))
    return next(frames for stages, frames in SPAN_FRAMES if largest >= stages)


def span_count(counts: Integers) -> int:
    """Return the number of spans of a channel whose frames have stage counts [F]; the last span
    may be shorter."""
    return -(-len(counts) // span_frames(counts))


def frame_levels(levels: Integers | None, counts: Integers) -> Integers:
    """Return the levels of each frame [F, BANDS] of a channel with stage counts [F], from those of
    its spans [S, n]. Bands from n on are silent, and so are all bands where `levels` is None."""
    by_frame = np.zeros((len(counts), BANDS), dtype=np.int32)
    if levels is not None:
        repeated = levels.repeat(span_frames(counts), axis=0)
        by_frame[:, : levels.shape[1]] = repeated[: len(counts)]
    return by_frame


def followed_energy(energies: Floats) -> Floats:
    """Return the energy that the high band follows [...], from the energies [..., bands] of the
    bands of `nacli/dsp/filterbank.py`."""
    followed: Floats = energies[..., FOLLOWED_BANDS].mean(-1)
    return followed


def band_weights() -> Floats:
    """Return the weight of each bin in each band [BANDS, bins]: 1 inside the band, else 0."""
    bins = np.arange(RATE // 75 // 2 + 1)
    inside = (bins >= BAND_EDGES[:-1, None]) & (bins < BAND_EDGES[1:, None])
    return inside.astype(np.float32)
