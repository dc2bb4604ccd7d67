"""A view of a file that limits how much the readers of tags can read."""

from __future__ import annotations

import os


class BoundedFile:
    """A read-only binary file with a budget of bytes. The position of the descriptor never moves.

    When the readers have read more than any tags can need, `read` raises `ValueError`.
    """

    BUDGET = 64 << 20
    """Bytes that may be read."""
    READ_COST = 1024
    """Bytes that every call of `read` costs beside its size: many tiny reads take time too."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._at, self._budget = descriptor, 0, self.BUDGET
        self._size = os.fstat(descriptor).st_size

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or the rest of the file; fewer only at its end."""
        left = max(0, self._size - self._at)
        size = left if size < 0 else min(size, left)
        self._budget -= size + self.READ_COST
        if self._budget < 0:
            raise ValueError("the tags are longer than any that are kept")
        data = os.pread(self._descriptor, size, self._at) if size else b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as `io.IOBase.seek` does."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a position before the start of the file")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at
