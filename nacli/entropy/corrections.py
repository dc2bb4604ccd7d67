"""Corrections in a payload: how many codes each span has, and these, by tables."""

from __future__ import annotations

import numpy as np

from nacli.entropy.frequencies import Coder, Frequencies, Rows
from nacli.types import Doubles, Indices, Integers

TYPICAL_SPANS = 20
"""Spans after which the start of a packet no longer matters to the number of codes."""


class CorrectionTables:
    """Probabilities of how many codes a span has, and of the codes.

    Encoders spend codes where levels are wrong, so their number is like that of the two spans
    before. Codes are under a row for their place and for how many there are: what the span before
    had says nothing about them, as they stand for the difference to it.
    """

    def __init__(self, numbers: Frequencies, table: Frequencies) -> None:
        """Of numbers, rows [(N + 1)^2, N + 1], and of codes, rows [N (N + 1) / 2, size];
        `ValueError` for any other number of them."""
        if numbers.ndim != 2 or table.ndim != 2:
            raise ValueError("the correction tables have the wrong shape")
        self.numbers, self.table = numbers, table
        self.stages = numbers.shape[1] - 1
        """Codes that a span has at most."""
        if len(numbers) != (self.stages + 1) ** 2 or len(table) != row_of(self.stages + 1, 0):
            raise ValueError("the correction tables lack rows")
        self._numbers, self._rows = Rows(numbers[: self.stages * len(numbers)]), Rows(table)
        self._number_bits, self._code_bits = self._numbers.bits.tolist(), self._rows.bits.tolist()

    @classmethod
    def none(cls) -> CorrectionTables:
        """Of a model without corrections."""
        return cls(np.full((1, 1), 1 << 24, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Rows and codebook size as uint16, then the rows as uint32, those of numbers first;
        little-endian."""
        shape = np.array(self.table.shape, dtype="<u2")
        rows = (self.numbers, self.table) if self.stages else ()
        return shape.tobytes() + b"".join(row.astype("<u4").tobytes() for row in rows)

    @property
    def size(self) -> int:
        return self.table.shape[1]

    def typical_bits(self) -> float:
        """Bits of a span in the middle of a packet, on average over the tables."""
        if not self.stages:
            return 0.0
        size = self.stages + 1
        numbers = 2.0 ** -self._numbers.bits.reshape(size, size, size)
        before = np.zeros((size, size))  # by the numbers of codes of the last two spans
        before[0, 0] = 1.0
        for _ in range(TYPICAL_SPANS):
            before = np.einsum("bc,bcn->nb", before, numbers)
        means = (self._rows.bits * 2.0**-self._rows.bits).sum(1)
        codes = [means[row_of(n, 0) : row_of(n + 1, 0)].sum() for n in range(size)]
        bits = self._numbers.bits.reshape(size, size, size) + np.array(codes)
        return float(np.einsum("bc,bcn,bcn->", before, numbers, bits))

    def number_bits_after(self, before: Indices, before_that: Indices) -> Doubles:
        """Bits [K, N + 1] of each number of codes of a span, where the span before has `before` [K]
        codes and the one before that `before_that` [K]."""
        bits: Doubles = self._numbers.bits[before * (self.stages + 1) + before_that]
        return bits

    def codes_bits(self, codes: Integers) -> Doubles:
        """Bits [K] of all codes [K, n] of a span that has n of them."""
        rows = row_of(codes.shape[1], 0) + np.arange(codes.shape[1])
        bits: Doubles = self._rows.bits[rows, codes].sum(1)
        return bits

    def bits(self, corrections: Integers, counts: Integers) -> float:
        """What spans take that have so many [S] of the codes [S, N]."""
        bits = sum(self._number_bits[row][count] for row, count in self._contexts(counts))
        codes = corrections.tolist()
        return bits + sum(self._code_bits[row][codes[span][n]] for span, n, row in symbols(counts))

    def push(self, coder: Coder, corrections: Integers, counts: Integers) -> None:
        codes = symbols(counts)
        for row, count in reversed(self._contexts(counts)):
            for _ in range(count):
                span, stage, own = codes.pop()
                coder.encode_reverse(int(corrections[span, stage]), self._rows.models[own])
            coder.encode_reverse(count, self._numbers.models[row])

    def pop(self, coder: Coder, spans: int) -> tuple[Integers, Integers]:
        """Codes [S, N] of so many spans, and how many of them each has [S], 0 after them."""
        corrections = np.zeros((spans, self.stages), dtype=np.int32)
        counts, before = np.zeros(spans, dtype=np.int32), (0, 0)
        for span in range(spans if self.stages else 0):
            count = int(coder.decode(self._numbers.models[self._row(before)]))
            for stage in range(count):
                corrections[span, stage] = coder.decode(self._rows.models[row_of(count, stage)])
            counts[span], before = count, (count, before[0])
        return corrections, counts

    def _row(self, before: tuple[int, int]) -> int:
        return number_row(before, self.stages)

    def _contexts(self, counts: Integers) -> list[tuple[int, int]]:
        """The row and number of each span."""
        if not self.stages:
            return []
        return [(self._row(before), count) for before, count in contexts(counts)]


def row_of(count: int, stage: int) -> int:
    """The row for a code of a span that has `count` of them."""
    return count * (count - 1) // 2 + stage


def number_row(before: tuple[int, int], stages: int) -> int:
    """The row for the number of a span, after spans with so many of at most `stages` codes."""
    return before[0] * (stages + 1) + before[1]


def contexts(counts: Integers) -> list[tuple[tuple[int, int], int]]:
    """Of each span of a packet the numbers of codes of the two before, the nearer first, and its
    own; before the first there are none."""
    listed = [0, 0, *counts.tolist()]
    return [
        ((one, two), own) for two, one, own in zip(listed, listed[1:], listed[2:], strict=False)
    ]


def symbols(counts: Integers) -> list[tuple[int, int, int]]:
    """Spans, stages and rows of codes in the order of coding."""
    return [
        (span, stage, row_of(count, stage))
        for span, count in enumerate(counts.tolist())
        for stage in range(count)
    ]
