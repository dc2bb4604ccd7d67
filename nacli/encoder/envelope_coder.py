"""Envelope corrections of a packet: what they should be, and codes for them at several sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nacli.checkpoint import Model
from nacli.encoder.correction_search import CorrectionChoices, search_corrections
from nacli.encoder.local_decoder import LocalDecoder
from nacli.entropy import ChannelCodes
from nacli.quantizer.rvq import dequantize
from nacli.types import Doubles, Floats

SCALES = (8.0, 4.0, 2.5, 2.0, 1.6, 1.25, 1.0, 0.8, 0.63, 0.5, 0.4, 0.3, 0.2)
"""Scales of the rate-distortion weights, from the fewest bits to the most. They are close to each
other near 1, so that corrections nearly fill a packet."""
USUAL = SCALES.index(1.0)
"""The index of scale 1."""


@dataclass(frozen=True)
class CodedEnvelope:
    """The corrections of a packet at each of SCALES: their bits, and their codes by channel; and
    the local decoder after the packet."""

    bits: Doubles
    choices: list[CorrectionChoices]
    decoder: LocalDecoder

    def with_choice(self, channels: list[ChannelCodes], index: int) -> list[ChannelCodes]:
        """Return the channels with the corrections of one scale."""
        if not self.choices:
            return channels
        rows = zip(channels, self.choices, strict=True)
        return [
            replace(
                channel,
                corrections=choice.codes[index],
                correction_counts=choice.counts[index],
            )
            for channel, choice in rows
        ]


class EnvelopeCoder:
    """Codes the envelope corrections of packets. Holds no state of a stream."""

    def __init__(self, model: Model) -> None:
        self._codebooks, self._entropy = model.codebooks, model.entropy

    def code(
        self,
        channels: list[ChannelCodes],
        energies: Floats,
        weight: float,
        before: LocalDecoder,
    ) -> CodedEnvelope:
        """Decode the codes of a packet after the packets that `before` has decoded, and search the
        corrections that bring its bands to `energies` [C, F, BANDS], those of the original's hops,
        with `weight` as the factor of their rate-distortion weights at scale 1.
        """
        after, books = before.copy(), self._codebooks.corrections
        if books is None:
            return CodedEnvelope(np.zeros(1), [], after)
        latents = [dequantize(c.codes, c.counts, self._codebooks) for c in channels]
        gains, counts = (np.stack([getattr(c, n) for c in channels]) for n in ("gains", "counts"))
        targets = after.targets(energies, np.stack(latents), gains, counts)
        tables = self._entropy.corrections
        scales = np.array(SCALES, dtype=np.float32) * np.float32(weight)
        choices = [search_corrections(target, books, tables, scales) for target in targets]
        bits: Doubles = np.sum([choice.bits for choice in choices], axis=0)
        return CodedEnvelope(bits, choices, after)
