"""What a .nac file says of itself, and where its bytes go: no model, no NumPy, one pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from nacli.config import CODED_RATE
from nacli.errors import DamagedPacket, counted
from nacli.files.inputs import Source, blocks_from, naming_source
from nacli.format import (
    VERSION,
    Damage,
    EndRecord,
    EntropyKind,
    Event,
    Header,
    Packet,
    Parser,
    Picture,
    TableSection,
    unpack_picture,
)


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
    """Of the framing, those of the end record."""
    payload_bytes: int = 0
    damaged_bytes: int = 0
    least_packet_bytes: int = 0
    most_packet_bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    in_order: bool = True
    """Whether every packet is the one after the one before it."""
    packets_reached: int = 0
    """Packets up to the last one, by the sequence numbers: those that are missing before it count
    as well."""
    frames_reached: int = 0
    """Frames up to the end of the last packet, likewise."""

    @property
    def file_bytes(self) -> int:
        return self.header_bytes + self.framing_bytes + self.payload_bytes + self.damaged_bytes

    @property
    def model(self) -> str:
        """The start of the SHA-256 of the model, in hex."""
        return self.header.model.hex()

    @property
    def audio_bytes(self) -> int:
        """Bytes of good packets and of the end record: those that the sound takes, without header,
        tags, picture and embedded tables."""
        return self.payload_bytes + self.framing_bytes

    @property
    def samples(self) -> int | None:
        """Exact length of the whole recording, at the original rate: of the end record, else of the
        header; None where neither says it."""
        return self.end.samples if self.end else self.header.stream.samples

    @property
    def seconds(self) -> float:
        """Duration of what the file decodes to: of the whole recording, or of a file that was cut
        up to where it was."""
        stream = self.header.stream
        if self.end:
            return self.end.samples / stream.sample_rate
        there = max(0, self.frames_reached - 1) * stream.hop / CODED_RATE
        return there if stream.samples is None else min(there, stream.samples / stream.sample_rate)

    @property
    def missing_seconds(self) -> float | None:
        """How much of the recording is missing at its end, where the file was cut; None where it
        is not known how long the recording was."""
        if self.samples is None:
            return None
        return max(0.0, self.samples / self.header.stream.sample_rate - self.seconds)

    @property
    def missing_packets(self) -> int | None:
        """Packets that the file lacks, by its end record or by the length in its header; without
        both, those that are missing between others, and None where there are none."""
        if self.end:
            return max(0, self.end.packets - self.packets)
        stream = self.header.stream
        if stream.samples is None:
            return max(0, self.packets_reached - self.packets) or None
        frames = -(-stream.samples * CODED_RATE // (stream.sample_rate * stream.hop)) + 1
        packets = -(-frames // stream.frames_per_packet) if stream.samples else 0
        return max(0, packets - self.packets)

    @property
    def mean_packet_bytes(self) -> float:
        """Of whole packets, framing included; 0 where there are none."""
        end = self.end_bytes
        return (self.payload_bytes + self.framing_bytes - end) / max(1, self.packets)

    @property
    def kbps(self) -> float | None:
        """The audio's bytes over its duration; None where that is zero. The bytes of the whole file
        are `file_bytes`."""
        return self.audio_bytes * 8 / 1000 / self.seconds if self.seconds else None


def read_info(source: Source) -> FileInfo:
    """Inspect a .nac file, checking the CRC of everything in it.

    `source` is its path ("-" is stdin), its bytes, or a file object in binary mode. Raises
    `UnreadableInput`, `NotNac`, `UnknownVersion` and `DamagedHeader`, and `TypeError` for a source
    of another type; damage after the header is reported in `damages`.
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
    """The header of a file, and nothing behind it. Raises what `read_info` does."""
    header = next(read_events(Parser(), path))
    assert isinstance(header, Header), "nothing comes before the header"
    return header


def read_events(parser: Parser, source: Source) -> Iterator[Event]:
    """Everything that a Parser finds in a file."""
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
    """Raise `DamagedPacket`, with the first thing that is wrong, unless the file is whole."""
    if info.damages:
        first, more = info.damages[0], len(info.damages) - 1
        others = f" (and {counted(more, 'more place')})" if more else ""
        lack = f"; {_missing(info)}" if info.missing_seconds else ""
        raise DamagedPacket(f"damaged at byte {first.offset}: {first.reason}{others}{lack}")
    if info.missing_packets:
        verb = "is" if info.missing_packets == 1 else "are"
        raise DamagedPacket(f"{counted(info.missing_packets, 'packet')} {verb} missing")
    if not info.in_order or info.missing_packets is None:
        raise DamagedPacket("packets are out of order")


def _missing(info: FileInfo) -> str:
    assert info.missing_seconds is not None
    whole = info.seconds + info.missing_seconds
    return f"{info.missing_seconds:.3f} s of {whole:.3f} s are missing"


def to_json(info: FileInfo) -> dict[str, Any]:
    """`info` as plain data; the names are stable, digests are hex, None is what is not known.

    `kbps` is of the audio: packets and end record, without header, tags and picture.
    """
    stream, picture = info.header.stream, info.header.picture
    return {
        "version": VERSION,
        "sample_rate": stream.sample_rate,
        "channels": stream.channels,
        "channel_mode": stream.channel_mode.name.lower(),
        "sample_format": stream.sample_format.name,
        "samples": info.samples,
        "seconds": info.seconds,
        "missing_seconds": info.missing_seconds,
        "hop": stream.hop,
        "frames_per_packet": stream.frames_per_packet,
        "stages": stream.stages,
        "model": info.model,
        "codebooks": _table_json(info.header.codebooks),
        "entropy": {
            **_table_json(info.header.entropy),
            "kind": EntropyKind(info.header.entropy.kind).name.lower(),
        },
        "tags": list(info.header.tags),
        "picture": picture and _picture_json(unpack_picture(picture)),
        "packets": info.packets,
        "missing_packets": info.missing_packets,
        "frames": info.frames,
        "file_bytes": info.file_bytes,
        "kbps": info.kbps,
        "header_bits": 8 * info.header_bytes,
        "framing_bits": 8 * info.framing_bytes,
        "payload_bits": 8 * info.payload_bytes,
        "damaged_bits": 8 * info.damaged_bytes,
        "packet_bits": {
            "min": 8 * info.least_packet_bytes,
            "mean": 8 * info.mean_packet_bytes,
            "max": 8 * info.most_packet_bytes,
        },
        "damages": [asdict(damage) for damage in info.damages],
        "end": info.end and _end_json(info.end),
    }


def _table_json(table: TableSection) -> dict[str, Any]:
    inline = None if table.inline is None else len(table.inline)
    return {"digest": table.digest.hex(), "inline_bytes": inline}


def _picture_json(picture: Picture) -> dict[str, Any]:
    return {
        "type": picture.kind,
        "mime": picture.mime,
        "description": picture.description,
        "width": picture.width,
        "height": picture.height,
        "bytes": len(picture.data),
    }


def _end_json(end: EndRecord) -> dict[str, Any]:
    return {
        "samples": end.samples,
        "packets": end.packets,
        "check": end.check.hex(),
        "seek_interval": end.interval,
        "seek_entries": len(end.seek),
    }
