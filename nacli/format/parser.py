"""Parse a .nac stream as it arrives: bytes are pushed in; header, packets and damage come out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nacli.errors import DamagedHeader, NotNac, UnknownVersion
from nacli.format.header import (
    FRONT_BYTES,
    MAGIC,
    MAX_HEADER_BYTES,
    VERSION,
    Tag,
    find_section,
    unpack_header,
)
from nacli.format.packets import record_size, unpack_record
from nacli.format.records import Damage, EndRecord, Header, Packet, StreamInfo
from nacli.format.wire import CRC_BYTES, Short

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
        self._buffer = bytearray()
        self._offset = 0
        self._section = FRONT_BYTES
        """Offset of the first section of the header that has not been found."""
        self._header: Header | None = None
        self._ended = False
        self._after = ""
        """Why all following bytes are damage; empty before the end of the file."""
        self._damage: Damage | None = None
        self._crc_bytes = 0

    @property
    def offset(self) -> int:
        """Offset in the file of the end of the last event."""
        return self._offset

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes, however many; yield the events that they complete."""
        self._buffer += data
        return self._events(final=False)

    def jump(self) -> None:
        """Announce that the next bytes come from further on in the file, where a record starts."""
        self._buffer.clear()

    def finish(self) -> Iterator[Event]:
        """Announce the end of the file; yield the remaining events."""
        return self._events(final=True)

    def _events(self, final: bool) -> Iterator[Event]:
        if self._header is None:
            self._header = self._read_header(final)
            if self._header is None:
                return
            yield self._header
        yield from self._records(self._header.stream, final)
        if final:
            yield from self._close_damage()
            if not self._ended:
                yield Damage(self._offset, 0, "the end record is missing")

    # The header.

    def _read_header(self, final: bool) -> Header | None:
        """Return the header; None while it is incomplete."""
        try:
            self._check_front(final)
            size = self._header_size()
            header = unpack_header(self._peek(size))
        except Short:
            if final:
                raise DamagedHeader("the file ends inside its header") from None
            return None
        except ValueError as fault:
            raise DamagedHeader(f"damaged header: {fault}") from fault
        self._consume(size)
        return header

    def _check_front(self, final: bool) -> None:
        """Check magic and version. Raises `Short`, `NotNac` and `UnknownVersion`."""
        start = bytes(self._buffer[: len(MAGIC)])
        if not MAGIC.startswith(start) or (final and start != MAGIC):
            raise NotNac("not a .nac file" if start else "not a .nac file: it is empty")
        version = self._peek(FRONT_BYTES)[-1]
        if version != VERSION:
            raise UnknownVersion(f".nac version {version} is not known, only version {VERSION}")

    def _header_size(self) -> int:
        """Return the size of the header in bytes. The search continues at the first section that
        was not found before, so that many small sections take only linear time."""
        while True:
            tag, end = find_section(self._buffer, self._section)
            if end + CRC_BYTES > MAX_HEADER_BYTES:
                raise ValueError(f"it has more than {MAX_HEADER_BYTES} bytes")
            if tag == Tag.END:
                return end + CRC_BYTES
            self._section = end

    # Packets and the end record.

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
                self._consume(size)
                self._ended = isinstance(record, EndRecord)
                yield record
        if self._buffer:
            self._add_damage(len(self._buffer), self._after)

    def _is_joined(self, final: bool) -> bool:
        """Tell whether another file starts here. Raises `Short` while too few bytes are there."""
        start = bytes(self._buffer[: len(_FILE_START)])
        if len(start) < len(_FILE_START) and _FILE_START.startswith(start) and not final:
            raise Short
        return start == _FILE_START

    def _read_record(self, stream: StreamInfo) -> tuple[Packet | EndRecord, int]:
        """Return the next record and its size. Raises `Short` and `ValueError`."""
        size = record_size(self._buffer, stream)
        self._require(size)
        if self._crc_bytes + size > _MIN_CRC_BYTES + _CRC_BYTES_PER_BYTE * (self._offset + size):
            raise ValueError("too many false starts of packets")
        self._crc_bytes += size
        return unpack_record(self._peek(size), stream), size

    def _skip(self, reason: str) -> None:
        """Add the bytes up to the next possible start of a record or file to the damage."""
        start = _POSSIBLE_START.search(self._buffer, 1)
        self._add_damage(start.start() if start else len(self._buffer), reason)

    def _add_damage(self, count: int, reason: str) -> None:
        """Add `count` bytes to the current run of damage, which keeps its first reason."""
        run = self._damage or Damage(self._offset, 0, reason)
        self._damage = Damage(run.offset, run.length + count, run.reason)
        self._consume(count)

    def _close_damage(self) -> Iterator[Damage]:
        """Yield the current run of damage, if there is one."""
        if self._damage:
            damage, self._damage = self._damage, None
            yield damage

    # The buffer.

    def _require(self, count: int) -> None:
        """Raise `Short` unless `count` bytes are buffered."""
        if len(self._buffer) < count:
            raise Short

    def _peek(self, count: int) -> bytes:
        """Return the next bytes. Raises `Short`."""
        self._require(count)
        return bytes(self._buffer[:count])

    def _consume(self, count: int) -> None:
        """Remove the next bytes."""
        del self._buffer[:count]
        self._offset += count
