"""Trim codes in a payload: by tables, the first of a span given the one before it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nacli.entropy.rows import Coder, Frequencies, Integers, check_table, coder_model, symbol_bits


class TrimTables:
    """Probabilities of trim codes.

    A span's first code is coded under the row that the class of the span before it selects: that of
    its first code, or, where there is no span before or it has no code, the last row. Further codes
    have a row for each stage.
    """

    def __init__(self, classes: NDArray[np.uint8], first: Frequencies, later: Frequencies) -> None:
        """`classes` of codes [size], rows `first` [classes + 1, size] and `later` [N - 1, size].
        `ValueError` where they do not fit each other."""
        self.classes, self.first, self.later = classes, first, later
        fits = first.ndim == later.ndim == 2 and len(first) and len(classes) == first.shape[1]
        if not fits or (len(classes) and later.shape[1] != len(classes)):
            raise ValueError("the trim tables do not fit each other")
        if int(classes.max(initial=0)) >= max(1, len(first) - 1):
            raise ValueError("a class of the trim tables is out of range")
        self._tables = [first, *later[:, None]] if len(classes) else []
        for table in self._tables:
            check_table(table)
        self._bits = [symbol_bits(table) for table in self._tables]
        self._models = [[coder_model(row) for row in table] for table in self._tables]

    @classmethod
    def none(cls) -> TrimTables:
        """Of a model without trims."""
        empty = np.zeros((1, 0), dtype=np.int64)
        return cls(np.zeros(0, dtype=np.uint8), empty, empty[:0])

    def to_bytes(self) -> bytes:
        """Codebook size, classes and further stages as uint16; the class of each code as uint8;
        the rows as uint32; little-endian."""
        shape = np.array([self.size, len(self.first) - 1, len(self.later)], dtype="<u2")
        rows = b"".join(table.astype("<u4").tobytes() for table in (self.first, self.later))
        return shape.tobytes() + self.classes.tobytes() + rows

    @classmethod
    def from_bytes(cls, blob: bytes) -> TrimTables:
        """Read what `to_bytes` wrote; `ValueError` when it does not fit."""
        if len(blob) < 6:
            raise ValueError("trim tables are cut short")
        size, classes, later = (int(n) for n in np.frombuffer(blob[:6], dtype="<u2"))
        split = 6 + size
        if len(blob) != split + 4 * size * (classes + 1 + later):
            raise ValueError("trim tables do not have the length that their shape says")
        rows = np.frombuffer(blob[split:], dtype="<u4").astype(np.int64)
        rows = rows.reshape(classes + 1 + later, size)
        of_codes = np.frombuffer(blob[6:split], dtype=np.uint8)
        return cls(of_codes, rows[: classes + 1], rows[classes + 1 :])

    @property
    def stages(self) -> int:
        """Codes that a span has at most."""
        return len(self._tables)

    @property
    def size(self) -> int:
        return len(self.classes)

    def mean_bits(self) -> NDArray[np.float64]:
        """What 0 to N codes of a span take, on average [N + 1]."""
        means = [(bits * 2.0**-bits).sum(-1).mean() for bits in self._bits]
        return np.cumsum([0.0, *means])

    def bits(self, trims: Integers, counts: Integers) -> float:
        """What the codes [S, N] take of spans that have so many [S]."""
        symbols = self._symbols(counts)
        return float(
            sum(self._bits[n][self._row(trims, counts, s, n), trims[s, n]] for s, n in symbols)
        )

    def push(self, coder: Coder, trims: Integers, counts: Integers) -> None:
        for span, stage in reversed(self._symbols(counts)):
            model = self._models[stage][self._row(trims, counts, span, stage)]
            coder.encode_reverse(int(trims[span, stage]), model)

    def pop(self, coder: Coder, counts: Integers) -> Integers:
        """Codes [S, N] of spans that have so many [S], 0 after them."""
        trims = np.zeros((len(counts), self.stages), dtype=np.int32)
        for span, stage in self._symbols(counts):
            model = self._models[stage][self._row(trims, counts, span, stage)]
            trims[span, stage] = coder.decode(model)
        return trims

    def _symbols(self, counts: Integers) -> list[tuple[int, int]]:
        """Spans and stages in coding order."""
        return [
            (span, stage) for span, count in enumerate(counts.tolist()) for stage in range(count)
        ]

    def _row(self, trims: Integers, counts: Integers, span: int, stage: int) -> int:
        if stage:
            return 0
        follows = span > 0 and counts[span - 1] > 0
        return int(self.classes[trims[span - 1, 0]]) if follows else len(self.first) - 1
