"""Finds a packet of a file by its number, with the seek table of the end record."""

from __future__ import annotations

import os
from typing import BinaryIO

from nacli.format.packets import END_TRAILER, record_size, unpack_record
from nacli.format.records import EndRecord, Packet, StreamInfo
from nacli.format.wire import CRC_BYTES, Short

_MAX_FRONT_BYTES = 64
"""What stands before the payload of a packet is shorter."""


def find_packet(file: BinaryIO, info: StreamInfo, first: int, packet: int) -> tuple[int, int]:
    """The last packet up to `packet` that the seek table knows, and its offset in the file.

    `first` is the offset of packet 0, which is the answer where the table is of no use: in a file
    that was cut off, or is damaged there. What lies at the offset is looked at, so that a table
    which is wrong costs time and no sound. Moves `file`.
    """
    end = _end_record(file, info)
    if end is None or not end.seek:
        return 0, first
    entry = min(packet // end.interval, len(end.seek))
    number, offset = entry * end.interval, first + (0, *end.seek)[entry]
    found = _record_at(file, info, offset)
    if isinstance(found, Packet) and found.sequence == number & 0xFFFF:
        return number, offset
    return 0, first


def _end_record(file: BinaryIO, info: StreamInfo) -> EndRecord | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - END_TRAILER.size - CRC_BYTES))
    trailer = file.read(END_TRAILER.size)
    length = END_TRAILER.unpack(trailer)[0] if len(trailer) == END_TRAILER.size else 0
    if not 0 < length <= size:
        return None
    record = _record_at(file, info, size - length)
    return record if isinstance(record, EndRecord) else None


def _record_at(file: BinaryIO, info: StreamInfo, offset: int) -> Packet | EndRecord | None:
    """The record at an offset; None where there is none that is whole."""
    file.seek(offset)
    front = file.read(_MAX_FRONT_BYTES)
    try:
        size = record_size(front, info)
        return unpack_record(front[:size] + file.read(max(0, size - len(front))), info)
    except (Short, ValueError):
        return None
