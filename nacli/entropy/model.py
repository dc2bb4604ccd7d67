"""What both entropy models share: integer probabilities, range ANS, gains, payloads.

Probabilities are integers over 2**24; nothing here depends on a float result that could be rounded
in two ways, so a payload decodes alike on every machine. ANS is a stack (Duda, 2013): the encoder
pushes groups in the reverse of the order in which the decoder pops them.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import constriction
import numpy as np

from nacli.config import GAIN_LEVELS
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import (
    PRECISION_BITS,
    Coder,
    Frequencies,
    Rows,
    push_intervals,
)
from nacli.entropy.high_band import HighBandTables
from nacli.types import Doubles, Integers

CODER_BYTES = 3
"""What the coder's state adds to a payload at most, beyond the bits of its symbols."""


NO_CORRECTIONS = np.zeros((0, 0), dtype=np.int32)


@dataclass(frozen=True)
class ChannelCodes:
    """One channel of a packet: gains [F], codes [F, N] and how many stages count [F]; correction codes of
    its spans [S, T] and how many count [S]; and the levels of its high band [S', n], in spans of
    another length, None where the stream has no high band."""

    gains: Integers
    codes: Integers
    counts: Integers
    corrections: Integers = field(default_factory=lambda: NO_CORRECTIONS)
    correction_counts: Integers = field(default_factory=lambda: NO_CORRECTIONS.ravel())
    high: Integers | None = None


class GainTable:
    """Gains given the gain before [levels + 1, levels]; the last row is for a packet's first."""

    SHAPE = (GAIN_LEVELS + 1, GAIN_LEVELS)

    def __init__(self, table: Frequencies) -> None:
        if table.shape != self.SHAPE:
            raise ValueError("the gain table has the wrong shape")
        self.table, self._rows = table, Rows(table)

    def bits(self, gains: Integers) -> float:
        before = np.concatenate([[GAIN_LEVELS], gains[:-1]])
        return float(self._rows.bits[before, gains].sum())

    def push(self, coder: Coder, gains: Integers) -> None:
        before = [GAIN_LEVELS, *gains[:-1].tolist()]
        for context, gain in zip(reversed(before), reversed(gains.tolist()), strict=True):
            coder.encode_reverse(gain, self._rows.models[context])

    def pop(self, coder: Coder, frames: int) -> Integers:
        found, context = np.empty(frames, dtype=np.int32), GAIN_LEVELS
        for frame in range(frames):
            context = int(coder.decode(self._rows.models[context]))
            found[frame] = context
        return found


class EntropyModel(ABC):
    """Predicts gains, codes, corrections and levels: payloads there and back, and what they cost."""

    KIND: int
    """Of the file's ENTROPY section."""
    shape: tuple[int, int]
    """Stages and codebook size."""
    mean_code_bits: Doubles
    """What a code of each stage takes on average [N], roughly."""

    def __init__(
        self,
        gain_table: Frequencies,
        corrections: CorrectionTables | None,
        high: HighBandTables | None,
    ) -> None:
        self.gains = GainTable(gain_table)
        self.corrections, self.high = (
            corrections or CorrectionTables.none(),
            high or HighBandTables.none(),
        )

    def _side_bytes(self) -> bytes:
        """The tables of corrections and high band, the last part of `to_bytes`."""
        return self.corrections.to_bytes() + self.high.to_bytes()

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The tables as a file carries them inline."""

    @abstractmethod
    def code_bits(self, channel: ChannelCodes) -> Doubles:
        """Bits [F, N] of each code of a channel; 0 where a frame has no such stage."""

    @abstractmethod
    def place_codes(self, channel: ChannelCodes) -> Doubles:
        """The interval of each code of a channel in its table of frequencies [M, 3], in the order
        of decoding: the sum below it, its own frequency, and the sum above it. This takes most of
        the time of `compress`."""

    def placed_bits(self, placed: Doubles) -> float:
        """Bits of codes whose intervals [M, 3] are known."""
        return float((PRECISION_BITS - np.log2(placed[:, 1])).sum())

    def side_bits(self, channel: ChannelCodes) -> float:
        """Bits of the gains and the high band of a channel."""
        high = 0.0 if channel.high is None else self.high.bits(channel.high)
        return self.gains.bits(channel.gains) + high

    @abstractmethod
    def pop_codes(
        self, coders: list[Coder], gains: list[Integers], counts: list[Integers]
    ) -> list[Integers]:
        """Codes [F, N] of one channel from each of several coders, 0 where a frame has fewer
        stages."""

    @cached_property
    def digest(self) -> bytes:
        """The start of the SHA-256 of `to_bytes`, by which a file names these tables."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def compress(self, channels: list[ChannelCodes], placed: list[Doubles] | None = None) -> bytes:
        """The payload of one packet. `placed` is what `place_codes` gives for each channel, where
        it is known already."""
        if placed is None:
            placed = [self.place_codes(channel) for channel in channels]
        coder = constriction.stream.stack.AnsCoder()
        for channel in reversed(channels):
            if channel.high is not None:
                self.high.push(coder, channel.high)
        for channel in reversed(channels):
            self.corrections.push(coder, channel.corrections, channel.correction_counts)
        for intervals in reversed(placed):
            push_intervals(coder, intervals)
        for channel in reversed(channels):
            self.gains.push(coder, channel.gains)
        return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")

    def cost_bits(self, channels: list[ChannelCodes]) -> float:
        """Bits that `compress` needs, to within the coder's last word."""
        return sum(
            self.gains.bits(c.gains)
            + float(self.code_bits(c).sum())
            + self.corrections.bits(c.corrections, c.correction_counts)
            + (0.0 if c.high is None else self.high.bits(c.high))
            for c in channels
        )

    def open(self, payload: bytes) -> PayloadReader:
        """Start to decompress; `ValueError` for bytes that no encoder writes."""
        return PayloadReader(self, payload)


class PayloadReader:
    """Pops a packet's gains first, then, once the stage counts are known, its codes, then corrections,
    then levels of the high band."""

    def __init__(self, model: EntropyModel, payload: bytes) -> None:
        self._model = model
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype="<u4")
        self.coder = constriction.stream.stack.AnsCoder(words.astype(np.uint32))

    def gains(self, frames: int) -> Integers:
        """Gains [F] of the next channel."""
        return self._model.gains.pop(self.coder, frames)

    def codes(self, gains: Integers, counts: Integers) -> Integers:
        """Codes [F, N] of the next channel, 0 where a frame has fewer stages."""
        return self._model.pop_codes([self.coder], [gains], [counts])[0]

    def corrections(self, spans: int) -> tuple[Integers, Integers]:
        """Correction codes [S, T] of so many spans of the next channel, and how many each has [S]."""
        return self._model.corrections.pop(self.coder, spans)

    def high(self, spans: int) -> Integers:
        """Levels [S, n] of so many spans of the next channel's high band; `ValueError` for some
        that no encoder writes."""
        return self._model.high.pop(self.coder, spans)
