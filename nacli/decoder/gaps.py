"""Bookkeeping of gaps: which frames of a stream are decoded, skipped or missing, and why."""

from __future__ import annotations

from collections.abc import Iterator

from nacli.decoder.parts import Lost
from nacli.decoder.timeline import Timeline
from nacli.errors import DamagedPacket
from nacli.format import Packet, StreamInfo


class GapTracker:
    """Follows the packets of one stream, from the first that is to be decoded.

    Damage that is noted becomes a `Lost` with the next packet, when it is known how many frames
    are missing.
    """

    def __init__(self, stream: StreamInfo, conceal: bool) -> None:
        """With `conceal`, damage becomes `Lost` parts; without, it raises `DamagedPacket`."""
        self._stream, self._conceal = stream, conceal
        self._timeline = Timeline(stream)
        self._first_frame = 0
        self._fault = ""
        self.intact = True
        """Whether no packet so far was skipped, damaged or missing."""

    @property
    def frame(self) -> int:
        """The next frame: those before it were decoded, skipped or given up."""
        return self._timeline.frame

    def begin(self, packet: int) -> None:
        """Skip the packets before this one, whole or damaged."""
        self._first_frame = packet * self._stream.frames_per_packet

    def jump(self, packet: int) -> None:
        """Expect this packet next; those between are not in the input."""
        self._timeline = Timeline(self._stream, packet)

    def are_skipped(self, packets: int) -> bool:
        """Return whether the next `packets` packets all lie before the first that is to be
        decoded."""
        return self.frame + packets * self._stream.frames_per_packet < self._first_frame

    def place(self, packet: Packet) -> int | None:
        """Return the frame with which a packet starts; None where it is skipped or has no place,
        which is noted as damage."""
        try:
            start = self._timeline.place(packet)
        except ValueError as error:
            self.note(str(error))
            return None
        if start < self._first_frame:
            self._skip(start + packet.frames)
            return None
        return start

    def note(self, reason: str) -> None:
        """Note damage at this position of the file; of several reasons, the first is reported."""
        if not self._conceal:
            raise DamagedPacket(reason)
        self.intact, self._fault = False, self._fault or reason

    def decoded(self, frames: int) -> None:
        """Count frames that were decoded."""
        self._timeline.advance(frames)

    def bridge(self, until: int) -> Iterator[Lost]:
        """Give up what is missing before frame `until`, and report the damage since the last
        packet."""
        if self.frame < self._first_frame <= until:
            self._skip(self._first_frame)
        frame = self.frame
        if frame < until:
            self.note(f"packet {frame // self._stream.frames_per_packet} is missing")
        if self._fault:
            yield Lost(frame, until - frame, self._fault)
        self._fault = ""
        self._timeline.give_up(until)

    def bridge_to_end(self, frames: int) -> Iterator[Lost]:
        """Give up what is missing before the end of a stream of `frames` frames. Raises
        `DamagedPacket` where more is missing than may be bridged."""
        try:
            self._timeline.check_gap(frames)
        except ValueError as error:
            raise DamagedPacket(str(error)) from error
        yield from self.bridge(frames)

    def cut(self, frames: int | None) -> Lost:
        """Return what is missing at the end of a file without an end record, whose stream has
        `frames` frames, if that is known."""
        missing = 0 if frames is None else max(0, frames - self.frame)
        return Lost(self.frame, missing, self._fault, at_end=frames is None or missing > 0)

    def _skip(self, until: int) -> None:
        """Go on to frame `until`, before which nothing is to be decoded."""
        self._timeline.advance(until - self.frame)
        self.intact, self._fault = False, ""
