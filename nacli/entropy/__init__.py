"""Codes to payload and back: range ANS (`constriction`) under integer probabilities.

`tables` predicts codes by fixed tables, `learned` by a small network in integers, whose exact
arithmetic is `network` and whose view of the codes is `context`. `coder` is what both share, with
`corrections`, the levels of the `highband` and the `rows` of frequencies under all of it.
"""

from __future__ import annotations

from nacli.entropy.codes_digest import update_codes_digest
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import PRECISION_BITS, frequencies
from nacli.entropy.high_band import HighBandTables
from nacli.entropy.learned_model import LearnedModel
from nacli.entropy.model import CODER_BYTES, ChannelCodes, EntropyModel, PayloadReader
from nacli.entropy.static_model import StaticTables

__all__ = [
    "CODER_BYTES",
    "PRECISION_BITS",
    "ChannelCodes",
    "CorrectionTables",
    "EntropyModel",
    "HighBandTables",
    "LearnedModel",
    "PayloadReader",
    "StaticTables",
    "frequencies",
    "update_codes_digest",
]
