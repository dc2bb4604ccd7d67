"""The rate loop: the allocation level and the corrections with which a packet fits its budget.

The level is chosen by predicted sizes; the size of the codes is then known exactly, before anything
is decoded, and corrections fill the room that is left. A packet is decoded locally once, and again
only where its corrections turn out not to fit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import partial

from nacli.checkpoint import Model
from nacli.encoder.candidates import Candidate, CandidateMaker
from nacli.encoder.correction_sizes import correction_weight
from nacli.encoder.envelope_coder import USUAL, CodedEnvelope, EnvelopeCoder
from nacli.encoder.local_decoder import LocalDecoder
from nacli.encoder.packet_analysis import PacketAnalysis, SearchedPacket, SizePrediction
from nacli.entropy import PacketCodes
from nacli.format import packet_cost
from nacli.types import Integers

SAFETY = 1.005
"""Factor on predicted bits: another attempt costs more than bits that wait for the next packet."""
BUDGET_MARGIN = 1.1
"""Factor of the budget at which codes and corrections of average size are searched."""
EXTRA_LEVELS = 6
"""Levels above the one at which a packet of average size would fit that are searched as well."""
DEEPER_LEVELS = 16
"""Levels by which the search goes on where the budget allows more than has been searched; each
further time, four times as many."""
CODER_SLACK = 16.0
"""Bits by which a payload may exceed the information content of its symbols."""
LEAST_SHARE = 0.9
"""Share of the usual bits of corrections for which there must be room beside the codes."""
ADAPTATION = 0.7
"""Share by which `correction_share` moves from its last value to that of a new packet."""


@dataclass(frozen=True)
class Estimates:
    """What earlier packets say about the size of the next one.

    `code_share` is what gains and codes took relative to the prediction, `correction_share` the
    same for corrections of the usual weight; `decoder` is the local decoder after the packets so
    far.
    """

    code_share: float
    correction_share: float
    decoder: LocalDecoder


@dataclass(frozen=True)
class FittedPacket:
    """A packet at one level with its corrections and payload, and the estimates after it."""

    level: int
    codes: PacketCodes
    payload: bytes
    after: Estimates


class RateLoop:
    """Fits packets to budgets. Holds no state of a stream: see `Estimates`."""

    def __init__(self, model: Model, maker: CandidateMaker, packet_frames: int) -> None:
        """`packet_frames` is what the header says."""
        self._model, self._maker, self._packet_frames = model, maker, packet_frames
        self._envelope = EnvelopeCoder(model)

    def search_ahead(self, analysis: PacketAnalysis, budget: float) -> SearchedPacket:
        """Search and score the codes of a packet whose share of the rate is `budget` bytes."""
        return self._searched(analysis, self._typical_level(analysis, budget) + EXTRA_LEVELS)

    def at_level(self, packet: SearchedPacket, level: int, before: Estimates) -> FittedPacket:
        """Encode a packet at a level, with the usual corrections."""
        candidate = self._maker.make(packet, level)
        envelope = self._coded_envelope(candidate, packet, before)
        return self._packed(packet, candidate, envelope, USUAL, before)

    def fit(
        self, packet: SearchedPacket, budget: int, snr_db: float, before: Estimates
    ) -> FittedPacket:
        """Encode a packet at the highest level that fits a budget in bytes, or at a lower one that
        reaches this signal-to-noise ratio. Corrections take the room that the codes leave."""
        packet, sizes = self._searched_enough(packet, budget, before)
        highest = self._maker.sufficient_level(packet, snr_db, sizes.max_level)
        target, estimates = float(budget), before
        while True:
            level = self._level(packet, sizes, target, highest, estimates)
            candidate = self._maker.make(packet, level)
            estimates = self._with_code_share(candidate, sizes, estimates)
            missing = self._missing_bytes(candidate, budget, estimates)
            if missing <= 0 or level == 0:
                fitted = self._with_corrections(
                    candidate, packet, budget, estimates, grows=level < highest
                )
                missing = self._size(fitted.payload, candidate.counts) - budget
                if missing <= 0 or level == 0:
                    return fitted
                # What the attempt says about sizes counts; its packet does not.
                estimates = replace(fitted.after, decoder=before.decoder)
            target, highest = target - missing, level - 1

    def _with_corrections(
        self,
        candidate: Candidate,
        packet: SearchedPacket,
        budget: int,
        estimates: Estimates,
        grows: bool,
    ) -> FittedPacket:
        """Return the candidate with the largest corrections that fit the budget, or the smallest
        where none do. Without `grows`, the usual corrections are the largest."""
        envelope = self._coded_envelope(candidate, packet, estimates)
        room = self._room(candidate, budget)
        last = len(envelope.bits) - 1 if grows else min(USUAL, len(envelope.bits) - 1)
        index = max((i for i in range(last + 1) if envelope.bits[i] <= room), default=0)
        fitted = self._packed(packet, candidate, envelope, index, estimates)
        while index and self._size(fitted.payload, candidate.counts) > budget:
            index -= 1
            fitted = self._packed(packet, candidate, envelope, index, estimates)
        return fitted

    def _coded_envelope(
        self, candidate: Candidate, packet: SearchedPacket, before: Estimates
    ) -> CodedEnvelope:
        """Return the corrections of a candidate at several sizes."""
        energies, weight = packet.analysis.energies, correction_weight(candidate.level)
        return self._envelope.code(candidate.channels, energies, weight, before.decoder)

    def _packed(
        self,
        packet: SearchedPacket,
        candidate: Candidate,
        envelope: CodedEnvelope,
        index: int,
        before: Estimates,
    ) -> FittedPacket:
        """Return the packet with the corrections of one scale, and the estimates after it."""
        channels = envelope.with_choice(candidate.channels, index)
        codes = PacketCodes(channels, packet.analysis.angles)
        payload = self._model.entropy.compress(codes, candidate.placed)
        share = self._adapted_correction_share(before.correction_share, candidate, envelope)
        after = Estimates(before.code_share, share, envelope.decoder)
        return FittedPacket(candidate.level, codes, payload, after)

    def _adapted_correction_share(
        self, before: float, candidate: Candidate, envelope: CodedEnvelope
    ) -> float:
        """Return the correction share after a packet; the same where it has no corrections. A
        packet counts as far as its frames have codes."""
        if not candidate.correction_bits:
            return before
        adaptation = ADAPTATION * float((candidate.counts > 0).mean())
        share = float(envelope.bits[USUAL]) / candidate.correction_bits
        return before + adaptation * (share - before)

    def _searched_enough(
        self, packet: SearchedPacket, budget: int, estimates: Estimates
    ) -> tuple[SearchedPacket, SizePrediction]:
        """Return the packet and the prediction of its sizes, searched to a higher level than the
        budget allows, where there is one."""
        sizes, step = packet.sizes, DEEPER_LEVELS
        while sizes is None or (
            sizes.max_level < self._maker.highest_level
            and self._level(packet, sizes, budget, sizes.max_level, estimates) == sizes.max_level
        ):
            packet = self._searched(packet.analysis, packet.max_level + step)
            sizes, step = packet.sizes, 4 * step
        return packet, sizes

    def _searched(self, analysis: PacketAnalysis, level: int) -> SearchedPacket:
        """Search and score the codes of a packet up to an allocation level."""
        packet = self._maker.search(analysis, min(self._maker.highest_level, level))
        return replace(packet, sizes=self._maker.predict_sizes(packet, packet.max_level))

    def _level(
        self,
        packet: SearchedPacket,
        sizes: SizePrediction,
        target: float,
        highest: int,
        estimates: Estimates,
    ) -> int:
        """Return the highest level up to `highest` that is predicted to fit `target` bytes; 0 where
        none is."""

        def predicted(level: int) -> int:
            bits = SAFETY * estimates.code_share * sizes.bits(level) + CODER_SLACK
            bits += estimates.correction_share * sizes.correction_bits(level)
            return self._packet_bytes(bits, packet.analysis.gains)

        return bisect_right(range(1, highest + 1), target, key=predicted)

    def _missing_bytes(self, candidate: Candidate, budget: int, estimates: Estimates) -> float:
        """Return the bytes that a packet lacks for its codes and the least corrections; negative
        where there is more room."""
        least = LEAST_SHARE * estimates.correction_share * candidate.correction_bits
        return (least - self._room(candidate, budget)) / 8

    def _room(self, candidate: Candidate, budget: int) -> float:
        """Return the bits for corrections beside the codes of a candidate."""
        return 8 * (budget - self._packet_bytes(candidate.bits + CODER_SLACK, candidate.counts))

    def _with_code_share(
        self, candidate: Candidate, sizes: SizePrediction, estimates: Estimates
    ) -> Estimates:
        """Return the estimates after the exact size of the codes of a candidate is known."""
        predicted = sizes.bits(candidate.level)
        if predicted <= 0 or candidate.bits <= CODER_SLACK:
            return estimates
        share = estimates.code_share
        share += (candidate.bits / predicted - share) / 2
        return replace(estimates, code_share=share)

    def _typical_level(self, analysis: PacketAnalysis, budget: float) -> int:
        """Return the level at which a packet of average codes and corrections takes a budget in
        bytes and the margin for packets that are cheaper."""
        levels = range(1, self._maker.highest_level + 1)
        limit = 8 * BUDGET_MARGIN * budget - self._maker.gain_bits(analysis.gains)
        return bisect_right(levels, limit, key=partial(self._maker.typical_bits, analysis))

    def _size(self, payload: bytes, rows: Integers) -> int:
        return self._packet_bytes(8 * len(payload), rows)

    def _packet_bytes(self, payload_bits: float, rows: Integers) -> int:
        """Return the bytes of a packet of `rows` [C, F] with a payload of this size."""
        payload = math.ceil(payload_bits / 8)
        return packet_cost(len(rows), payload, rows.shape[1], self._packet_frames)
