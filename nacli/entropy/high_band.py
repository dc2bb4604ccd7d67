"""Levels of the high band in a payload, by tables: in how many bands there is any sound, and how
levels change from span to span."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.frequencies import Coder, Frequencies, Rows
from nacli.types import Integers

ROWS = 6
"""The first span's lowest level, and what others of it differ by from the one below; then changes:
of the lowest band, and of a band where the one below has fallen, stayed or risen."""


class HighBandTables:
    """Probabilities of how many bands sound in a packet, from the lowest on, and of what their
    levels change by."""

    def __init__(self, numbers: Frequencies, changes: Frequencies) -> None:
        """Of numbers, one row [1, B + 1], and of changes, rows [ROWS, 2 L - 1]; `ValueError` for
        any other shape."""
        if numbers.ndim != 2 or len(numbers) != 1 or changes.ndim != 2:
            raise ValueError("the tables of the high band have the wrong shape")
        self.numbers, self.changes = numbers, changes
        self.bands = numbers.shape[1] - 1
        """Bands that may sound."""
        rows, width = changes.shape
        if (rows, width % 2) != (ROWS, 1) if self.bands else rows:
            raise ValueError("the tables of the high band lack rows")
        self.levels = (width + 1) // 2
        """Of a band; 0 is no sound."""
        self._numbers, self._rows = Rows(numbers[: self.bands]), Rows(changes)

    @classmethod
    def none(cls) -> HighBandTables:
        """Of a model without a high band."""
        return cls(np.full((1, 1), 1 << 24, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Bands and levels as uint16, then the rows as uint32, that of numbers first;
        little-endian."""
        shape = np.array([self.bands, self.levels if self.bands else 0], dtype="<u2")
        rows = (self.numbers, self.changes) if self.bands else ()
        return shape.tobytes() + b"".join(row.astype("<u4").tobytes() for row in rows)

    def bits(self, levels: Integers) -> float:
        """What the levels [S, n] of a channel's spans take."""
        rows, steps = changes(levels)
        symbols = self._rows.bits[rows, steps + self.levels - 1]
        return float(self._numbers.bits[0, levels.shape[1]] + symbols.sum())

    def push(self, coder: Coder, levels: Integers) -> None:
        rows, steps = (column.ravel().tolist() for column in changes(levels))
        for row, step in zip(reversed(rows), reversed(steps), strict=True):
            coder.encode_reverse(step + self.levels - 1, self._rows.models[row])
        coder.encode_reverse(levels.shape[1], self._numbers.models[0])

    def pop(self, coder: Coder, spans: int) -> Integers:
        """Levels [S, n] of so many spans. `ValueError` for some that no encoder writes."""
        bands = int(coder.decode(self._numbers.models[0]))
        levels = np.zeros((spans, bands), dtype=np.int32)
        before = [0] * bands
        for span in range(spans):
            row, below = (2, 0) if span else (0, 0)
            for band in range(bands):
                step = int(coder.decode(self._rows.models[row])) - self.levels + 1
                if span:
                    level, row = before[band] + step, 4 + (step > 0) - (step < 0)
                else:
                    level, row = below + step, 1
                if not 0 <= level < self.levels:
                    raise ValueError("levels of the high band are out of range")
                before[band] = below = level
            levels[span] = before
        return levels


def changes(levels: Integers) -> tuple[NDArray[np.intp], Integers]:
    """The row of each level [S, n], and what it differs by from the one before it in its band; in
    the first span, from the one below."""
    steps = np.diff(levels, axis=0, prepend=np.zeros_like(levels[:1]))
    steps[:1] = np.diff(levels[:1], axis=1, prepend=0)
    rows = np.full(levels.shape, 2, dtype=np.intp)
    rows[1:, 1:] = 4 + np.sign(steps[1:, :-1])
    rows[:1, :1], rows[:1, 1:] = 0, 1
    return rows, steps
