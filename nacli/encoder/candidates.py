"""Candidates for a packet: the codes of one allocation level, then the corrections that fit them.

Nothing here changes a state: what the encoder learns from a candidate is part of the candidate, and
only the packet that is kept counts.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from nacli.checkpoint import Model
from nacli.dsp.high_band import span_frames as high_band_span
from nacli.encoder.code_search import CodeSearch, SearchResult, rate_costs, select
from nacli.encoder.correction_sizes import CorrectionSizes
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket, SizePrediction
from nacli.encoder.settings import EFFORTS
from nacli.entropy import ChannelCodes, angle_bits
from nacli.quantizer.allocation import highest_level
from nacli.types import Doubles, Integers

LOUD_GAIN_STEPS = 24
"""Gain steps (36 dB) below a packet's peak within which frames count for a sufficient SNR."""


@dataclass(frozen=True)
class Candidate:
    """A packet at one allocation level, with stage counts [C, F] and without corrections.

    `placed` is what the entropy model has found of the codes of each channel, `bits` the size of
    angles, gains, codes and high band, and `correction_bits` that of corrections of the usual
    weight, on average.
    """

    level: int
    counts: Integers
    channels: list[ChannelCodes]
    placed: list[Doubles]
    bits: float
    correction_bits: float


class CandidateMaker:
    """Makes candidates of packets for one stream's settings."""

    def __init__(self, model: Model, effort: int) -> None:
        self._model, self._correction_sizes = model, CorrectionSizes(model)
        costs = rate_costs(model.codebooks, model.tables)
        self._code_search = CodeSearch(model.codebooks, EFFORTS[effort], costs)
        self.highest_level = highest_level(model.codebooks.stages)
        self._average_bits = np.concatenate([[0.0], np.cumsum(model.entropy.mean_code_bits)])

    def search(self, analysis: PacketAnalysis, level: int) -> SearchedPacket:
        """Search the codes of a packet up to an allocation level. This takes most of the time."""
        depths = analysis.counts(level)
        channels, frames, dim = analysis.latents.shape
        joined = analysis.latents.reshape(-1, dim)  # short packets of several channels in one block
        result = self._code_search.search(joined, depths.ravel())
        parts = (slice(row * frames, (row + 1) * frames) for row in range(channels))
        results = [SearchResult(result.paths[:, p], result.errors[:, p]) for p in parts]
        return SearchedPacket(analysis, level, results)

    def make(self, packet: SearchedPacket, level: int) -> Candidate:
        """Return the candidate of a packet at an allocation level."""
        analysis, entropy = packet.analysis, self._model.entropy
        counts = analysis.counts(level)
        channels = _channels(analysis.gains, packet.results, counts)
        if analysis.high_band:
            rows = zip(channels, analysis.high_band, strict=True)
            channels = [replace(row, high=high(high_band_span(row.counts))) for row, high in rows]
        placed = entropy.place_codes(channels)
        bits = sum(map(entropy.placed_bits, placed)) + sum(map(entropy.side_bits, channels))
        bits += angle_bits(analysis.angles)
        correction_bits = self._correction_sizes.bits(counts, level)
        return Candidate(level, counts, channels, placed, bits, correction_bits)

    def sufficient_level(self, packet: SearchedPacket, snr_db: float, highest: int) -> int:
        """Return the lowest level up to `highest` whose latents have this signal-to-noise ratio;
        `highest` where none has. The search assumes that more stages leave a smaller error; the few
        exceptions do not matter here."""
        gains, counts = packet.analysis.gains, packet.analysis.counts
        least = max(0, int(gains.max()) - LOUD_GAIN_STEPS)
        loud = [np.flatnonzero(row > least) for row in gains]
        rows = list(zip(packet.results, loud, strict=True))
        signal = sum(float(r.errors[0, frames].sum()) for r, frames in rows)

        def snr(level: int) -> float:
            by_row = zip(rows, counts(level), strict=True)
            noise = sum(float(r.errors[c[frames], frames].sum()) for (r, frames), c in by_row)
            return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else math.inf

        return bisect_left(range(highest), snr_db, key=snr)

    def predict_sizes(self, packet: SearchedPacket, max_level: int) -> SizePrediction:
        """Predict the bits of allocation levels up to `max_level` from the codes at `max_level`:
        the first codes of a frame take about the bits of its codes at a lower level."""
        entropy, gains = self._model.entropy, packet.analysis.gains
        counts = packet.analysis.counts
        channels = _channels(gains, packet.results, counts(max_level))
        bits = np.stack(entropy.packet_bits(channels))
        sums = np.concatenate([np.zeros_like(bits[..., :1]), bits.cumsum(2)], axis=2)
        rows, frames = np.ogrid[: len(gains), : gains.shape[1]]
        side_bits = angle_bits(packet.analysis.angles) + self.gain_bits(gains)
        high = [
            cache(lambda span, levels=levels: entropy.high.bits(levels(span)))
            for levels in packet.analysis.high_band
        ]

        @cache
        def code_bits(level: int) -> float:
            own = counts(level)
            side = sum(row(high_band_span(c)) for row, c in zip(high, own, strict=bool(high)))
            return side_bits + side + sum(sums[rows, frames, own].sum(1).tolist())

        @cache
        def correction_bits(level: int) -> float:
            return self._correction_sizes.bits(counts(level), level)

        return SizePrediction(max_level, code_bits, correction_bits)

    def typical_bits(self, analysis: PacketAnalysis, level: int) -> float:
        """Return the bits of average codes and corrections of a packet at an allocation level."""
        counts = analysis.counts(level)
        return float(self._average_bits[counts].sum()) + self._correction_sizes.bits(counts, level)

    def gain_bits(self, gains: Integers) -> float:
        """Return the bits of gains [C, F]."""
        return sum(self._model.entropy.gains.bits(row) for row in gains)


def _channels(gains: Integers, results: list[SearchResult], counts: Integers) -> list[ChannelCodes]:
    """Return the best codes for stage counts [C, F], by channel."""
    rows = zip(results, gains, counts, strict=True)
    return [ChannelCodes(row, select(r.paths, count), count) for r, row, count in rows]
