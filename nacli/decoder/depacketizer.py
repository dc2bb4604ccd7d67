"""The first half of decoding: the bytes of a .nac file to the codes of its packets, and to gaps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from nacli.checkpoint import Model
from nacli.decoder.gaps import GapTracker
from nacli.decoder.header_check import check_header
from nacli.decoder.parts import Coded, Lost, Part
from nacli.decoder.payload_reader import Codes, batches, read_side_by_side
from nacli.entropy import update_codes_digest
from nacli.errors import DamagedPacket, Mismatch
from nacli.format import (
    JOINED,
    Damage,
    EndRecord,
    Event,
    Header,
    Packet,
    Parser,
    StreamInfo,
    packet_cost,
    short_digest,
)
from nacli.timing import completed_samples, frame_count


class Depacketizer:
    """Reads a .nac stream in blocks of any size and checks it against its end record.

    The steps: `Parser` finds records, `read_side_by_side` reads the codes of packets, `GapTracker`
    follows what is missing, and the digest of all codes is compared with the end record's.
    """

    def __init__(self, model: Model, conceal: bool) -> None:
        """With `conceal`, damage becomes `Lost` parts; without, it raises `DamagedPacket`."""
        self._model, self._conceal = model, conceal
        self._parser = Parser()
        self._digest = hashlib.sha256()
        self._joined: Damage | None = None
        self.header: Header | None = None
        """The file's header, once it has been read."""
        self.packets_at = 0
        """The offset of packet 0 in the file, known with the header."""
        self.end: EndRecord | None = None
        """The end record, once it has been read."""

    def feed(self, data: bytes) -> Iterator[Part]:
        """Take bytes of the file and return the parts that they complete.

        The header is read at once, the parts when they are taken. Raises `NotNac`,
        `UnknownVersion`, `DamagedHeader` and `WrongModel`; the iterator raises `DamagedPacket`.
        """
        events = self._parser.feed(data)
        if self.header is None:
            for event in events:
                assert isinstance(event, Header), "the parser yields nothing before the header"
                check_header(event, self._model)
                self._gaps = GapTracker(event.stream, self._conceal)
                self.header, self.packets_at = event, self._parser.offset
                break
        return self._parts(events)

    def finish(self) -> Iterator[Part]:
        """Yield the last parts, when all bytes have been taken. Raises `Mismatch` and
        `DamagedPacket` where the end record does not fit the packets, and what `feed` raises."""
        try:
            yield from self._parts(self._parser.finish())
        except DamagedPacket as error:
            missing = "" if self.end else _missing_text(self._stream, self.samples)
            raise DamagedPacket(f"{error}{missing}") from error
        if self.end is not None:
            yield from self._complete(self.end)
        else:
            said = self._stream.samples
            yield self._gaps.cut(None if said is None else self._frames(said))
        if self._joined is not None:
            reason = f"{JOINED}, at byte {self._joined.offset}"
            yield Lost(self._gaps.frame, 0, reason, unread=self._joined.length)

    def begin(self, packet: int) -> None:
        """Skip the packets before this one, whole or damaged."""
        self._gaps.begin(packet)

    def jump(self, packet: int) -> None:
        """Announce that the next bytes start with this packet, at most the one given to `begin`;
        the packets between are left out."""
        self._parser.jump()
        self._gaps.jump(packet)

    @property
    def samples(self) -> int:
        """The length of the recording in samples, or of the part before the cut if the file was
        cut."""
        if self.end is not None:
            return self.end.samples
        said, frames = self._stream.samples, self._gaps.frame
        if said is not None and self._frames(said) == frames:
            return said
        return completed_samples(frames, self._stream.sample_rate, self._model.config)

    def _parts(self, events: Iterable[Event]) -> Iterator[Part]:
        for batch in batches(events):
            packets = [event for event in batch if isinstance(event, Packet)]
            codes = iter(self._read(packets))
            for event in batch:
                if isinstance(event, Packet):
                    yield from self._packet(event, next(codes))
                elif isinstance(event, EndRecord):
                    self.end = event
                elif isinstance(event, Damage) and event.reason == JOINED and self._conceal:
                    self._joined = event
                elif isinstance(event, Damage):
                    self._gaps.note(f"damaged at byte {event.offset}: {event.reason}")

    def _read(self, packets: list[Packet]) -> Sequence[Codes | None]:
        """Read the codes of packets; None for packets that lie before the part to be decoded."""
        if not packets or self._gaps.are_skipped(len(packets)):
            return [None] * len(packets)
        return read_side_by_side(packets, self._stream, self._model)

    def _packet(self, packet: Packet, codes: Codes | None) -> Iterator[Part]:
        start = self._gaps.place(packet)
        if start is None:
            return
        yield from self._gaps.bridge(start)
        if codes is None:
            [codes] = read_side_by_side([packet], self._stream, self._model)
        per_packet = self._stream.frames_per_packet
        if isinstance(codes, ValueError):
            self._gaps.note(f"packet {start // per_packet}: {codes}")
            return
        update_codes_digest(self._digest, codes)
        self._gaps.decoded(packet.frames)
        size = packet_cost(len(packet.levels), len(packet.payload), packet.frames, per_packet)
        before, after = (
            completed_samples(frames, self._stream.sample_rate, self._model.config)
            for frames in (start, self._gaps.frame)
        )
        yield Coded(codes, size, after - before)

    def _complete(self, end: EndRecord) -> Iterator[Lost]:
        """Bridge what is missing before the end, and check that the codes are those that were
        encoded."""
        frames = self._frames(end.samples)
        packets = -(-frames // self._stream.frames_per_packet)
        if frames < self._gaps.frame or packets != end.packets:
            raise DamagedPacket("the end record does not fit the packets")
        yield from self._gaps.bridge_to_end(frames)
        if self._gaps.intact and end.check != short_digest(self._digest.digest()):
            raise Mismatch("the decoded codes are not those that were encoded")

    def _frames(self, samples: int) -> int:
        return frame_count(samples, self._stream.sample_rate, self._stream.hop)

    @property
    def _stream(self) -> StreamInfo:
        assert self.header is not None, "the header comes first"
        return self.header.stream


def _missing_text(stream: StreamInfo, samples: int) -> str:
    """Say in an error message how much is missing after the first `samples` samples."""
    if stream.samples is None or samples >= stream.samples:
        return ""
    missing, whole = (n / stream.sample_rate for n in (stream.samples - samples, stream.samples))
    return f"; {missing:.3f} s of {whole:.3f} s are missing"
