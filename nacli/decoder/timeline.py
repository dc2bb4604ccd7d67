"""The frame positions of packets, and gaps as users see them."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.config import CODED_RATE
from nacli.errors import counted
from nacli.format import Packet, StreamInfo

MAX_GAP_SECONDS = 3600
"""Limit of the missing sound that is bridged, besides one second for each decoded second: a few
damaged bytes must not become days of silence."""


@dataclass(frozen=True)
class Gap:
    """Sound that is missing because a file is damaged or was cut.

    Args:
        start, samples: its position and length in samples at the original rate; the length is 0
            where the damage cost no sound.
        sample_rate: the original rate, in Hz.
        reason: what is wrong with the file there.
        at_end: whether the output ends there, because the file ends too soon; `samples` is then 0
            where the full length is unknown. Other gaps are concealed.
        unread: bytes that are left alone, since they belong to another file.
    """

    start: int
    samples: int
    sample_rate: int
    reason: str
    at_end: bool = False
    unread: int = 0

    def __str__(self) -> str:
        """One line for the user."""
        return f"at {self.start / self.sample_rate:.3f} s, {self._loss()}: {self.reason}"

    def _loss(self) -> str:
        if self.samples:
            outcome = "missing at the end" if self.at_end else "concealed"
            return f"{self.samples / self.sample_rate:.3f} s {outcome}"
        if self.at_end:
            return "the file was cut, and its full length is unknown"
        return f"{counted(self.unread, 'byte')} not decoded" if self.unread else "nothing lost"


class Timeline:
    """Counts the packets and frames of a stream, with or without damage.

    Packet n, the first being 0, starts with frame n x `frames_per_packet`; only the last may have
    fewer frames.
    """

    def __init__(self, stream: StreamInfo, first_packet: int = 0) -> None:
        self._per_packet = stream.frames_per_packet
        self._spare = MAX_GAP_SECONDS * CODED_RATE // stream.hop
        self._packets = first_packet
        self.frame = first_packet * self._per_packet
        """The next frame: those before it were decoded, skipped or given up."""

    def place(self, packet: Packet) -> int:
        """Return the frame with which a packet starts. Raises `ValueError` for a packet that is
        repeated or late, and for one after a gap that is too long."""
        packets_later = (packet.sequence - self._packets) & 0xFFFF
        if packets_later >= 0x8000:
            raise ValueError("a packet that is out of order")
        start = (self._packets + packets_later) * self._per_packet
        self.check_gap(start)
        self._packets += packets_later + 1
        return start

    def check_gap(self, until: int) -> None:
        """Raise `ValueError` where more is missing before frame `until` than may be bridged."""
        if until - self.frame > self._spare:
            raise ValueError("more sound is missing than the file holds")

    def advance(self, frames: int) -> None:
        """Go on by frames that the file holds."""
        self.frame += frames
        self._spare += frames

    def give_up(self, until: int) -> None:
        """Go on to frame `until` without the frames that are missing before it."""
        self._spare -= until - self.frame
        self.frame = until
