"""Parse the header of a stream as its bytes arrive."""

from __future__ import annotations

from nacli.errors import DamagedHeader, NotNac, UnknownVersion
from nacli.format.buffer import Buffer
from nacli.format.header import (
    FRONT_BYTES,
    MAGIC,
    MAX_HEADER_BYTES,
    VERSION,
    Tag,
    find_section,
    unpack_header,
)
from nacli.format.records import Header
from nacli.format.wire import CRC_BYTES, Short


class HeaderParser:
    """Reads the header at the start of a buffer, once it is complete."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._section = FRONT_BYTES
        """Offset of the first section that has not been found."""

    def read(self, final: bool) -> Header | None:
        """Consume and return the header; None while it is incomplete.

        Args:
            final: whether no more bytes will come.

        Raises `NotNac`, `UnknownVersion` and `DamagedHeader`, as early as the bytes permit.
        """
        try:
            self._check_front(final)
            size = self._size()
            header = unpack_header(self._buffer.peek(size))
        except Short:
            if final:
                raise DamagedHeader("the file ends inside its header") from None
            return None
        except ValueError as fault:
            raise DamagedHeader(f"damaged header: {fault}") from fault
        self._buffer.consume(size)
        return header

    def _check_front(self, final: bool) -> None:
        """Check magic and version. Raises `Short`, `NotNac` and `UnknownVersion`."""
        start = bytes(self._buffer.data[: len(MAGIC)])
        if not MAGIC.startswith(start) or (final and start != MAGIC):
            raise NotNac("not a .nac file" if start else "not a .nac file: it is empty")
        version = self._buffer.peek(FRONT_BYTES)[-1]
        if version != VERSION:
            raise UnknownVersion(f".nac version {version} is not known, only version {VERSION}")

    def _size(self) -> int:
        """Return the size of the header in bytes. The search continues at the first section that
        was not found before, so that many small sections take only linear time."""
        while True:
            tag, end = find_section(self._buffer.data, self._section)
            if end + CRC_BYTES > MAX_HEADER_BYTES:
                raise ValueError(f"it has more than {MAX_HEADER_BYTES} bytes")
            if tag == Tag.END:
                return end + CRC_BYTES
            self._section = end
