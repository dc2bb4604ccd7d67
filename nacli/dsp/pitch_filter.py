"""The pitch filter lowers the coding noise between the harmonics of voices and instruments.

Low frequencies of a periodic sound are averaged with those one period before and one period after,
the more the better they match: a comb filter, as in decoders of speech since Chen and Gersho
(1995). Periods and strengths are estimated from the decoded sound, so they cost no bits. Above
1.5 kHz the filter would remove as much sound as noise.
"""

from __future__ import annotations

import numpy as np

from nacli.dsp.periods import MARGIN, find_periods, low_pass
from nacli.timing import PITCH_FILTER_CONTEXT, PITCH_FILTER_DELAY
from nacli.types import Doubles, Floats, Indices

NEIGHBOUR_WEIGHT = 0.25
"""Weight of the sound one period away, on either side, where sound repeats itself perfectly."""


class PitchFilter:
    """The pitch filter of one stream at the coded rate. Its output is delayed by `DELAY` hops."""

    DELAY = PITCH_FILTER_DELAY
    """Hops after a hop that its filtering depends on: one period, and half a window beside it."""
    REACH = DELAY + PITCH_FILTER_CONTEXT
    """Hops of the past that are kept: those of the delay, and those that a hop depends on."""

    def __init__(self, channels: int, hop: int) -> None:
        self._hop = hop
        assert self.DELAY * hop >= MARGIN, "the delay covers the samples after a hop"
        assert (self.REACH - self.DELAY) * hop >= MARGIN, "the context covers those before it"
        self._past: Floats = np.zeros((channels, self.REACH * hop), dtype=np.float32)

    def process(self, pcm: Floats) -> Floats:
        """Filter the next samples [C, F * hop]; return as many samples, DELAY hops later."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, -self._past.shape[1] :]
        return np.stack([self._filter(channel) for channel in joined])

    def _filter(self, pcm: Floats) -> Floats:
        """Filter samples [T] of one channel, except the first REACH - DELAY and the last DELAY
        hops, which are context."""
        hop, lead = self._hop, (self.REACH - self.DELAY) * self._hop
        if not pcm.any():  # the silence of a gap may last an hour
            return np.zeros(len(pcm) - self.REACH * hop, dtype=np.float32)
        low = np.convolve(pcm, low_pass(), "same")
        positions = np.arange(lead, len(pcm) - self.DELAY * hop + 1, hop)
        columns = zip(*(x.T for x in find_periods(low, positions)), strict=True)
        before, after = (_comb(low, positions, hop, *column) for column in columns)
        return (pcm[lead : lead + len(before)] + before + after).astype(np.float32)


def _comb(
    low: Doubles, positions: Indices, hop: int, offsets: Indices, strengths: Doubles
) -> Doubles:
    """Return the change of each sample by the average with the samples at these offsets, from the
    first position to the last. In each hop the change at its start fades into that at its end."""
    at = positions[:-1, None] + np.arange(hop)
    start, end = (
        NEIGHBOUR_WEIGHT * strengths[part, None] * (low[at + offsets[part, None]] - low[at])
        for part in (slice(None, -1), slice(1, None))
    )
    return (start + np.arange(hop) / hop * (end - start)).ravel()
