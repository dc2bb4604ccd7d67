"""Codes to payload and back: range ANS under integer probability tables (`constriction`).

Probabilities are integers over 2**24, made once and shipped; nothing here depends on a float
result, so a payload decodes alike on every machine. ANS is a stack (Duda, 2013): the encoder pushes
groups in the reverse of the order in which the decoder pops them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import constriction
import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS

Integers = NDArray[np.int32]
Frequencies = NDArray[np.int64]

PRECISION_BITS = 24
"""Of constriction's default coder."""
CODER_BYTES = 3
"""What the coder's state adds to a payload at most, beyond the bits of its symbols."""


@dataclass(frozen=True)
class ChannelCodes:
    """One channel of a packet: gains [F], codes [F, N] and how many stages count [F]."""

    gains: Integers
    codes: Integers
    counts: Integers


def frequencies(weights: Frequencies) -> Frequencies:
    """Integer weights [..., n] to frequencies that sum to 2**24, each at least 1."""
    size = weights.shape[-1]
    free = (1 << PRECISION_BITS) - size
    shares = weights * free // weights.sum(-1, keepdims=True)
    flat = shares.reshape(-1, size)
    flat[np.arange(len(flat)), flat.argmax(-1)] += free - flat.sum(-1)
    return shares + 1


def _bits(table: Frequencies) -> NDArray[np.float64]:
    """Bits that each symbol of the tables costs."""
    return PRECISION_BITS - np.log2(table)


def _model(table: Frequencies) -> constriction.stream.model.Categorical:
    """A coder model with exactly these frequencies.

    The library gives every symbol one count and shares out the rest; handing it the integers less
    that one count, whose sum is the rest, leaves it nothing to round.
    """
    return constriction.stream.model.Categorical((table - 1).astype(np.float64), perfect=False)


class StaticTables:
    """Fixed tables: gains given the gain before [levels + 1, levels], codes by stage [N, size].

    Row `GAIN_LEVELS` of the gain table is for the first frame of a packet.
    """

    KIND = 0

    def __init__(self, gain_table: Frequencies, code_table: Frequencies) -> None:
        for table in (gain_table, code_table):
            if (table < 1).any() or (table.sum(-1) != 1 << PRECISION_BITS).any():
                raise ValueError("a probability table does not sum to 2**24")
        if gain_table.shape != (GAIN_LEVELS + 1, GAIN_LEVELS):
            raise ValueError("the gain table has the wrong shape")
        self.gain_table, self.code_table = gain_table, code_table
        self._code_bits, self._gain_bits = _bits(code_table), _bits(gain_table)
        self.mean_code_bits = (self._code_bits * 2.0**-self._code_bits).sum(-1)
        self._gain_models = [_model(row) for row in gain_table]
        self._code_models = [_model(row) for row in code_table]

    @property
    def stages(self) -> int:
        return len(self.code_table)

    def compress(self, channels: list[ChannelCodes]) -> bytes:
        """The payload of one packet."""
        coder = constriction.stream.stack.AnsCoder()
        for channel in reversed(channels):
            for stage in reversed(range(int(channel.counts.max(initial=0)))):
                used = channel.codes[channel.counts > stage, stage]
                coder.encode_reverse(used.astype(np.int32), self._code_models[stage])
        for channel in reversed(channels):
            self._push_gains(coder, channel.gains)
        return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")

    def cost_bits(self, channels: list[ChannelCodes]) -> float:
        """Bits that `compress` needs, to within the coder's last word."""
        return sum(self._channel_bits(channel) for channel in channels)

    def _channel_bits(self, channel: ChannelCodes) -> float:
        before = np.concatenate([[GAIN_LEVELS], channel.gains[:-1]])
        depth = channel.codes.shape[1]
        bits = self._code_bits[np.arange(depth), channel.codes]
        used = np.arange(depth) < channel.counts[:, None]
        return float(self._gain_bits[before, channel.gains].sum() + bits[used].sum())

    def _push_gains(self, coder: constriction.stream.stack.AnsCoder, gains: Integers) -> None:
        before = [GAIN_LEVELS, *gains[:-1].tolist()]
        for context, gain in zip(reversed(before), reversed(gains.tolist()), strict=True):
            coder.encode_reverse(gain, self._gain_models[context])

    def open(self, payload: bytes) -> PayloadReader:
        """Start to decompress; `ValueError` for bytes that no encoder writes."""
        return PayloadReader(self, payload)

    @cached_property
    def digest(self) -> bytes:
        """The start of the SHA-256 of `to_bytes`, by which a file names these tables."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def to_bytes(self) -> bytes:
        """Stages and codebook size as uint16, then both tables as uint32; little-endian."""
        shape = np.array(self.code_table.shape, dtype="<u2").tobytes()
        tables = (self.gain_table, self.code_table)
        return shape + b"".join(table.astype("<u4").tobytes() for table in tables)

    @classmethod
    def from_bytes(cls, blob: bytes) -> StaticTables:
        """Read what `to_bytes` wrote; `ValueError` when it does not fit."""
        if len(blob) < 4:
            raise ValueError("entropy tables are cut short")
        stages, size = (int(n) for n in np.frombuffer(blob[:4], dtype="<u2"))
        gain_shape = (GAIN_LEVELS + 1, GAIN_LEVELS)
        split = 4 + 4 * gain_shape[0] * gain_shape[1]
        if not stages or size < 2 or len(blob) != split + 4 * stages * size:
            raise ValueError("entropy tables do not have the length that their shape says")
        gains = np.frombuffer(blob[4:split], dtype="<u4").astype(np.int64).reshape(gain_shape)
        codes = np.frombuffer(blob[split:], dtype="<u4").astype(np.int64).reshape(stages, size)
        return cls(gains, codes)


class PayloadReader:
    """Pops a packet's gains first, then, once the stage counts are known, its codes."""

    def __init__(self, tables: StaticTables, payload: bytes) -> None:
        self._tables = tables
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype="<u4")
        self._coder = constriction.stream.stack.AnsCoder(words.astype(np.uint32))

    def gains(self, frames: int) -> Integers:
        """Gains [F] of the next channel."""
        found, context = np.empty(frames, dtype=np.int32), GAIN_LEVELS
        for frame in range(frames):
            context = int(self._coder.decode(self._tables._gain_models[context]))
            found[frame] = context
        return found

    def codes(self, counts: Integers) -> Integers:
        """Codes [F, N] of the next channel, 0 where a frame has fewer stages."""
        codes = np.zeros((len(counts), self._tables.stages), dtype=np.int32)
        for stage in range(int(counts.max(initial=0))):
            used = np.flatnonzero(counts > stage)
            codes[used, stage] = self._coder.decode(self._tables._code_models[stage], len(used))
        return codes
