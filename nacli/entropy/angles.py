"""Angles of the stereo rotation in a payload, coded by one fixed table."""

from __future__ import annotations

from functools import cache

import numpy as np

from nacli.config import ANGLE_STEPS
from nacli.entropy.frequencies import PRECISION_BITS, Coder, FrequencyTable

UNIT = 1 << 14
"""Frequency of an unusual angle, which takes 10 bits."""


@cache
def _table() -> FrequencyTable:
    """Return the table, of one row. Sound in the left or the right channel alone takes 4 bits, and
    sound that is equal in both channels less than one."""
    row = np.full(ANGLE_STEPS, UNIT, dtype=np.int64)
    row[0] = row[ANGLE_STEPS // 4] = 64 * UNIT
    row[ANGLE_STEPS // 8] += (1 << PRECISION_BITS) - row.sum()
    return FrequencyTable(row[None])


def bits(angles: tuple[int, ...]) -> float:
    """Return the bits that angles take."""
    return float(_table().bits[0, list(angles)].sum())


def push(coder: Coder, angles: tuple[int, ...]) -> None:
    """Encode the angles of a packet, the last one first."""
    for angle in reversed(angles):
        coder.encode_reverse(angle, _table().models[0])


def pop(coder: Coder, count: int) -> tuple[int, ...]:
    """Decode the angles of a packet."""
    return tuple(int(coder.decode(_table().models[0])) for _ in range(count))
