"""The properties of a .nac file and the sizes of its parts: no model, no NumPy, one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from nacli.config import CODED_RATE
from nacli.errors import DamagedPacket, counted
from nacli.files.inputs import Source, blocks_from, naming_source
from nacli.format import Damage, EndRecord, Event, Header, Packet, Parser
from nacli.timing import frame_count


@dataclass
class FileInfo:
    """Header and end record of a file, and the sums of its parts.

    Every byte is in exactly one of `header_bytes`, `payload_bytes`, `framing_bytes` (of packets and
    the end record) and `damaged_bytes`.
    """

    header: Header
    end: EndRecord | None = None
    packets: int = 0
    frames: int = 0
    header_bytes: int = 0
    framing_bytes: int = 0
    end_bytes: int = 0
    """Bytes of the end record, which are part of `framing_bytes`."""
    payload_bytes: int = 0
    damaged_bytes: int = 0
    least_packet_bytes: int = 0
    most_packet_bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    in_order: bool = True
    """Whether every packet has the sequence number after that of the packet before it."""
    packets_reached: int = 0
    """Packets up to the last one by their sequence numbers, with those that are missing."""
    frames_reached: int = 0
    """Frames up to the end of the last packet, with those that are missing."""

    @property
    def file_bytes(self) -> int:
        return self.header_bytes + self.framing_bytes + self.payload_bytes + self.damaged_bytes

    @property
    def model(self) -> str:
        """The start of the SHA-256 of the model, in hex."""
        return self.header.model.hex()

    @property
    def audio_bytes(self) -> int:
        """Bytes of the audio: good packets and end record, without header, tags, picture and
        inline tables."""
        return self.payload_bytes + self.framing_bytes

    @property
    def samples(self) -> int | None:
        """Length of the whole recording at the original rate, from the end record or else from the
        header; None where neither has it."""
        return self.end.samples if self.end else self.header.stream.samples

    @property
    def seconds(self) -> float:
        """Duration of the decoded audio: that of the recording, or of what is left of it if the end
        of the file is missing."""
        stream = self.header.stream
        if self.end:
            return self.end.samples / stream.sample_rate
        left = max(0, self.frames_reached - 1) * stream.hop / CODED_RATE
        return left if stream.samples is None else min(left, stream.samples / stream.sample_rate)

    @property
    def missing_seconds(self) -> float | None:
        """Duration that is missing at the end of the recording; None where its length is
        unknown."""
        if self.samples is None:
            return None
        return max(0.0, self.samples / self.header.stream.sample_rate - self.seconds)

    @property
    def missing_packets(self) -> int | None:
        """Number of missing packets by the end record or by the length in the header. Without
        both, the number of those missing between others, or None where there are none."""
        if self.end:
            return max(0, self.end.packets - self.packets)
        stream = self.header.stream
        if stream.samples is None:
            return max(0, self.packets_reached - self.packets) or None
        frames = frame_count(stream.samples, stream.sample_rate, stream.hop)
        packets = -(-frames // stream.frames_per_packet)
        return max(0, packets - self.packets)

    @property
    def mean_packet_bytes(self) -> float:
        """Mean size of the good packets with their framing; 0 where there are none."""
        end = self.end_bytes
        return (self.payload_bytes + self.framing_bytes - end) / max(1, self.packets)

    @property
    def kbps(self) -> float | None:
        """Bitrate of the audio: `audio_bytes` over the duration; None where that is zero."""
        return self.audio_bytes * 8 / 1000 / self.seconds if self.seconds else None


def read_info(source: Source) -> FileInfo:
    """Inspect a .nac file and check the CRC of each of its parts.

    Args:
        source: path ("-" is stdin), bytes, or a file object in binary mode.

    Returns:
        Its properties, with the damage after the header in `damages`.

    Raises:
        UnreadableInput, NotNac, UnknownVersion, DamagedHeader: the header cannot be read.
        TypeError: a source of another type.
    """
    with naming_source(source):
        parser = Parser()
        events = read_events(parser, source)
        header = next(events)
        assert isinstance(header, Header), "nothing comes before the header"
        info = FileInfo(header, header_bytes=parser.offset)
        for event in events:
            _count(info, event, parser.offset - info.file_bytes)
        return info


def read_header(path: Source) -> Header:
    """Read the header of a file and nothing after it. Raises the errors of `read_info`."""
    header = next(read_events(Parser(), path))
    assert isinstance(header, Header), "nothing comes before the header"
    return header


def read_events(parser: Parser, source: Source) -> Iterator[Event]:
    """Yield the events of a Parser for a whole file."""
    for block in blocks_from(source):
        yield from parser.feed(block)
    yield from parser.finish()


def _count(info: FileInfo, event: Event, size: int) -> None:
    """Add an event that took `size` bytes of the file."""
    match event:
        case Packet():
            info.in_order &= event.sequence == info.packets & 0xFFFF
            ahead = (event.sequence - info.packets_reached) & 0xFFFF
            if ahead < 0x8000:
                start = info.packets_reached + ahead
                info.packets_reached = start + 1
                info.frames_reached = start * info.header.stream.frames_per_packet + event.frames
            info.least_packet_bytes = min(info.least_packet_bytes or size, size)
            info.most_packet_bytes = max(info.most_packet_bytes, size)
            info.packets += 1
            info.frames += event.frames
            info.payload_bytes += len(event.payload)
            info.framing_bytes += size - len(event.payload)
        case EndRecord():
            info.end = event
            info.framing_bytes += size
            info.end_bytes += size
        case Damage():
            info.damages.append(event)
            info.damaged_bytes += size


def check_info(info: FileInfo) -> None:
    """Raise `DamagedPacket` with the first fault, unless the file is whole."""
    if info.damages:
        first, more = info.damages[0], len(info.damages) - 1
        others = f" (and {counted(more, 'more place')})" if more else ""
        missing = f"; {_missing(info)}" if info.missing_seconds else ""
        raise DamagedPacket(f"damaged at byte {first.offset}: {first.reason}{others}{missing}")
    if info.missing_packets:
        verb = "is" if info.missing_packets == 1 else "are"
        raise DamagedPacket(f"{counted(info.missing_packets, 'packet')} {verb} missing")
    if not info.in_order or info.missing_packets is None:
        raise DamagedPacket("packets are out of order")


def _missing(info: FileInfo) -> str:
    assert info.missing_seconds is not None
    whole = info.seconds + info.missing_seconds
    return f"{info.missing_seconds:.3f} s of {whole:.3f} s are missing"
