"""Find a packet of a file by its number, with the seek table of the end record."""

from __future__ import annotations

import os
from typing import BinaryIO

from nacli.format.packets import END_TRAILER, record_size, unpack_record
from nacli.format.records import EndRecord, Packet, StreamInfo
from nacli.format.wire import CRC_BYTES, Short

_MAX_FRONT_BYTES = 64
"""Bytes that hold all fields of a packet before its payload, and more."""


def find_packet(file: BinaryIO, info: StreamInfo, first: int, packet: int) -> tuple[int, int]:
    """Return the number and the offset of the last packet up to `packet` that is in the seek table.

    `first` is the offset of packet 0, which is returned if the table cannot be used: if the file
    was cut short, or is damaged at the offset. A packet with the right sequence number must be at
    the offset, so a wrong table costs time but no sound. Moves the position of `file`.
    """
    end = _end_record(file, info)
    if end is None or not end.seek:
        return 0, first
    entry = min(packet // end.interval, len(end.seek))
    number, offset = entry * end.interval, first + (0, *end.seek)[entry]
    record = _record_at(file, info, offset)
    if isinstance(record, Packet) and record.sequence == number & 0xFFFF:
        return number, offset
    return 0, first


def _end_record(file: BinaryIO, info: StreamInfo) -> EndRecord | None:
    """Return the end record, which the last bytes of a file point to; None if there is none."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_TRAILER.size - CRC_BYTES))
    trailer = file.read(END_TRAILER.size)
    length = END_TRAILER.unpack(trailer)[0] if len(trailer) == END_TRAILER.size else 0
    if not 0 < length <= size:
        return None
    record = _record_at(file, info, size - length)
    return record if isinstance(record, EndRecord) else None


def _record_at(file: BinaryIO, info: StreamInfo, offset: int) -> Packet | EndRecord | None:
    """Return the record at an offset; None if no whole record is there."""
    file.seek(offset)
    front = file.read(_MAX_FRONT_BYTES)
    try:
        size = record_size(front, info)
        return unpack_record(front[:size] + file.read(max(0, size - len(front))), info)
    except (Short, ValueError):
        return None
