"""The rate loop: the allocation level and the corrections with which a packet fits its budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from nacli.checkpoint import Model
from nacli.encoder.candidates import Candidate, CandidateMaker, Estimates
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket, SizePrediction
from nacli.envelope.corrections import span_count
from nacli.format import packet_cost
from nacli.types import Integers

SAFETY = 1.005
"""Factor on predicted bits: another attempt costs more than bits that wait for the next packet."""
EXTRA_LEVELS = 6
"""Levels above the one at which codes of average size would fit that are scored as well."""
ENOUGH_EXTRA_LEVELS = 2
"""Of these, the number that suffices where codes have been scored ahead."""
CODER_SLACK = 16.0
"""Bits by which a payload may exceed the information content of its symbols."""
UNUSED_SHARE = 0.1
"""Share of the corrections' bits that may stay unused; more than that goes into corrections."""
SCALE_ATTEMPTS = 2
"""Attempts at a scale of the rate-distortion weight that makes corrections fill a budget."""
SCALE_EXPONENT, MAX_SCALE = 1.5, 4.0
"""The weight is scaled by the ratio of bits to room to this power, by at most this factor."""


@dataclass(frozen=True)
class FittedPacket:
    """A candidate that fits, and its payload."""

    candidate: Candidate
    payload: bytes


class RateLoop:
    """Fits packets to budgets. Holds no state of a stream: see `Estimates`."""

    def __init__(self, model: Model, maker: CandidateMaker, packet_frames: int) -> None:
        """`packet_frames` is what the header says."""
        self._model, self._maker, self._packet_frames = model, maker, packet_frames

    def search_ahead(self, analysis: PacketAnalysis, budget: float) -> SearchedPacket:
        """Search and score the codes of a packet whose share of the rate is `budget` bytes. A
        packet may get more than its share, so codes are searched deeper."""
        usual = self._typical_level(analysis.gains, budget)
        packet = self._maker.search(analysis, usual + 2 * EXTRA_LEVELS)
        deepest = min(self._maker.highest_level, usual + EXTRA_LEVELS)
        return replace(packet, sizes=self._maker.predict_sizes(packet, deepest))

    def fit(
        self, packet: SearchedPacket, budget: int, snr_db: float, before: Estimates
    ) -> FittedPacket:
        """The packet at the highest level that fits a budget in bytes, or at a lower one that
        reaches this signal-to-noise ratio. Corrections are fitted to the bits that the codes
        leave."""
        gains = packet.analysis.gains
        packet, sizes = self._with_sizes(packet, budget)
        highest = self._maker.sufficient_level(packet, snr_db, sizes.deepest)
        estimates, target = before, float(budget)
        while True:
            level = self._level(gains, sizes, target, highest, estimates)
            candidate = self._maker.make(packet, level, before=estimates)
            predicted = sizes.bits(self._maker.counts(gains, level))
            likely = estimates.code_share * predicted
            fitted = self._filled(candidate, likely, budget, grows=level < highest)
            candidate, payload = fitted.candidate, fitted.payload
            taken = 8 * len(payload) - candidate.correction_bits
            after = _learned(candidate.after, predicted, taken)
            excess = self._packet_bytes(8 * len(payload), gains) - budget
            if excess <= 0 or level == 0:
                return FittedPacket(replace(candidate, after=after), payload)
            # What the attempt says about sizes counts; its packet does not.
            estimates = replace(after, decoder=before.decoder)
            target, highest = target - excess, level - 1

    def _with_sizes(
        self, packet: SearchedPacket, budget: int
    ) -> tuple[SearchedPacket, SizePrediction]:
        """The packet searched and scored as deep as the budget may need."""
        usual, sizes = self._typical_level(packet.analysis.gains, budget), packet.sizes
        if sizes is not None and usual + ENOUGH_EXTRA_LEVELS <= sizes.deepest:
            return packet, sizes
        deepest = min(self._maker.highest_level, usual + EXTRA_LEVELS)
        if deepest > packet.depth:
            packet = self._maker.search(packet.analysis, deepest)
        return packet, self._maker.predict_sizes(packet, deepest)

    def _level(
        self,
        gains: Integers,
        sizes: SizePrediction,
        target: float,
        highest: int,
        estimates: Estimates,
    ) -> int:
        """The highest level that is predicted to fit `target` bytes."""

        def predicted(counts: Integers) -> float:
            bits = SAFETY * estimates.code_share * sizes.bits(counts) + CODER_SLACK
            if self._model.codebooks.corrections:
                spans = sum(span_count(row, self._model.config) for row in counts)
                bits += spans * estimates.span_bits
            return self._packet_bytes(bits, counts)

        return self._maker.highest_fitting(gains, predicted, target, highest)

    def _filled(
        self, candidate: Candidate, likely: float, budget: int, grows: bool
    ) -> FittedPacket:
        """The candidate with corrections that fill a budget in bytes where its gains and codes take
        `likely` bits; once more where they turn out to take another number."""
        gains = np.stack([channel.gains for channel in candidate.channels])
        for _ in range(2):
            room = 8 * (budget - self._packet_bytes(likely + CODER_SLACK, gains))
            candidate = self._fill(candidate, room, grows)
            payload = self._model.entropy.compress(candidate.channels)
            if self._packet_bytes(8 * len(payload), gains) <= budget:
                break
            likely = 8 * len(payload) - candidate.correction_bits - CODER_SLACK
        return FittedPacket(candidate, payload)

    def _fill(self, candidate: Candidate, room: float, grows: bool) -> Candidate:
        """The candidate with corrections that take nearly the bits that there is room for, and no
        more than usual where it is not to grow. This takes less time than another level."""
        taken = candidate.correction_bits
        unused = room > (1 + UNUSED_SHARE) * taken
        if not taken or (taken <= room and not (grows and unused)):
            return candidate
        best, scale = candidate, 1.0
        for _ in range(SCALE_ATTEMPTS):
            ratio = (taken / max(room, 1.0)) ** SCALE_EXPONENT
            scale *= min(MAX_SCALE, max(1 / MAX_SCALE, ratio))
            attempt = self._maker.with_corrections(candidate, scale)
            taken = attempt.correction_bits
            if taken <= room:
                return attempt
            if taken < best.correction_bits:
                best = attempt
        return best

    def _typical_level(self, gains: Integers, budget: float) -> int:
        """The level at which a packet of average codes takes a budget in bytes."""
        limit, highest = 8 * 1.1 * budget, self._maker.highest_level
        return self._maker.highest_fitting(gains, self._maker.average_bits, limit, highest)

    def _packet_bytes(self, payload_bits: float, rows: Integers) -> int:
        """Bytes of a packet of `rows` [C, F] with such a payload."""
        payload = math.ceil(payload_bits / 8)
        return packet_cost(len(rows), payload, rows.shape[1], self._packet_frames)


def _learned(estimates: Estimates, predicted: float, taken: float) -> Estimates:
    """The estimates after a packet whose gains and codes took `taken` bits."""
    if predicted <= 0 or taken <= CODER_SLACK:
        return estimates
    share = estimates.code_share
    share += ((taken - CODER_SLACK / 2) / predicted - share) / 2
    return replace(estimates, code_share=share)
