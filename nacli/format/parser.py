"""Parse a .nac stream as it arrives: bytes are pushed in; header, packets and damage come out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nacli.format.buffer import Buffer
from nacli.format.header import MAGIC, VERSION
from nacli.format.header_parser import HeaderParser
from nacli.format.packets import record_size, unpack_record
from nacli.format.records import Damage, EndRecord, Header, Packet, StreamInfo
from nacli.format.wire import Short

Event = Header | Packet | EndRecord | Damage

JOINED = "another .nac file begins here"
"""Reason of the damage event for a second file that was appended to this one."""
_FILE_START = MAGIC + bytes([VERSION])
_POSSIBLE_START = re.compile(
    rb"\xac(?:[\xe0\xe1\xf0]|\Z)|\x8f(?:n|na|nac)?\Z|" + re.escape(_FILE_START), re.DOTALL
)
"""Bytes with which a record or another file may start."""
_MIN_CRC_BYTES = 4 << 20
_CRC_BYTES_PER_BYTE = 32
"""Limit of the bytes whose CRC is computed: a constant, and a multiple of the bytes of the file.
Only crafted files with false packet starts everywhere reach it; without it they would take
quadratic time."""


class Parser:
    """A push parser of one .nac file. The events do not depend on how the bytes are cut into calls.

    It buffers at most the header or one packet. Each run of bytes that are no valid record becomes
    one `Damage`, and parsing continues at the next record whose CRC is valid. Nothing can be read
    without a header, so a fault in the header raises `NotNac`, `UnknownVersion` or `DamagedHeader`.
    If another file was appended, its bytes become one `Damage` with the reason `JOINED`.
    """

    def __init__(self) -> None:
        self._buffer = Buffer()
        self._header_parser = HeaderParser(self._buffer)
        self._header: Header | None = None
        self._ended = False
        self._after = ""
        """Why all following bytes are damage; empty before the end of the file."""
        self._damage: Damage | None = None
        self._crc_bytes = 0

    @property
    def offset(self) -> int:
        """Offset in the file of the end of the last event."""
        return self._buffer.offset

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes, however many; yield the events that they complete."""
        self._buffer.data += data
        return self._events(final=False)

    def jump(self) -> None:
        """Announce that the next bytes come from further on in the file, where a record starts."""
        self._buffer.data.clear()

    def finish(self) -> Iterator[Event]:
        """Announce the end of the file; yield the remaining events."""
        return self._events(final=True)

    def _events(self, final: bool) -> Iterator[Event]:
        if self._header is None:
            self._header = self._header_parser.read(final)
            if self._header is None:
                return
            yield self._header
        yield from self._records(self._header.stream, final)
        if final:
            yield from self._close_damage()
            if not self._ended:
                yield Damage(self._buffer.offset, 0, "the end record is missing")

    def _records(self, stream: StreamInfo, final: bool) -> Iterator[Event]:
        while self._buffer and not self._after:
            try:
                if self._is_joined(final):
                    yield from self._close_damage()
                    self._after = JOINED
                    break
                if self._ended:
                    self._after = "data after the end record"
                    break
                record, size = self._read_record(stream)
            except Short:
                if not final:
                    return
                self._skip("the file ends inside a packet")
            except ValueError as fault:
                self._skip(str(fault))
            else:
                yield from self._close_damage()
                self._buffer.consume(size)
                self._ended = isinstance(record, EndRecord)
                yield record
        if self._buffer:
            self._add_damage(len(self._buffer), self._after)

    def _is_joined(self, final: bool) -> bool:
        """Tell whether another file starts here. Raises `Short` while too few bytes are there."""
        start = bytes(self._buffer.data[: len(_FILE_START)])
        if len(start) < len(_FILE_START) and _FILE_START.startswith(start) and not final:
            raise Short
        return start == _FILE_START

    def _read_record(self, stream: StreamInfo) -> tuple[Packet | EndRecord, int]:
        """Return the next record and its size. Raises `Short` and `ValueError`."""
        size = record_size(self._buffer.data, stream)
        self._buffer.require(size)
        limit = _MIN_CRC_BYTES + _CRC_BYTES_PER_BYTE * (self._buffer.offset + size)
        if self._crc_bytes + size > limit:
            raise ValueError("too many false starts of packets")
        self._crc_bytes += size
        return unpack_record(self._buffer.peek(size), stream), size

    def _skip(self, reason: str) -> None:
        """Add the bytes up to the next possible start of a record or file to the damage."""
        start = _POSSIBLE_START.search(self._buffer.data, 1)
        self._add_damage(start.start() if start else len(self._buffer), reason)

    def _add_damage(self, count: int, reason: str) -> None:
        """Add `count` bytes to the current run of damage, which keeps its first reason."""
        run = self._damage or Damage(self._buffer.offset, 0, reason)
        self._damage = Damage(run.offset, run.length + count, run.reason)
        self._buffer.consume(count)

    def _close_damage(self) -> Iterator[Damage]:
        """Yield the current run of damage, if there is one."""
        if self._damage:
            damage, self._damage = self._damage, None
            yield damage
