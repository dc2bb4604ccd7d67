"""Rows of integer frequencies that sum to 2**24, and range ANS by them (`constriction`)."""

from __future__ import annotations

from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from nacli.types import Doubles, Integers

Frequencies = NDArray[np.int64]
Coder = Any
"""constriction's AnsCoder, which has no types."""

PRECISION_BITS = 24
"""Of constriction's default coder."""


def frequencies(weights: Frequencies) -> Frequencies:
    """Integer weights [..., n] to frequencies that sum to 2**24, each at least 1."""
    size = weights.shape[-1]
    free = (1 << PRECISION_BITS) - size
    shares = weights * free // weights.sum(-1, keepdims=True)
    flat = shares.reshape(-1, size)
    flat[np.arange(len(flat)), flat.argmax(-1)] += free - flat.sum(-1)
    return shares + 1


def coder_model(table: Frequencies) -> Any:
    """A coder model with exactly these frequencies.

    The library gives every symbol one count and shares out the rest; handing it the integers less
    that one count, whose sum is the rest, leaves it nothing to round.
    """
    return constriction.stream.model.Categorical((table - 1).astype(np.float64), perfect=False)


ROW_MODELS = constriction.stream.model.Categorical(perfect=False)
"""As `coder_model`, for a call with one row of frequencies less one, as float64, per symbol."""


def places(less_one: Doubles, codes: Integers) -> Doubles:
    """Where each code [M] lies in its row of frequencies, given less one [M, size]: what is below
    it, its own, and what is above [M, 3]."""
    rows, size = np.arange(len(codes)), less_one.shape[1]
    bounds = np.stack([rows * size, rows * size + codes], axis=1)
    sums = np.add.reduceat(less_one.ravel(), bounds.ravel())[::2]
    below = np.where(codes > 0, sums + codes, 0)  # an empty piece is not empty to reduceat
    own = less_one[rows, codes] + 1
    return np.stack([below, own, (1 << PRECISION_BITS) - below - own], axis=1)


def push_intervals(coder: Coder, found: Doubles) -> None:
    """Encode codes by their `places` [M, 3], the last first.

    To the coder a code among three looks as it does among a thousand, as long as its own frequency
    and the sum below it are the same. The library wants no frequency of zero, so at either end of
    the table a count is taken from the other side.
    """
    below, own, above = found.T
    first, last = below == 0, above == 0
    rows = np.where(first, [own, above - 1, below + 1], found.T)
    rows = np.where(last, [below - 1, above + 1, own], rows)
    symbols = np.where(first, 0, np.where(last, 2, 1)).astype(np.int32)
    coder.encode_reverse(symbols, ROW_MODELS, np.ascontiguousarray(rows.T) - 1)


class Rows:
    """Of rows of frequencies [R, n]: what each symbol costs, `bits` [R, n], and a coder's `models`
    [R]."""

    def __init__(self, table: Frequencies) -> None:
        """`ValueError` where a row does not sum to 2**24."""
        if (table < 1).any() or (table.sum(-1) != 1 << PRECISION_BITS).any():
            raise ValueError("a probability table does not sum to 2**24")
        self.bits: Doubles = PRECISION_BITS - np.log2(table)
        self.models = [coder_model(row) for row in table]
