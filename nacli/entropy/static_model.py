"""ENTROPY kind 0: the static model, which has one fixed table of code probabilities per stage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.channel_codes import ChannelCodes
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import PRECISION_BITS, Coder, Frequencies, FrequencyTable
from nacli.entropy.high_band import HighBandTables
from nacli.entropy.model import EntropyModel
from nacli.types import Doubles, Integers


class StaticTables(EntropyModel):
    """Code probabilities by stage [N, size], without any context."""

    KIND = 0

    def __init__(
        self,
        gain_table: Frequencies,
        code_table: Frequencies,
        corrections: CorrectionTables | None = None,
        high: HighBandTables | None = None,
    ) -> None:
        """Raises `ValueError` for tables of the wrong shape, or rows that do not sum to 2**24."""
        super().__init__(gain_table, corrections, high)
        self._codes = FrequencyTable(code_table)
        self.gain_table, self.code_table = gain_table, code_table
        self._below = np.cumsum(code_table, axis=1) - code_table
        self.shape = (code_table.shape[0], code_table.shape[1])
        self.table_bits: NDArray[np.float32] = self._codes.bits.astype(np.float32)
        self.probabilities = 2.0**-self._codes.bits
        self.mean_code_bits = (self._codes.bits * self.probabilities).sum(-1)

    def packet_bits(self, channels: list[ChannelCodes]) -> list[Doubles]:
        return [self._code_bits(channel) for channel in channels]

    def _code_bits(self, channel: ChannelCodes) -> Doubles:
        """Return the bits of each code of a channel [F, N]."""
        stages = np.arange(channel.codes.shape[1])
        used = stages < channel.counts[:, None]
        return np.where(used, self._codes.bits[stages, channel.codes], 0.0)

    def place_codes(self, channels: list[ChannelCodes]) -> list[Doubles]:
        return [self._place_codes(channel) for channel in channels]

    def _place_codes(self, channel: ChannelCodes) -> Doubles:
        """Return the interval [M, 3] of each code of a channel, in the order of decoding."""
        stages = range(int(channel.counts.max(initial=0)))
        used = [channel.codes[channel.counts > stage, stage] for stage in stages]
        rows = np.repeat(np.arange(len(used)), [len(codes) for codes in used])
        codes = np.concatenate([np.zeros(0, dtype=np.int32), *used])
        below, own = self._below[rows, codes], self.code_table[rows, codes]
        intervals = np.stack([below, own, (1 << PRECISION_BITS) - below - own], axis=1)
        return intervals.astype(np.float64)

    def pop_codes(
        self, coders: list[Coder], gains: list[Integers], counts: list[Integers]
    ) -> list[Integers]:
        return [self._pop(coder, own) for coder, own in zip(coders, counts, strict=True)]

    def _pop(self, coder: Coder, counts: Integers) -> Integers:
        """Decode the codes [F, N] of one channel with stage counts [F]."""
        codes = np.zeros((len(counts), self.shape[0]), dtype=np.int32)
        for stage in range(int(counts.max(initial=0))):
            used = np.flatnonzero(counts > stage)
            codes[used, stage] = coder.decode(self._codes.models[stage], len(used))
        return codes

    def to_bytes(self) -> bytes:
        """Return the number of stages and the codebook size as uint16, the tables of gains and of
        codes as uint32, and the tables of corrections and high band; little-endian."""
        shape = np.array(self.shape, dtype="<u2").tobytes()
        tables = (self.gain_table, self.code_table)
        own = shape + b"".join(table.astype("<u4").tobytes() for table in tables)
        return own + self._side_bytes()
