"""Gains in a payload: each is coded given the gain of the frame before."""

from __future__ import annotations

import numpy as np

from nacli.config import GAIN_LEVELS
from nacli.entropy.frequencies import Coder, Frequencies, FrequencyTable
from nacli.types import Integers

FIRST = GAIN_LEVELS
"""Row of the table for the first gain of a packet, which has none before it."""


class GainTable:
    """Frequencies of a gain given the gain before [levels + 1, levels]."""

    SHAPE = (GAIN_LEVELS + 1, GAIN_LEVELS)

    def __init__(self, table: Frequencies) -> None:
        """Raises `ValueError` for another shape, or a row that does not sum to 2**24."""
        if table.shape != self.SHAPE:
            raise ValueError("the gain table has the wrong shape")
        self._coding = FrequencyTable(table)

    def bits(self, gains: Integers) -> float:
        """Return the bits that the gains [F] of a packet take."""
        before = np.concatenate([[FIRST], gains[:-1]])
        return float(self._coding.bits[before, gains].sum())

    def push(self, coder: Coder, gains: Integers) -> None:
        """Encode the gains [F] of a packet, the last one first."""
        before = [FIRST, *gains[:-1].tolist()]
        for row, gain in zip(reversed(before), reversed(gains.tolist()), strict=True):
            coder.encode_reverse(gain, self._coding.models[row])

    def pop(self, coder: Coder, frames: int) -> Integers:
        """Decode the gains [F] of a packet."""
        gains, row = np.empty(frames, dtype=np.int32), FIRST
        for frame in range(frames):
            row = int(coder.decode(self._coding.models[row]))
            gains[frame] = row
        return gains
