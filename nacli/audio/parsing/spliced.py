"""A file as libsndfile is to see it: stretches of the real one, with other bytes in between."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate

Piece = bytes | range
"""Bytes as they are, or the positions of bytes in the real file."""


class Spliced:
    """The pieces one after another, as a seekable binary file for `soundfile`.

    `error` is what went wrong in reading the real file: libsndfile's callbacks cannot raise.
    """

    def __init__(self, descriptor: int, pieces: Iterable[Piece]) -> None:
        self._descriptor, self.pieces = descriptor, list(pieces)
        self._ends = list(accumulate(map(len, self.pieces)))
        self._at = 0
        self.error: OSError | None = None

    def read(self, size: int) -> bytes:
        """The next bytes; fewer than `size` only at the end."""
        made = b""
        number = bisect_right(self._ends, self._at)
        while len(made) < size and number < len(self.pieces):
            piece = self.pieces[number]
            start = self._at - (self._ends[number] - len(piece))
            more = self._bytes_of(piece[start : start + size - len(made)])
            if not more:
                break
            made += more
            self._at += len(more)
            number = bisect_right(self._ends, self._at)
        return made

    def _bytes_of(self, piece: Piece) -> bytes:
        if isinstance(piece, bytes):
            return piece
        try:
            return os.pread(self._descriptor, len(piece), piece.start)
        except OSError as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        length = self._ends[-1] if self._ends else 0
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: length}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at


def patched(size: int, patches: Mapping[int, bytes]) -> list[Piece]:
    """The pieces of a file of `size` bytes with others at the positions of `patches`."""
    pieces: list[Piece] = []
    at = 0
    for position in sorted(patches):
        pieces += [range(at, position), patches[position]]
        at = position + len(patches[position])
    return [*pieces, range(at, max(at, size))]
