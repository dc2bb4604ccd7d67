"""Envelope corrections of a packet: their targets, and the codes that are worth their bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nacli.checkpoint import Model
from nacli.encoder.local_decoder import LocalDecoder
from nacli.entropy import ChannelCodes
from nacli.envelope.corrections import CorrectionTargets, quantize_corrections
from nacli.quantizer.rvq import dequantize
from nacli.types import Floats


class EnvelopeCoder:
    """Codes the envelope corrections of packets. Holds no state of a stream."""

    def __init__(self, model: Model) -> None:
        self._codebooks, self._entropy = model.codebooks, model.entropy

    def targets(
        self, channels: list[ChannelCodes], energies: Floats, before: LocalDecoder
    ) -> tuple[list[CorrectionTargets], LocalDecoder]:
        """Decode the codes of a packet after the packets that `before` has decoded.

        `energies` [C, F, BANDS] are those of the original's hops. Returns the targets by channel,
        none where the model has no corrections, and the local decoder after this packet.
        """
        after = before.copy()
        if not self._codebooks.corrections:
            return [], after
        latents = [dequantize(c.codes, c.counts, self._codebooks) for c in channels]
        gains, counts = (np.stack([getattr(c, n) for c in channels]) for n in ("gains", "counts"))
        return after.targets(energies, np.stack(latents), gains, counts), after

    def quantize(
        self, channels: list[ChannelCodes], targets: list[CorrectionTargets], scale: float = 1.0
    ) -> tuple[list[ChannelCodes], float]:
        """The channels with corrections near their targets, and the bits that these take.

        `scale` multiplies the rate-distortion weight: larger values give fewer bits.
        """
        books, tables = self._codebooks.corrections, self._entropy.corrections
        if books is None:
            return channels, 0.0
        coded, bits = [], 0.0
        for channel, target in zip(channels, targets, strict=True):
            codes, counts = quantize_corrections(target, books, tables, scale)
            coded.append(replace(channel, corrections=codes, correction_counts=counts))
            bits += tables.bits(codes, counts)
        return coded, bits
