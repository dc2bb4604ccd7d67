"""Trim codes in a payload: by tables, for the number of codes that a span has."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.rows import Coder, Frequencies, Integers, Rows


class TrimTables:
    """Probabilities of trim codes.

    A span with few codes has few stages, and lacks more of its levels than others: the codes of a
    span that has one of them are under the first row, those of one that has two under the next two,
    and so on. What the span before had says nothing more, as codes stand for the difference to it.
    """

    def __init__(self, table: Frequencies) -> None:
        """Rows [N (N + 1) / 2, size]; `ValueError` for any other number of them."""
        if table.ndim != 2:
            raise ValueError("the trim table has the wrong shape")
        self.table = table
        self.stages = (math.isqrt(8 * len(table) + 1) - 1) // 2
        """Codes that a span has at most."""
        if len(table) != row_of(self.stages + 1, 0):
            raise ValueError("the trim table lacks rows")
        self._rows = Rows(table)

    @classmethod
    def none(cls) -> TrimTables:
        """Of a model without trims."""
        return cls(np.zeros((0, 0), dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Rows and codebook size as uint16, then the rows as uint32; little-endian."""
        shape = np.array(self.table.shape, dtype="<u2")
        return shape.tobytes() + self.table.astype("<u4").tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes) -> TrimTables:
        """Read what `to_bytes` wrote; `ValueError` when it does not fit."""
        if len(blob) < 4:
            raise ValueError("trim tables are cut short")
        rows, size = (int(n) for n in np.frombuffer(blob[:4], dtype="<u2"))
        if len(blob) != 4 + 4 * rows * size:
            raise ValueError("trim tables do not have the length that their shape says")
        return cls(np.frombuffer(blob[4:], dtype="<u4").astype(np.int64).reshape(rows, size))

    @property
    def size(self) -> int:
        return self.table.shape[1]

    def mean_bits(self) -> NDArray[np.float64]:
        """What 0 to N codes of a span take, on average [N + 1]."""
        means = (self._rows.bits * 2.0**-self._rows.bits).sum(-1)
        ends = [row_of(count, 0) for count in range(1, self.stages + 2)]
        return np.array([0.0, *(means[a:b].sum() for a, b in pairwise(ends))])

    def bits(self, trims: Integers, counts: Integers) -> float:
        """What the codes [S, N] take of spans that have so many [S]."""
        return float(sum(self._rows.bits[row, trims[span, n]] for span, n, row in symbols(counts)))

    def push(self, coder: Coder, trims: Integers, counts: Integers) -> None:
        for span, stage, row in reversed(symbols(counts)):
            coder.encode_reverse(int(trims[span, stage]), self._rows.models[row])

    def pop(self, coder: Coder, counts: Integers) -> Integers:
        """Codes [S, N] of spans that have so many [S], 0 after them."""
        trims = np.zeros((len(counts), self.stages), dtype=np.int32)
        for span, stage, row in symbols(counts):
            trims[span, stage] = coder.decode(self._rows.models[row])
        return trims


def row_of(count: int, stage: int) -> int:
    """The row for a code of a span that has `count` of them."""
    return count * (count - 1) // 2 + stage


def symbols(counts: Integers) -> list[tuple[int, int, int]]:
    """Spans, stages and rows in the order of coding."""
    return [
        (span, stage, row_of(count, stage))
        for span, count in enumerate(counts.tolist())
        for stage in range(count)
    ]
