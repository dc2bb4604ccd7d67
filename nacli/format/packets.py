"""Convert packets and the end record to bytes and back."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import pairwise

from nacli.format.header import pack_header
from nacli.format.records import (
    DIGEST_BYTES,
    FIRST_SEEK_INTERVAL,
    MAX_SAMPLES,
    MAX_SEEK_ENTRIES,
    EndRecord,
    Header,
    Packet,
    StreamInfo,
)
from nacli.format.wire import CRC_BYTES, MAX_U32, MAX_U64, Reader, pack_varint, seal, unseal

PACKET_SYNC = 0xACE0
END_SYNC = 0xACF0
FLAG_FRAMES = 1
"""Flag of a packet that has a frame count of its own."""
END_MAGIC = b"nE"
"""Mark near the end of a file, by which the end record is recognised."""

_SYNC = struct.Struct(">H")
_SEQUENCE = struct.Struct("<H")
END_TRAILER = struct.Struct("<H2s")
"""Length of the end record and `END_MAGIC`, the last fields before the CRC."""
_MAX_SEEK_BYTES = 10 * MAX_SEEK_ENTRIES
"""Largest size of the seek entries, each of at most 64 bits. The record's length then fits 16
bits."""


def _read_packet_front(reader: Reader, stream: StreamInfo) -> tuple[int, int, tuple[int, ...], int]:
    """Read sequence, frame count, levels and payload length, all fields before the payload."""
    (sync,) = reader.fields(_SYNC)
    if sync not in (PACKET_SYNC, PACKET_SYNC | FLAG_FRAMES):
        raise ValueError("no packet starts here")
    (sequence,) = reader.fields(_SEQUENCE)
    frames = stream.frames_per_packet
    if sync & FLAG_FRAMES:
        frames = reader.varint("frame count", stream.frames_per_packet)
    levels = tuple(reader.take(stream.channels))
    return sequence, frames, levels, reader.varint("payload length", stream.payload_limit(frames))


def pack_packet(packet: Packet, frames_per_packet: int) -> bytes:
    """Pack a packet of a stream that has `frames_per_packet` in its header."""
    short = packet.frames != frames_per_packet
    sync = PACKET_SYNC | FLAG_FRAMES if short else PACKET_SYNC
    return seal(
        _SYNC.pack(sync)
        + _SEQUENCE.pack(packet.sequence)
        + (pack_varint(packet.frames) if short else b"")
        + bytes(packet.levels)
        + pack_varint(len(packet.payload))
        + packet.payload
    )


def packet_cost(channels: int, payload_bytes: int, frames: int, frames_per_packet: int) -> int:
    """Return the size in bytes of a packet with a payload of `payload_bytes` bytes."""
    count = 0 if frames == frames_per_packet else len(pack_varint(frames))
    length = len(pack_varint(payload_bytes))
    return _SYNC.size + _SEQUENCE.size + count + channels + length + payload_bytes + CRC_BYTES


# End record.


class SeekTable:
    """Collects the seek table while packets are written, in bounded memory.

    An entry is the distance in bytes from the first packet to every `interval`-th packet. When the
    table is full, every second entry is dropped and the interval doubles.
    """

    def __init__(self) -> None:
        self.interval = FIRST_SEEK_INTERVAL
        self.packets = 0
        self._bytes = 0
        self._entries: list[int] = []

    @property
    def entries(self) -> tuple[int, ...]:
        """The entries so far."""
        return tuple(self._entries)

    def add(self, packet_bytes: int) -> None:
        """Add the next packet, which has `packet_bytes` bytes with its framing."""
        if self.packets and self.packets % self.interval == 0:
            self._entries.append(self._bytes)
        if len(self._entries) > MAX_SEEK_ENTRIES:
            self._entries = self._entries[1::2]
            self.interval *= 2
        self.packets += 1
        self._bytes += packet_bytes


def _read_end_front(reader: Reader) -> tuple[int, int, bytes, int, int]:
    """Read samples, packets, check, seek interval, and the size of the seek entries in bytes."""
    reader.fields(_SYNC)
    samples = reader.varint("sample count", MAX_SAMPLES)
    packets = reader.varint("packet count", MAX_U32)
    check = reader.take(DIGEST_BYTES)
    interval = reader.varint("seek interval", MAX_U32)
    return samples, packets, check, interval, reader.varint("seek table", _MAX_SEEK_BYTES)


def pack_end(end: EndRecord) -> bytes:
    """Pack the end record, with which the file ends."""
    entries = b"".join(pack_varint(after - before) for before, after in pairwise((0, *end.seek)))
    body = (
        _SYNC.pack(END_SYNC)
        + pack_varint(end.samples)
        + pack_varint(end.packets)
        + end.check
        + pack_varint(end.interval)
        + pack_varint(len(entries))
        + entries
    )
    return seal(body + END_TRAILER.pack(len(body) + END_TRAILER.size + CRC_BYTES, END_MAGIC))


def _unpack_end(record: bytes) -> EndRecord:
    """Unpack a whole end record. Raises `ValueError`."""
    reader = Reader(unseal(record), whole=True)
    samples, packets, check, interval, table_bytes = _read_end_front(reader)
    entries = Reader(reader.take(table_bytes), whole=True)
    seek: list[int] = []
    while entries.at < table_bytes:
        seek.append((seek[-1] if seek else 0) + entries.varint("seek entry", MAX_U64))
    if reader.fields(END_TRAILER) != (len(record), END_MAGIC):
        raise ValueError("the end record does not close")
    return EndRecord(samples, packets, check, interval, tuple(seek))


def fixed_bytes(header: Header) -> int:
    """Return the bytes of header and end record without seek entries, tags, picture and inline
    tables."""
    bare = replace(
        header,
        codebooks=replace(header.codebooks, inline=None),
        entropy=replace(header.entropy, inline=None),
        tags=(),
        picture=None,
    )
    end = EndRecord(header.stream.samples or 0, 0, bytes(DIGEST_BYTES))
    return len(pack_header(bare)) + len(pack_end(end))


# Records: packets and the end record, distinguished by the sync pattern.


def record_size(data: bytes | bytearray, stream: StreamInfo) -> int:
    """Return the size in bytes of the record with which `data` starts. Raises `Short` while too few
    bytes are there, and `ValueError` if none starts."""
    reader = Reader(data)
    if data[: _SYNC.size] == _SYNC.pack(END_SYNC):
        *_, table_bytes = _read_end_front(reader)
        return reader.at + table_bytes + END_TRAILER.size + CRC_BYTES
    *_, payload_bytes = _read_packet_front(reader, stream)
    return reader.at + payload_bytes + CRC_BYTES


def unpack_record(record: bytes, stream: StreamInfo) -> Packet | EndRecord:
    """Unpack a whole record. Raises `ValueError`."""
    if record.startswith(_SYNC.pack(END_SYNC)):
        return _unpack_end(record)
    reader = Reader(unseal(record), whole=True)
    sequence, frames, levels, _ = _read_packet_front(reader, stream)
    return Packet(sequence, frames, levels, reader.rest())
