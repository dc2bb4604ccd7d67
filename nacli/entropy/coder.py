"""What both entropy models share: integer probabilities, range ANS, gains, payloads.

Probabilities are integers over 2**24; nothing here depends on a float result that could be rounded
in two ways, so a payload decodes alike on every machine. ANS is a stack (Duda, 2013): the encoder
pushes groups in the reverse of the order in which the decoder pops them.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import constriction
import numpy as np
from numpy.typing import NDArray

from nacli.config import GAIN_LEVELS

if TYPE_CHECKING:
    from nacli.entropy.forecast import Forecast

Integers = NDArray[np.int32]
Frequencies = NDArray[np.int64]
Floats = NDArray[np.float64]
Coder = Any
"""constriction's AnsCoder, which has no types."""

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


def symbol_bits(table: NDArray[Any]) -> Floats:
    """Bits that each symbol of the tables costs."""
    return PRECISION_BITS - np.log2(table)


def coder_model(table: Frequencies) -> Any:
    """A coder model with exactly these frequencies.

    The library gives every symbol one count and shares out the rest; handing it the integers less
    that one count, whose sum is the rest, leaves it nothing to round.
    """
    return constriction.stream.model.Categorical((table - 1).astype(np.float64), perfect=False)


ROW_MODELS = constriction.stream.model.Categorical(perfect=False)
"""As `coder_model`, for a call with one row of frequencies less one, as float64, per symbol."""


def places(less_one: Floats, codes: Integers) -> Floats:
    """Where each code [M] lies in its row of frequencies, given less one [M, size]: what is below
    it, its own, and what is above [M, 3]."""
    rows, size = np.arange(len(codes)), less_one.shape[1]
    bounds = np.stack([rows * size, rows * size + codes], axis=1)
    sums = np.add.reduceat(less_one.ravel(), bounds.ravel())[::2]
    below = np.where(codes > 0, sums + codes, 0)  # an empty piece is not empty to reduceat
    own = less_one[rows, codes] + 1
    return np.stack([below, own, (1 << PRECISION_BITS) - below - own], axis=1)


def push_places(coder: Coder, found: Floats) -> None:
    """Encode codes by their `places` [M, 3], the last first.

    To the coder a code among three looks as it does among a thousand, as long as its own frequency
    and the sum below it are the same. The library wants no frequency of zero, so at either end of
    the table a count is taken from the other side.
    """
    below, own, above = found.T
    first, last = below == 0, above == 0
    rows = np.where(first, [own, above - 1, below + 1], found.T)
    rows = np.where(last, [below - 1, above + 1, own], rows)
    symbols = np.where(first, 0, np.where(last, 2, 1)).astype(np.int32)
    coder.encode_reverse(symbols, ROW_MODELS, np.ascontiguousarray(rows.T) - 1)


def check_table(table: Frequencies) -> None:
    """`ValueError` where a row of frequencies does not sum to 2**24."""
    if (table < 1).any() or (table.sum(-1) != 1 << PRECISION_BITS).any():
        raise ValueError("a probability table does not sum to 2**24")


class GainTable:
    """Gains given the gain before [levels + 1, levels]; the last row is for a packet's first."""

    SHAPE = (GAIN_LEVELS + 1, GAIN_LEVELS)

    def __init__(self, table: Frequencies) -> None:
        check_table(table)
        if table.shape != self.SHAPE:
            raise ValueError("the gain table has the wrong shape")
        self.table = table
        self._bits = symbol_bits(table)
        self._models = [coder_model(row) for row in table]

    def bits(self, gains: Integers) -> float:
        before = np.concatenate([[GAIN_LEVELS], gains[:-1]])
        return float(self._bits[before, gains].sum())

    def push(self, coder: Coder, gains: Integers) -> None:
        before = [GAIN_LEVELS, *gains[:-1].tolist()]
        for context, gain in zip(reversed(before), reversed(gains.tolist()), strict=True):
            coder.encode_reverse(gain, self._models[context])

    def pop(self, coder: Coder, frames: int) -> Integers:
        found, context = np.empty(frames, dtype=np.int32), GAIN_LEVELS
        for frame in range(frames):
            context = int(coder.decode(self._models[context]))
            found[frame] = context
        return found


class EntropyModel(ABC):
    """Predicts gains and codes: payloads there and back, and what they cost."""

    KIND: int
    """Of the file's ENTROPY section."""
    shape: tuple[int, int]
    """Stages and codebook size."""
    mean_code_bits: Floats
    """What a code of each stage takes on average [N], roughly."""

    def __init__(self, gain_table: Frequencies) -> None:
        self.gains = GainTable(gain_table)

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The tables as a file carries them inline."""

    @abstractmethod
    def code_bits(self, channel: ChannelCodes) -> Floats:
        """Bits [F, N] of each code of a channel; 0 where a frame has no such stage."""

    @abstractmethod
    def push_codes(self, coder: Coder, channel: ChannelCodes) -> None:
        """Encode a channel's codes, the last that will be read first."""

    @abstractmethod
    def pop_codes(self, coder: Coder, gains: Integers, counts: Integers) -> Integers:
        """Codes [F, N] of a channel, 0 where a frame has fewer stages."""

    @abstractmethod
    def forecast(self, gains: Integers, counts: Integers) -> Forecast:
        """What codes of a channel with these gains and stage counts would take."""

    @cached_property
    def digest(self) -> bytes:
        """The start of the SHA-256 of `to_bytes`, by which a file names these tables."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def compress(self, channels: list[ChannelCodes]) -> bytes:
        """The payload of one packet."""
        coder = constriction.stream.stack.AnsCoder()
        for channel in reversed(channels):
            self.push_codes(coder, channel)
        for channel in reversed(channels):
            self.gains.push(coder, channel.gains)
        return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")

    def cost_bits(self, channels: list[ChannelCodes]) -> float:
        """Bits that `compress` needs, to within the coder's last word."""
        return sum(self.gains.bits(c.gains) + float(self.code_bits(c).sum()) for c in channels)

    def open(self, payload: bytes) -> PayloadReader:
        """Start to decompress; `ValueError` for bytes that no encoder writes."""
        return PayloadReader(self, payload)


class PayloadReader:
    """Pops a packet's gains first, then, once the stage counts are known, its codes."""

    def __init__(self, model: EntropyModel, payload: bytes) -> None:
        self._model = model
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype="<u4")
        self._coder = constriction.stream.stack.AnsCoder(words.astype(np.uint32))

    def gains(self, frames: int) -> Integers:
        """Gains [F] of the next channel."""
        return self._model.gains.pop(self._coder, frames)

    def codes(self, gains: Integers, counts: Integers) -> Integers:
        """Codes [F, N] of the next channel, 0 where a frame has fewer stages."""
        return self._model.pop_codes(self._coder, gains, counts)
