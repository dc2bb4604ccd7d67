"""Reads a .nac stream as it comes: bytes are pushed in, header, packets and damage come out."""

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
"""The reason of damage that is a second file, put behind this one: it is left alone."""
_FRONT = MAGIC + bytes([VERSION])
_POSSIBLE_START = re.compile(
    rb"\xac(?:[\xe0\xe1\xf0]|\Z)|\x8f(?:n|na|nac)?\Z|" + re.escape(_FRONT), re.DOTALL
)
"""Of a record, or of another file."""
_FREE_CHECKS = 4 << 20
_CHECKS_PER_BYTE = 32
"""Bytes put through the CRC, for free and for every byte of the file: so much only a crafted file
needs, with a false packet starting at every turn; without a limit it would cost quadratic time."""


class Parser:
    """A push parser of one .nac file; however the bytes are cut, the events are the same.

    It holds back at most the header or one packet. What is no good record becomes one `Damage` for
    each run of such bytes, and reading goes on at the next record whose CRC holds. Without a header
    nothing can be read, so there the first fault raises: `NotNac`, `UnknownVersion` or
    `DamagedHeader`. Where another file begins, reading ends: its bytes are one `Damage`, whose
    reason is `JOINED`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self._section = FRONT_BYTES
        self._header: Header | None = None
        self._ended = False
        self._after = ""
        self._damage: Damage | None = None
        self._checked = 0

    @property
    def offset(self) -> int:
        """Bytes of the file up to the end of the last event."""
        return self._offset

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next bytes, of any number; yield what they complete."""
        self._buffer += data
        return self._events(final=False)

    def jump(self) -> None:
        """Say that the next bytes come from further on in the file, where a record starts."""
        self._buffer.clear()

    def finish(self) -> Iterator[Event]:
        """Say that no more bytes come; yield what is left."""
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
        start = bytes(self._buffer[: len(MAGIC)])
        if not MAGIC.startswith(start) or (final and start != MAGIC):
            raise NotNac("not a .nac file" if start else "not a .nac file: it is empty")
        version = self._peek(FRONT_BYTES)[-1]
        if version != VERSION:
            raise UnknownVersion(f".nac version {version} is not known, only version {VERSION}")

    def _header_size(self) -> int:
        """Bytes of the header. A section that was found is not looked for again with the next
        bytes, so that many small ones take no more than linear time."""
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
            self._lose(len(self._buffer), self._after)

    def _is_joined(self, final: bool) -> bool:
        """Whether the next bytes are the start of a file; `Short` while that cannot be told."""
        start = bytes(self._buffer[: len(_FRONT)])
        if len(start) < len(_FRONT) and _FRONT.startswith(start) and not final:
            raise Short
        return start == _FRONT

    def _read_record(self, stream: StreamInfo) -> tuple[Packet | EndRecord, int]:
        size = record_size(self._buffer, stream)
        self._await(size)
        if self._checked + size > _FREE_CHECKS + _CHECKS_PER_BYTE * (self._offset + size):
            raise ValueError("too many false starts of packets")
        self._checked += size
        return unpack_record(self._peek(size), stream), size

    def _skip(self, reason: str) -> None:
        """Give up on what starts the buffer, up to where the next record or file may start."""
        start = _POSSIBLE_START.search(self._buffer, 1)
        self._lose(start.start() if start else len(self._buffer), reason)

    def _lose(self, count: int, reason: str) -> None:
        """Add `count` bytes to the present run of damage, whose first reason stands."""
        run = self._damage or Damage(self._offset, 0, reason)
        self._damage = Damage(run.offset, run.length + count, run.reason)
        self._consume(count)

    def _close_damage(self) -> Iterator[Damage]:
        if self._damage:
            damage, self._damage = self._damage, None
            yield damage

    # The buffer.

    def _await(self, count: int) -> None:
        if len(self._buffer) < count:
            raise Short

    def _peek(self, count: int) -> bytes:
        self._await(count)
        return bytes(self._buffer[:count])

    def _consume(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count
