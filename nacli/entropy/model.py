"""The base class of the entropy models, and the order of the codes in a payload.

Probabilities are integers over 2**24. Nothing here depends on a float result that could be rounded
in two ways, so a payload decodes alike on every machine. ANS is a stack (Duda, 2013): the encoder
pushes the parts of a payload in the reverse of the order in which the decoder pops them.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from functools import cached_property

import constriction
import numpy as np

from nacli.entropy import angles
from nacli.entropy.channel_codes import ChannelCodes, PacketCodes
from nacli.entropy.corrections import CorrectionTables
from nacli.entropy.frequencies import PRECISION_BITS, Coder, Frequencies, push_intervals
from nacli.entropy.gains import GainTable
from nacli.entropy.high_band import HighBandTables
from nacli.types import Doubles, Integers

CODER_BYTES = 3
"""Largest number of bytes that the coder's state adds to a payload beyond the bits of its codes."""


class EntropyModel(ABC):
    """Predicts the codes of a packet, counts their bits, and converts them to payloads and back."""

    KIND: int
    """Kind of the model in the ENTROPY section of a file."""
    shape: tuple[int, int]
    """Number of stages, and codebook size."""
    mean_code_bits: Doubles
    """Approximate mean number of bits of a code, by stage [N]."""

    def __init__(
        self,
        gain_table: Frequencies,
        corrections: CorrectionTables | None,
        high: HighBandTables | None,
    ) -> None:
        """`corrections` and `high` are None for models without corrections or high band."""
        self.gains = GainTable(gain_table)
        self.corrections = corrections or CorrectionTables.none()
        self.high = high or HighBandTables.none()

    def _side_bytes(self) -> bytes:
        """Return the tables of corrections and high band, the last part of `to_bytes`."""
        return self.corrections.to_bytes() + self.high.to_bytes()

    @abstractmethod
    def to_bytes(self) -> bytes:
        """Return the tables in the form in which a file can carry them."""

    def code_bits(self, channel: ChannelCodes) -> Doubles:
        """Return the bits of each code of a channel [F, N]; 0 after a frame's stage count."""
        return self.packet_bits([channel])[0]

    @abstractmethod
    def packet_bits(self, channels: list[ChannelCodes]) -> list[Doubles]:
        """Return the `code_bits` of each channel of a packet."""

    @abstractmethod
    def place_codes(self, channels: list[ChannelCodes]) -> list[Doubles]:
        """Return for each channel of a packet the interval [M, 3] of each code in its table of
        frequencies, in the order of decoding: the sum below it, its own frequency, and the sum
        above it. This takes most of the time of `compress`."""

    def placed_bits(self, placed: Doubles) -> float:
        """Return the bits of codes whose intervals [M, 3] are known."""
        return float((PRECISION_BITS - np.log2(placed[:, 1])).sum())

    def side_bits(self, channel: ChannelCodes) -> float:
        """Return the bits of the gains and the high band of a channel."""
        high = 0.0 if channel.high is None else self.high.bits(channel.high)
        return self.gains.bits(channel.gains) + high

    @abstractmethod
    def pop_codes(
        self, coders: list[Coder], gains: list[Integers], counts: list[Integers]
    ) -> list[Integers]:
        """Decode the codes [F, N] of one channel from each of several coders.

        Args:
            coders: one for each channel, at the start of its codes.
            gains, counts: gains [F] and stage counts [F] of each channel.

        Returns:
            Codes [F, N] of each channel, 0 after a frame's stage count.
        """

    @cached_property
    def digest(self) -> bytes:
        """First 8 bytes of the SHA-256 of `to_bytes`, by which a file names its model."""
        return hashlib.sha256(self.to_bytes()).digest()[:8]

    def compress(self, codes: PacketCodes, placed: list[Doubles] | None = None) -> bytes:
        """Return the payload of a packet. `placed` are the results of `place_codes` for the
        channels, if they are known already."""
        channels = codes.channels
        if placed is None:
            placed = self.place_codes(channels)
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
        angles.push(coder, codes.angles)
        return coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")

    def open(self, payload: bytes) -> PayloadReader:
        """Start to decode a payload. Raises `ValueError` for bytes that no encoder writes."""
        return PayloadReader(self, payload)


class PayloadReader:
    """Decodes a payload part by part: the angles, if there are any; the gains of all channels; then
    their corrections; then the levels of their high band.

    Between gains and corrections, when the stage counts are known, `EntropyModel.pop_codes` decodes
    the codes from `coder`.
    """

    def __init__(self, model: EntropyModel, payload: bytes) -> None:
        self._model = model
        words = np.frombuffer(payload + b"\0" * (-len(payload) % 4), dtype="<u4")
        self.coder = constriction.stream.stack.AnsCoder(words.astype(np.uint32))

    def angles(self, count: int) -> tuple[int, ...]:
        """Decode the angles of the packet."""
        return angles.pop(self.coder, count)

    def gains(self, frames: int) -> Integers:
        """Decode the gains [F] of the next channel."""
        return self._model.gains.pop(self.coder, frames)

    def corrections(self, spans: int) -> tuple[Integers, Integers]:
        """Decode the correction codes [S, T] of the next channel, and their number by span [S]."""
        return self._model.corrections.pop(self.coder, spans)

    def high(self, spans: int) -> Integers:
        """Decode the high-band levels [S, n] of the next channel. Raises `ValueError` for levels
        that no encoder writes."""
        return self._model.high.pop(self.coder, spans)
