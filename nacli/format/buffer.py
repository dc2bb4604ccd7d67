"""The bytes of a stream that a parser has been given and has not consumed."""

from __future__ import annotations

from nacli.format.wire import Short


class Buffer:
    """A queue of bytes. `offset` counts the bytes that have been consumed."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.offset = 0

    def __len__(self) -> int:
        return len(self.data)

    def peek(self, count: int) -> bytes:
        """Return the next bytes. Raises `Short` if fewer are there."""
        self.require(count)
        return bytes(self.data[:count])

    def require(self, count: int) -> None:
        """Raise `Short` unless `count` bytes are there."""
        if len(self.data) < count:
            raise Short

    def consume(self, count: int) -> None:
        """Remove the next bytes."""
        del self.data[:count]
        self.offset += count
