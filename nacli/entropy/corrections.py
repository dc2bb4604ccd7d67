"""Envelope corrections in a payload: the number of codes of each span, and the codes, by tables.

Encoders spend codes where band energies are wrong, so the number of codes of a span is coded given
the numbers of the two spans before. A code is coded given its stage and the number of codes of its
span. The codes of the span before are no context: they stand for its difference from a prediction,
which says nothing about the next difference.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nacli.entropy.frequencies import Coder, Frequencies, FrequencyTable
from nacli.types import Doubles, Indices, Integers


class CorrectionTables:
    """Probabilities of the number of codes of a span, and of the codes."""

    def __init__(self, counts: Frequencies, codes: Frequencies) -> None:
        """Set up the tables, for at most N codes of a span.

        Args:
            counts: frequencies of the number of codes [(N + 1)^2, N + 1]; see `count_row`.
            codes: frequencies of the codes [N (N + 1) / 2, size]; see `code_row`.

        Raises:
            ValueError: a table has another shape, or a row does not sum to 2**24.
        """
        if counts.ndim != 2 or codes.ndim != 2:
            raise ValueError("the correction tables have the wrong shape")
        self.counts, self.codes = counts, codes
        self.stages = counts.shape[1] - 1
        """Largest number of codes of a span."""
        if len(counts) != (self.stages + 1) ** 2 or len(codes) != code_row(self.stages + 1, 0):
            raise ValueError("the correction tables lack rows")
        self._counts = FrequencyTable(counts[: self.stages * len(counts)])
        self._codes = FrequencyTable(codes)

    @classmethod
    def none(cls) -> CorrectionTables:
        """Return the tables of a model without corrections."""
        return cls(np.full((1, 1), 1 << 24, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))

    def to_bytes(self) -> bytes:
        """Return the shape of the table of codes as uint16, then the tables of counts and of codes
        as uint32; little-endian."""
        shape = np.array(self.codes.shape, dtype="<u2")
        tables = (self.counts, self.codes) if self.stages else ()
        return shape.tobytes() + b"".join(table.astype("<u4").tobytes() for table in tables)

    def extreme_bits(self) -> tuple[float, float]:
        """Return the mean bits of a span without codes after such spans, and of one with all codes
        after such spans."""
        if not self.stages:
            return 0.0, 0.0
        least, most = self._counts.bits[0, 0], self._counts.bits[-1, -1]
        codes = self._codes.bits[code_row(self.stages, 0) :]
        return float(least), float(most + (codes * 2.0**-codes).sum())

    def next_contexts(self, contexts: Indices, counts: Indices) -> Indices:
        """Return the contexts [K] of the number of codes of the next spans, from those of these
        spans and their numbers of codes [K]. Those of the first spans are 0."""
        size = self.stages + 1
        return counts * size + contexts // size

    def span_bits(self, codes: Indices, contexts: Indices, out: Doubles) -> None:
        """Write the bits of spans with each number of codes, which are the first of `codes` [K, N],
        to `out` [K, N + 1]."""
        self._counts.bits.take(contexts, axis=0, out=out)
        for bits, own in zip(self._code_bits, codes.T, strict=True):
            out += bits.take(own, axis=0)

    @cached_property
    def _code_bits(self) -> Doubles:
        """The bits [N, size, N + 1] of each code of each stage in spans with each number of
        codes; 0 where the span does not have that stage."""
        bits = np.zeros((self.stages, self.codes.shape[1], self.stages + 1))
        for count in range(1, self.stages + 1):
            for stage in range(count):
                bits[stage, :, count] = self._codes.bits[code_row(count, stage)]
        return bits

    def bits(self, corrections: Integers, counts: Integers) -> float:
        """Return the bits of the codes [S, N] of spans, which use the first `counts` [S] codes."""
        bits = sum(self._counts.bits[row, count] for row, count in self._count_rows(counts))
        positions = code_positions(counts)
        return float(
            bits + sum(self._codes.bits[row, corrections[span, n]] for span, n, row in positions)
        )

    def push(self, coder: Coder, corrections: Integers, counts: Integers) -> None:
        """Encode the codes [S, N] of spans, which use the first `counts` [S] of them, the last code
        first."""
        positions = code_positions(counts)
        for row, count in reversed(self._count_rows(counts)):
            for _ in range(count):
                span, stage, own_row = positions.pop()
                coder.encode_reverse(int(corrections[span, stage]), self._codes.models[own_row])
            coder.encode_reverse(count, self._counts.models[row])

    def pop(self, coder: Coder, spans: int) -> tuple[Integers, Integers]:
        """Decode the codes [S, N] of spans, 0 where a span has fewer, and their numbers [S]."""
        corrections = np.zeros((spans, self.stages), dtype=np.int32)
        counts, before = np.zeros(spans, dtype=np.int32), (0, 0)
        for span in range(spans if self.stages else 0):
            count = int(coder.decode(self._counts.models[count_row(before, self.stages)]))
            for stage in range(count):
                corrections[span, stage] = coder.decode(self._codes.models[code_row(count, stage)])
            counts[span], before = count, (count, before[0])
        return corrections, counts

    def _count_rows(self, counts: Integers) -> list[tuple[int, int]]:
        """Return the row and the number of codes of each span."""
        if not self.stages:
            return []
        return [(count_row(before, self.stages), own) for before, own in count_contexts(counts)]


def code_row(count: int, stage: int) -> int:
    """Return the row for the code of a stage in a span that has `count` codes."""
    return count * (count - 1) // 2 + stage


def count_row(before: tuple[int, int], stages: int) -> int:
    """Return the row for the number of codes of a span, given those of the span before and of the
    one before that, which have at most `stages` codes."""
    return before[0] * (stages + 1) + before[1]


def count_contexts(counts: Integers) -> list[tuple[tuple[int, int], int]]:
    """Return for each span of a packet the numbers of codes of the two spans before, the nearer one
    first, and its own number. Spans before the first count as having no codes."""
    padded = [0, 0, *counts.tolist()]
    return [
        ((one, two), own) for two, one, own in zip(padded, padded[1:], padded[2:], strict=False)
    ]


def code_positions(counts: Integers) -> list[tuple[int, int, int]]:
    """Return the span, stage and row of every code, in the order of decoding, for spans with these
    numbers of codes [S]."""
    return [
        (span, stage, code_row(count, stage))
        for span, count in enumerate(counts.tolist())
        for stage in range(count)
    ]
