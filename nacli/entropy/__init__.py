"""Entropy coding: the codes of a packet to its payload, and back, without loss.

1. The encoder collects the codes of each channel of a packet in `ChannelCodes`: gains, codes of the
   latents, codes of envelope corrections, and levels of the high band; `PacketCodes` has those of
   all channels, and the angles of the stereo rotation (`angles`).
2. An `EntropyModel` gives every code a probability: `StaticTables` by one fixed table for each
   stage, `LearnedModel` by a small network that sees the codes around (`context`), computed in
   integers (`integer_network`). Gains, corrections and the high band have tables (`gains`,
   `corrections`, `high_band`).
3. Probabilities are integer frequencies that sum to 2**24 (`frequencies`): every machine computes
   the same ones.
4. `EntropyModel.compress` pushes all codes on the stack of a range coder (rANS, `constriction`);
   the words of the stack are the payload.
5. The decoder opens a payload with `EntropyModel.open`. A `PayloadReader` pops the codes in the
   reverse order: gains before codes, because the stage counts of the codes follow from them.
6. `update_codes_digest` adds the codes to a hash that shows whether they came back unchanged.
"""

from __future__ import annotations

from nacli.entropy.angles import bits as angle_bits
from nacli.entropy.channel_codes import ChannelCodes, PacketCodes
from nacli.entropy.codes_digest import update_codes_digest
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import PRECISION_BITS, frequencies
from nacli.entropy.high_band import HighBandTables
from nacli.entropy.learned_model import LearnedModel
from nacli.entropy.model import CODER_BYTES, EntropyModel, PayloadReader
from nacli.entropy.static_model import StaticTables

__all__ = [
    "CODER_BYTES",
    "PRECISION_BITS",
    "ChannelCodes",
    "CorrectionTables",
    "EntropyModel",
    "HighBandTables",
    "LearnedModel",
    "PacketCodes",
    "PayloadReader",
    "StaticTables",
    "angle_bits",
    "frequencies",
    "update_codes_digest",
]
