"""Integer frequencies that sum to 2**24, and the range coder that uses them (`constriction`)."""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from nacli.types import Doubles, Integers

Frequencies = NDArray[np.int64]
"""Each row [..., n] is the probability distribution of n symbols, as integers over 2**24."""
Coder = Any
"""`AnsCoder` of constriction, which has no type annotations."""

PRECISION_BITS = 24
"""Precision of the probabilities, which is that of constriction's default coder."""


def frequencies(weights: Frequencies) -> Frequencies:
    """Scale integer weights [..., n] to frequencies that sum to 2**24, each at least 1."""
    size = weights.shape[-1]
    free = (1 << PRECISION_BITS) - size
    shares = weights * free // weights.sum(-1, keepdims=True)
    flat = shares.reshape(-1, size)
    flat[np.arange(len(flat)), flat.argmax(-1)] += free - flat.sum(-1)
    return shares + 1


def coder_model(row: Frequencies) -> Any:
    """Return a model of constriction with exactly the frequencies [n] of one row.

    The library gives every symbol a count of one and divides the rest in proportion to its input.
    The input is the frequencies less one, whose sum is the rest: nothing is rounded.
    """
    return constriction.stream.model.Categorical((row - 1).astype(np.float64), perfect=False)


ROW_PER_SYMBOL = constriction.stream.model.Categorical(perfect=False)
"""The same model for a call in which every symbol has a row of its own: frequencies less one
[M, n], as float64."""


def code_intervals(less_one: Doubles, codes: Integers) -> Doubles:
    """Return the interval of each code [M] in the cumulative distribution of its row.

    Args:
        less_one: rows of frequencies less one [M, size].
        codes: codes [M].

    Returns:
        The sum of the frequencies below a code, its own frequency, and the sum above it [M, 3].
    """
    rows, size = np.arange(len(codes)), less_one.shape[1]
    bounds = np.stack([rows * size, rows * size + codes], axis=1)
    sums = np.add.reduceat(less_one.ravel(), bounds.ravel())[::2]
    below = np.where(codes > 0, sums + codes, 0)  # reduceat gives an empty range one element
    own = less_one[rows, codes] + 1
    return np.stack([below, own, (1 << PRECISION_BITS) - below - own], axis=1)


def push_intervals(coder: Coder, intervals: Doubles) -> None:
    """Encode codes by their `code_intervals` [M, 3], the last one first.

    The coder uses only the interval of a code, so a distribution of three symbols with the same
    interval gives the same bits as one of a thousand. The library allows no frequency of zero:
    for a code at either end of its row, one count is split off the sum on the other side.
    """
    below, own, above = intervals.T
    first, last = below == 0, above == 0
    rows = np.where(first, [own, above - 1, below + 1], intervals.T)
    rows = np.where(last, [below - 1, above + 1, own], rows)
    symbols = np.where(first, 0, np.where(last, 2, 1)).astype(np.int32)
    coder.encode_reverse(symbols, ROW_PER_SYMBOL, np.ascontiguousarray(rows.T) - 1)


class FrequencyTable:
    """A table of distributions [R, n], one row for each context.

    Attributes:
        bits: bits that each symbol takes [R, n].
        models: models of constriction [R].
    """

    def __init__(self, table: Frequencies) -> None:
        """Raises `ValueError` if a row does not sum to 2**24."""
        if (table < 1).any() or (table.sum(-1) != 1 << PRECISION_BITS).any():
            raise ValueError("a probability table does not sum to 2**24")
        self.bits: Doubles = PRECISION_BITS - np.log2(table)
        self.models = [coder_model(row) for row in table]
