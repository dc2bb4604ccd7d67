"""Payloads come back exactly, cost what the tables say, and never crash a reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacli.config import ANGLE_STEPS, GAIN_LEVELS
from nacli.entropy import (
    PRECISION_BITS,
    ChannelCodes,
    PacketCodes,
    StaticTables,
    angle_bits,
    frequencies,
)

STAGES, SIZE = 4, 64
CODER_BITS = 32
"""The coder's first and last words."""


@pytest.fixture(scope="module")
def tables() -> StaticTables:
    random = np.random.default_rng(0)
    gains = random.integers(1, 1000, (GAIN_LEVELS + 1, GAIN_LEVELS))
    codes = random.integers(1, 1000, (STAGES, SIZE)) ** 2
    return StaticTables(frequencies(gains), frequencies(codes))


def channel(seed: int, frames: int) -> ChannelCodes:
    random = np.random.default_rng(seed)
    counts = random.integers(0, STAGES + 1, frames).astype(np.int32)
    codes = random.integers(0, SIZE, (frames, STAGES)).astype(np.int32)
    codes[np.arange(STAGES) >= counts[:, None]] = 0
    return ChannelCodes(random.integers(0, GAIN_LEVELS, frames).astype(np.int32), codes, counts)


@given(st.integers(0, 1000), st.integers(1, 80), st.integers(1, 3))
def test_what_goes_in_comes_out(tables: StaticTables, seed: int, frames: int, count: int) -> None:
    channels = [channel(seed + index, frames) for index in range(count)]
    reader = tables.open(tables.compress(PacketCodes(channels)))
    gains = [reader.gains(frames) for _ in channels]
    for wanted, found in zip(channels, gains, strict=True):
        np.testing.assert_array_equal(found, wanted.gains)
    for wanted in channels:
        [codes] = tables.pop_codes([reader.coder], [wanted.gains], [wanted.counts])
        np.testing.assert_array_equal(codes, wanted.codes)


@given(st.lists(st.integers(0, ANGLE_STEPS - 1), max_size=2), st.integers(1, 20))
def test_angles_come_first_and_take_what_is_said(
    tables: StaticTables, angles: list[int], frames: int
) -> None:
    coded = channel(1, frames)
    payload = tables.compress(PacketCodes([coded], tuple(angles)))
    reader = tables.open(payload)
    assert reader.angles(len(angles)) == tuple(angles)
    np.testing.assert_array_equal(reader.gains(frames), coded.gains)
    plain = len(tables.compress(PacketCodes([coded])))
    assert abs(8 * (len(payload) - plain) - angle_bits(tuple(angles))) <= CODER_BITS


def test_usual_angles_are_cheap() -> None:
    equal, left, other = (angle_bits((angle,)) for angle in (ANGLE_STEPS // 8, 0, 1))
    assert equal < 1 < left == 4 < other == 10


def information_bits(tables: StaticTables, channels: list[ChannelCodes]) -> float:
    """The bits of gains and codes by their probabilities."""
    return sum(tables.side_bits(row) + tables.code_bits(row).sum() for row in channels)


def test_the_cost_is_what_the_tables_say(tables: StaticTables) -> None:
    coded = [channel(7, 200)]
    assert (
        abs(len(tables.compress(PacketCodes(coded))) * 8 - information_bits(tables, coded))
        <= CODER_BITS
    )


@given(st.lists(st.integers(0, 2**23), min_size=2, max_size=300).filter(any))
def test_frequencies_are_exact(weights: list[int]) -> None:
    table = frequencies(np.array([weights, weights[::-1]]))
    assert (table >= 1).all()
    assert (table.sum(-1) == 1 << PRECISION_BITS).all()


@pytest.mark.parametrize("code", [1, 17, SIZE - 1])
def test_coder_uses_the_frequencies_without_rounding(tables: StaticTables, code: int) -> None:
    """A thousand times one symbol: a frequency that is off by a little would show."""
    codes = np.zeros((1000, STAGES), dtype=np.int32)
    codes[:, 0] = code
    gains, counts = np.full(1000, 5, dtype=np.int32), np.ones(1000, dtype=np.int32)
    coded = [ChannelCodes(gains, codes, counts)]
    assert (
        abs(len(tables.compress(PacketCodes(coded))) * 8 - information_bits(tables, coded))
        <= CODER_BITS
    )


@given(st.binary(max_size=200))
def test_random_payloads_give_codes_or_a_value_error(tables: StaticTables, payload: bytes) -> None:
    try:
        reader = tables.open(payload)
        gains = reader.gains(20)
        counts = np.full(20, STAGES, dtype=np.int32)
        [codes] = tables.pop_codes([reader.coder], [gains], [counts])
    except ValueError:
        return
    assert (gains >= 0).all() and (gains < GAIN_LEVELS).all()
    assert (codes >= 0).all() and (codes < SIZE).all()


def test_tables_that_do_not_sum_are_refused(tables: StaticTables) -> None:
    wrong = tables.code_table.copy()
    wrong[0, 0] += 1
    with pytest.raises(ValueError, match="sum"):
        StaticTables(tables.gain_table, wrong)
