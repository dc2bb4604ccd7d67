"""A file made of pieces: byte ranges of a real file, with other bytes between them."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate

Piece = bytes | range
"""Literal bytes, or the offsets of bytes in the real file."""


class SplicedFile:
    """The pieces one after another, as a seekable binary file for `soundfile`.

    libsndfile's callbacks cannot raise, so an error in reading the real file is kept in `error`.
    """

    def __init__(self, descriptor: int, pieces: Iterable[Piece]) -> None:
        self._descriptor, self.pieces = descriptor, list(pieces)
        self._ends = list(accumulate(map(len, self.pieces)))
        self._at = 0
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer than `size` only at the end."""
        data = b""
        number = bisect_right(self._ends, self._at)
        while len(data) < size and number < len(self.pieces):
            piece = self.pieces[number]
            start = self._at - (self._ends[number] - len(piece))
            more = self._bytes_of(piece[start : start + size - len(data)])
            if not more:
                break
            data += more
            self._at += len(more)
            number = bisect_right(self._ends, self._at)
        return data

    def _bytes_of(self, piece: Piece) -> bytes:
        if isinstance(piece, bytes):
            return piece
        try:
            return os.pread(self._descriptor, len(piece), piece.start)
        except OSError as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position, as `io.IOBase.seek` does."""
        length = self._ends[-1] if self._ends else 0
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: length}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at


def patched(size: int, patches: Mapping[int, bytes]) -> list[Piece]:
    """Return the pieces of a file of `size` bytes in which `patches` replace the bytes at their
    offsets."""
    pieces: list[Piece] = []
    at = 0
    for offset in sorted(patches):
        pieces += [range(at, offset), patches[offset]]
        at = offset + len(patches[offset])
    return [*pieces, range(at, max(at, size))]
