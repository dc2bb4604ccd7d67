"""Codes to payload and back: range ANS (`constriction`) under integer probabilities.

`tables` predicts codes by fixed tables, `learned` by a small network in integers, whose exact
arithmetic is `network` and whose view of the codes is `context`. `coder` is what both share, with
`corrections`, the levels of the `highband` and the `rows` of frequencies under all of it.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.forecast import Forecast
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
    "Forecast",
    "HighBandTables",
    "LearnedModel",
    "PayloadReader",
    "StaticTables",
    "frequencies",
    "read_entropy_model",
]


def read_entropy_model(kind: int, blob: bytes, entries: NDArray[Any]) -> EntropyModel:
    """The model of this kind from its inline bytes, for codebooks of `entries` [N, size, D].

    `ValueError` where the bytes do not fit.
    """
    if kind == LearnedModel.KIND:
        return LearnedModel.from_bytes(blob, entries)
    return StaticTables.from_bytes(blob)
