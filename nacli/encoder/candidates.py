"""Candidates for a packet: the codes of one allocation level, then the corrections that fit them.

Nothing here changes a state: what the encoder learns from a candidate is part of the candidate, and
only the packet that is kept counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from nacli.checkpoint import Model
from nacli.dsp.high_band import span_frames as high_band_span
from nacli.encoder.code_search import CodeSearch, SearchResult, rate_costs, select
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket, SizePrediction
from nacli.encoder.settings import EFFORTS
from nacli.entropy import ChannelCodes, angle_bits
from nacli.quantizer.allocation import highest_level, packet_counts, packet_levels
from nacli.types import Doubles, Integers

Value = TypeVar("Value")

LOUD_GAIN_STEPS = 24
"""Gain steps (36 dB) below a packet's peak within which frames count for a sufficient SNR."""


@dataclass(frozen=True)
class Candidate:
    """A packet at one allocation level, without corrections.

    `placed` is what the entropy model has found of the codes of each channel, `bits` the size of
    angles, gains, codes and high band.
    """

    level: int
    channels: list[ChannelCodes]
    placed: list[Doubles]
    bits: float

    @property
    def counts(self) -> Integers:
        """Stage counts [C, F]."""
        return np.stack([channel.counts for channel in self.channels])


class CandidateMaker:
    """Makes candidates of packets for one stream's settings."""

    def __init__(self, model: Model, effort: int) -> None:
        self._model = model
        costs = rate_costs(model.codebooks, model.tables)
        self._code_search = CodeSearch(model.codebooks, EFFORTS[effort], costs)
        self.highest_level = highest_level(model.codebooks.stages)

    def search(self, analysis: PacketAnalysis, level: int) -> SearchedPacket:
        """Search the codes of a packet up to an allocation level. This takes most of the time."""
        depths = self.counts(analysis.gains, level)
        channels, frames, dim = analysis.latents.shape
        joined = analysis.latents.reshape(-1, dim)  # short packets of several channels in one block
        result = self._code_search.search(joined, depths.ravel())
        parts = (slice(row * frames, (row + 1) * frames) for row in range(channels))
        results = [SearchResult(result.paths[:, p], result.errors[:, p]) for p in parts]
        return SearchedPacket(analysis, level, results)

    def make(self, packet: SearchedPacket, level: int) -> Candidate:
        """Return the candidate of a packet at an allocation level."""
        analysis, entropy = packet.analysis, self._model.entropy
        counts = self.counts(analysis.gains, level)
        channels = _channels(analysis.gains, packet.results, counts)
        if analysis.high_band:
            rows = zip(channels, analysis.high_band, strict=True)
            channels = [replace(row, high=at_span(high, row.counts)) for row, high in rows]
        placed = entropy.place_codes(channels)
        bits = sum(map(entropy.placed_bits, placed)) + sum(map(entropy.side_bits, channels))
        bits += angle_bits(analysis.angles)
        return Candidate(level, channels, placed, bits)

    def sufficient_level(self, packet: SearchedPacket, snr_db: float, highest: int) -> int:
        """Return the lowest level up to `highest` whose latents have this signal-to-noise ratio;
        `highest` where none has. The search assumes that more stages leave a smaller error; the few
        exceptions do not matter here."""
        gains, results = packet.analysis.gains, packet.results
        loud = gains > max(0, int(gains.max()) - LOUD_GAIN_STEPS)
        signal = sum(float(r.errors[0, row].sum()) for r, row in zip(results, loud, strict=True))

        def snr(level: int) -> float:
            rows = zip(results, loud, self.counts(gains, level), strict=True)
            noise = sum(float(r.errors[c[row], row.nonzero()[0]].sum()) for r, row, c in rows)
            return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else math.inf

        return bisect_left(range(highest), snr_db, key=snr)

    def predict_sizes(self, packet: SearchedPacket, max_level: int) -> SizePrediction:
        """Predict the bits of allocation levels up to `max_level` from the codes at `max_level`:
        the first codes of a frame take about the bits of its codes at a lower level."""
        entropy, gains = self._model.entropy, packet.analysis.gains
        channels = _channels(gains, packet.results, self.counts(gains, max_level))
        sums = [np.pad(row.cumsum(1), ((0, 0), (1, 0))) for row in entropy.packet_bits(channels)]
        side_bits = angle_bits(packet.analysis.angles) + self.gain_bits(gains)
        high = [
            {span: entropy.high.bits(levels) for span, levels in row.items()}
            for row in packet.analysis.high_band
        ]

        def total(counts: Integers) -> float:
            rows = (row[np.arange(len(row)), c] for row, c in zip(sums, counts, strict=True))
            side = sum(at_span(row, c) for row, c in zip(high, counts, strict=bool(high)))
            return side_bits + side + sum(float(row.sum()) for row in rows)

        return SizePrediction(max_level, total)

    def gain_bits(self, gains: Integers) -> float:
        """Return the bits of gains [C, F]."""
        return sum(self._model.entropy.gains.bits(row) for row in gains)

    def average_bits(self, counts: Integers) -> float:
        """Return the bits that average codes of stage counts [C, F] take."""
        total = np.concatenate([[0.0], np.cumsum(self._model.entropy.mean_code_bits)])
        return float(total[counts].sum())

    def highest_fitting(
        self, gains: Integers, size: Callable[[Integers, int], float], limit: float, highest: int
    ) -> int:
        """Return the highest level up to `highest` at which the packet has at most the size
        `limit`, which `size` gives for stage counts and level; 0 where none has."""
        return bisect_right(
            range(1, highest + 1), limit, key=lambda level: size(self.counts(gains, level), level)
        )

    def counts(self, gains: Integers, level: int) -> Integers:
        """Return stage counts [C, F] of gains [C, F] at an allocation level."""
        levels = packet_levels(level, len(gains))
        return packet_counts(gains, levels, self._model.codebooks.stages)


def _channels(gains: Integers, results: list[SearchResult], counts: Integers) -> list[ChannelCodes]:
    """Return the best codes for stage counts [C, F], by channel."""
    rows = zip(results, gains, counts, strict=True)
    return [ChannelCodes(row, select(r.paths, count), count) for r, row, count in rows]


def at_span(by_span: dict[int, Value], counts: Integers) -> Value:
    """Return the entry for the high-band span length of a channel with stage counts [F]."""
    return by_span[high_band_span(counts)]
