"""Where packets lie in time, and what is missing between them."""

from __future__ import annotations

from dataclasses import dataclass

from nacli.config import CODED_RATE
from nacli.errors import counted
from nacli.format import Packet, StreamInfo

MAX_GAP_SECONDS = 3600
"""Missing sound that is bridged, beyond as much as there is: a few broken bytes must not become
days of silence."""


@dataclass(frozen=True)
class Gap:
    """Sound that the file no longer holds, in samples at the original rate; none where damage cost
    none. `reason` is what was wrong with the file there.

    `at_end` says that what was decoded ends there, because the file does, too soon: `samples` are
    then those that are missing after it, 0 where it is not known how many. `unread` are bytes that
    are left alone, since they belong to another file.
    """

    start: int
    samples: int
    sample_rate: int
    reason: str
    at_end: bool = False
    unread: int = 0

    def __str__(self) -> str:
        return f"at {self.start / self.sample_rate:.3f} s, {self._loss()}: {self.reason}"

    def _loss(self) -> str:
        if self.samples:
            fate = "missing at the end" if self.at_end else "concealed"
            return f"{self.samples / self.sample_rate:.3f} s {fate}"
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
        """The first frame that has been neither played nor given up."""

    def place(self, packet: Packet) -> int:
        """The frame with which a packet starts. Raises `ValueError` for one that has no place."""
        ahead = (packet.sequence - self._packets) & 0xFFFF
        if ahead >= 0x8000:
            raise ValueError("a packet that is out of order")
        start = (self._packets + ahead) * self._per_packet
        self.check_gap(start)
        self._packets += ahead + 1
        return start

    def check_gap(self, until: int) -> None:
        """Raise `ValueError` where more is missing up to frame `until` than may be bridged."""
        if until - self.frame > self._spare:
            raise ValueError("more sound is missing than the file holds")

    def play(self, frames: int) -> None:
        """Go on by frames that are there."""
        self.frame += frames
        self._spare += frames

    def skip(self, until: int) -> None:
        """Go on to frame `until` without those that are missing."""
        self._spare -= until - self.frame
        self.frame = until
