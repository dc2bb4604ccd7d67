"""Levels of the high band in a payload, coded as differences by fixed tables.

A packet has the number of bands with sound, counted from the lowest, then the levels of these
bands, span by span. In the first span each level is coded as the difference from that of the band
below; in later spans, as the difference from that of the same band one span before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.frequencies import Coder, Frequencies, FrequencyTable
from nacli.types import Integers

CONTEXTS = 6
"""Number of rows of the table of differences. In the first span the lowest band has row 0 and the
others have row 1. In later spans the lowest band has row 2, and bands above a band whose level has
fallen, stayed or risen have rows 3 to 5."""
FIRST_LOWEST, FIRST_OTHERS, LOWEST, STAYED = 0, 1, 2, 4


class HighBandTables:
    """Probabilities of the number of bands with sound, and of the differences of their levels."""

    def __init__(self, band_counts: Frequencies, differences: Frequencies) -> None:
        """Set up the tables.

        Args:
            band_counts: frequencies of the number of bands [1, B + 1].
            differences: frequencies of the differences -(L - 1) to L - 1 [CONTEXTS, 2 L - 1].

        Raises:
            ValueError: a table has another shape, or a row does not sum to 2**24.
        """
        if band_counts.ndim != 2 or len(band_counts) != 1 or differences.ndim != 2:
            raise ValueError("the tables of the high band have the wrong shape")
        self.band_counts, self.differences = band_counts, differences
        self.bands = band_counts.shape[1] - 1
        """Largest number of bands."""
        rows, width = differences.shape
        if (rows, width % 2) != (CONTEXTS, 1) if self.bands else rows:
            raise ValueError("the tables of the high band lack rows")
        self.levels = (width + 1) // 2
        """Number of levels of a band; level 0 is silence."""
        self._counts = FrequencyTable(band_counts[: self.bands])
        self._differences = FrequencyTable(differences)

    @classmethod
    def none(cls) -> HighBandTables:
        """Return the tables of a model without a high band."""
        return cls(np.full((1, 1), 1 << 24, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Return the numbers of bands and of levels as uint16, then both tables as uint32;
        little-endian."""
        shape = np.array([self.bands, self.levels if self.bands else 0], dtype="<u2")
        tables = (self.band_counts, self.differences) if self.bands else ()
        return shape.tobytes() + b"".join(table.astype("<u4").tobytes() for table in tables)

    def bits(self, levels: Integers) -> float:
        """Return the bits that the levels [S, n] of a channel take."""
        rows, differences = level_differences(levels)
        bits = self._differences.bits[rows, differences + self.levels - 1]
        return float(self._counts.bits[0, levels.shape[1]] + bits.sum())

    def push(self, coder: Coder, levels: Integers) -> None:
        """Encode the levels [S, n] of a channel, the last one first."""
        rows, differences = (column.ravel().tolist() for column in level_differences(levels))
        for row, difference in zip(reversed(rows), reversed(differences), strict=True):
            coder.encode_reverse(difference + self.levels - 1, self._differences.models[row])
        coder.encode_reverse(levels.shape[1], self._counts.models[0])

    def pop(self, coder: Coder, spans: int) -> Integers:
        """Decode the levels [S, n] of a channel. Raises `ValueError` for levels that are out of
        range, which no encoder writes."""
        bands = int(coder.decode(self._counts.models[0]))
        levels = np.zeros((spans, bands), dtype=np.int32)
        before = [0] * bands
        for span in range(spans):
            row, below = (LOWEST if span else FIRST_LOWEST), 0
            for band in range(bands):
                difference = int(coder.decode(self._differences.models[row])) - self.levels + 1
                if span:
                    level = before[band] + difference
                    row = STAYED + (difference > 0) - (difference < 0)
                else:
                    level, row = below + difference, FIRST_OTHERS
                if not 0 <= level < self.levels:
                    raise ValueError("levels of the high band are out of range")
                before[band] = below = level
            levels[span] = before
        return levels


def level_differences(levels: Integers) -> tuple[NDArray[np.intp], Integers]:
    """Return for each level [S, n] its row in the table of differences, and its difference."""
    differences = levels.copy()  # np.diff is slow on small arrays
    differences[1:] -= levels[:-1]
    differences[:1, 1:] -= levels[:1, :-1]
    rows = np.full(levels.shape, LOWEST, dtype=np.intp)
    rows[1:, 1:] = STAYED + np.sign(differences[1:, :-1])
    rows[:1, :1], rows[:1, 1:] = FIRST_LOWEST, FIRST_OTHERS
    return rows, differences
