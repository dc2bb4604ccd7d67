"""The first half of decoding: the bytes of a .nac file to its codes, and to what it lacks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from nacli.audio import check_supported
from nacli.checkpoint import Model
from nacli.config import MAX_PACKET_FRAMES
from nacli.decoder.payload_reader import read_side_by_side
from nacli.decoder.tables import check_tables
from nacli.decoder.timeline import Timeline
from nacli.entropy import ChannelCodes, update_codes_digest
from nacli.errors import DamagedHeader, DamagedPacket, Mismatch, UnsupportedAudio, WrongModel
from nacli.format import (
    JOINED,
    Damage,
    EndRecord,
    Event,
    Header,
    Packet,
    Parser,
    StreamInfo,
    pack_end,
    packet_cost,
    short_digest,
)
from nacli.timing import frame_count


@dataclass(frozen=True)
class Lost:
    """Frames that the file no longer holds, from `frame` on; none where damage cost none.

    `at_end` says that the file ends there, too soon; `frames` are 0 then where it is not known how
    much is missing. `unread` are bytes that are left alone, since they belong to another file.
    """

    frame: int
    frames: int
    reason: str
    at_end: bool = False
    unread: int = 0


@dataclass(frozen=True)
class Coded:
    """A packet: its codes by channel, its bytes in the file, and the samples, at the original rate,
    that it completes."""

    codes: list[ChannelCodes]
    size: int
    samples: int


SIDE_BY_SIDE = 600
"""Frames of all channels from which on packets are no longer read together."""

Codes = list[ChannelCodes] | ValueError | None
"""Of a packet by channel, or what is wrong with them; None where they have not been read."""
Part = Coded | Lost
"""What a recording consists of, in order: a packet, or a gap."""


class Depacketizer:
    """Reads a .nac stream, cut anywhere, and holds it to what its end record says."""

    def __init__(self, model: Model, conceal: bool) -> None:
        """With `conceal`, damage becomes `Lost` parts; without, it is a `DamagedPacket`."""
        self._model, self._conceal = model, conceal
        self._parser = Parser()
        self._check = hashlib.sha256()
        self._intact, self._fault = True, ""
        self._end: EndRecord | None = None
        self._joined: Damage | None = None
        self._first_frame = 0
        self.header: Header | None = None
        """The file's header, once it has been read."""
        self.packets_at = 0
        """The offset of packet 0 in the file, known with the header."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Take bytes of the file; the parts that they complete, once the header is there.

        The header is read at once. Raises `NotNac`, `UnknownVersion`, `DamagedHeader` and
        `WrongModel`, the parts' iterator `DamagedPacket`.
        """
        events = self._parser.feed(data)
        if self.header is None:
            for event in events:
                assert isinstance(event, Header), "the parser yields nothing before it"
                self._open(event)
                break
        return self._parts(events)

    def finish(self) -> Iterator[Part]:
        """The last parts, when all bytes have been taken. Raises `Mismatch` and `DamagedPacket`
        where the end record does not fit the rest, and what `feed` raises."""
        try:
            yield from self._parts(self._parser.finish())
        except DamagedPacket as error:
            raise DamagedPacket(f"{error}{self._what_is_missing()}") from error
        if self._end is not None:
            yield from self._complete(self._end)
            yield from self._bridge(self._timeline.frame)
        else:
            yield self._cut()
        if self._joined is not None:
            frame, reason = self._timeline.frame, f"{JOINED}, at byte {self._joined.offset}"
            yield Lost(frame, 0, reason, unread=self._joined.length)

    def begin(self, packet: int) -> None:
        """Say that the packets before this one are not wanted: they are passed over, whole or
        not."""
        self._first_frame = packet * self._stream.frames_per_packet

    def jump(self, packet: int) -> None:
        """Say that the bytes that come next start with this packet; what is between is left out.
        Only up to the one that was given to `begin`."""
        self._parser.jump()
        self._timeline = Timeline(self._stream, packet)

    @property
    def has_high_band(self) -> bool:
        """Whether the packets have levels of a high band."""
        return self._model.codes_high_band(self._stream.sample_rate)

    @property
    def samples(self) -> int:
        """Samples of the recording, or of as much of it as there was where it was cut off."""
        if self._end is not None:
            return self._end.samples
        said, frames = self._stream.samples, self._timeline.frame
        if said is not None and self._frames(said) == frames:
            return said
        return self.sample(frames)

    @property
    def cut(self) -> bool:
        """Whether the end record has not been read, which in the end means that it is missing."""
        return self._end is None

    @property
    def end_bytes(self) -> int:
        """Those of the end record, once it has been read."""
        return 0 if self._end is None else len(pack_end(self._end))

    def sample(self, frame: int) -> int:
        """The sample at the original rate up to which the frames before `frame` reach."""
        config = self._model.config
        return max(0, frame - 1) * config.hop * self._stream.sample_rate // config.sample_rate

    def _open(self, header: Header) -> None:
        """Check that this file can be played."""
        stream = header.stream
        model = short_digest(self._model.digest)
        if header.model != model:
            raise WrongModel(f"made with model {header.model.hex()}, this one is {model.hex()}")
        try:
            check_supported(stream.sample_rate, stream.channels)
        except UnsupportedAudio as error:
            raise DamagedHeader(str(error)) from error
        if stream.hop != self._model.config.hop or stream.frames_per_packet > MAX_PACKET_FRAMES:
            raise DamagedHeader("the header's frame sizes do not fit the model")
        check_tables(header, self._model)
        self._timeline = Timeline(stream)
        self.header, self.packets_at = header, self._parser.offset

    def _parts(self, events: Iterable[Event]) -> Iterator[Part]:
        for event, codes in self._with_codes(events):
            if isinstance(event, Packet):
                yield from self._packet(event, codes)
            elif isinstance(event, Damage) and event.reason == JOINED and self._conceal:
                self._joined = event
            elif isinstance(event, Damage):
                self._damage(f"damaged at byte {event.offset}: {event.reason}")
            elif isinstance(event, EndRecord):
                self._end = event

    def _with_codes(self, events: Iterable[Event]) -> Iterator[tuple[Event, Codes]]:
        """The events that are there already, packets with their codes, which are read several at a
        time; not those of packets long before the part that is wanted."""
        waiting: list[Event] = []
        frames = 0
        for event in events:
            waiting.append(event)
            if isinstance(event, Packet):
                frames += event.frames * len(event.levels)
                if frames >= SIDE_BY_SIDE:
                    yield from self._read(waiting)
                    waiting, frames = [], 0
        yield from self._read(waiting)

    def _read(self, events: list[Event]) -> Iterator[tuple[Event, Codes]]:
        packets = [event for event in events if isinstance(event, Packet)]
        found = iter(self._codes_of(packets) if packets else [])
        yield from ((event, next(found) if isinstance(event, Packet) else None) for event in events)

    def _codes_of(self, packets: list[Packet]) -> Sequence[Codes]:
        near = self._timeline.frame + len(packets) * self._stream.frames_per_packet
        if near < self._first_frame:
            return [None] * len(packets)
        return self._read_side_by_side(packets)

    def _read_side_by_side(self, packets: list[Packet]) -> list[list[ChannelCodes] | ValueError]:
        return read_side_by_side(packets, self._stream, self._model)

    def _packet(self, packet: Packet, codes: Codes) -> Iterator[Part]:
        try:
            start = self._timeline.place(packet)
        except ValueError as error:
            self._damage(str(error))
            return
        if start < self._first_frame:
            self._pass(start + packet.frames)
            return
        yield from self._bridge(start)
        if codes is None:
            [codes] = self._read_side_by_side([packet])
        if isinstance(codes, ValueError):
            self._damage(f"packet {start // self._stream.frames_per_packet}: {codes}")
            return
        update_codes_digest(self._check, codes)
        self._timeline.play(packet.frames)
        frames = self._timeline.frame
        size = packet_cost(
            len(packet.levels), len(packet.payload), packet.frames, self._stream.frames_per_packet
        )
        yield Coded(codes, size, self.sample(frames) - self.sample(start))

    def _pass(self, until: int) -> None:
        """Leave out what lies before the first packet that is wanted."""
        self._timeline.play(until - self._timeline.frame)
        self._intact, self._fault = False, ""

    def _damage(self, reason: str) -> None:
        """Note what is wrong with the file at this place; the first reason stands."""
        if not self._conceal:
            raise DamagedPacket(reason)
        self._intact, self._fault = False, self._fault or reason

    def _bridge(self, until: int) -> Iterator[Lost]:
        """Go on to frame `until` without what is missing before it."""
        if self._timeline.frame < self._first_frame <= until:
            self._pass(self._first_frame)
        frame = self._timeline.frame
        if frame < until:
            self._damage(f"packet {frame // self._stream.frames_per_packet} is missing")
        if self._fault:
            yield Lost(frame, until - frame, self._fault)
        self._fault = ""
        self._timeline.skip(until)

    def _cut(self) -> Lost:
        """What is missing at the end of a file that has no end record."""
        frame, said = self._timeline.frame, self._stream.samples
        frames = 0 if said is None else max(0, self._frames(said) - frame)
        return Lost(frame, frames, self._fault, at_end=said is None or frames > 0)

    def _what_is_missing(self) -> str:
        """The same in words, for the message of an error."""
        stream, there = self._stream, self.samples
        if self._end is not None or stream.samples is None or there >= stream.samples:
            return ""
        missing, whole = (n / stream.sample_rate for n in (stream.samples - there, stream.samples))
        return f"; {missing:.3f} s of {whole:.3f} s are missing"

    def _complete(self, end: EndRecord) -> Iterator[Lost]:
        """Bridge up to the end, and check that this is what was encoded."""
        frames = self._frames(end.samples)
        packets = -(-frames // self._stream.frames_per_packet)
        if frames < self._timeline.frame or packets != end.packets:
            raise DamagedPacket("the end record does not fit the packets")
        try:
            self._timeline.check_gap(frames)
        except ValueError as error:
            raise DamagedPacket(str(error)) from error
        yield from self._bridge(frames)
        if self._intact and end.check != self._check.digest()[:8]:
            raise Mismatch("the decoded codes are not those that were encoded")

    def _frames(self, samples: int) -> int:
        return frame_count(samples, self._stream.sample_rate, self._model.config)

    @property
    def _stream(self) -> StreamInfo:
        assert self.header is not None, "nothing is asked before the header"
        return self.header.stream
