"""Stage counts follow gains and level; the rate control never spends what it does not have."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nacli.allocate import RateControl, highest_level, stage_counts

gains_lists = st.lists(st.integers(0, 80), min_size=1, max_size=75)


@given(gains_lists, st.integers(0, 254))
def test_a_higher_level_never_takes_stages_away(gains: list[int], level: int) -> None:
    row = np.array(gains, dtype=np.int32)
    peak = int(row.max())
    low, high = (stage_counts(row, choice, 16, peak) for choice in (level, level + 1))
    assert (low <= high).all()
    assert (low >= 0).all() and (high <= 16).all()
    assert (high[row == 0] == 0).all()


@given(gains_lists)
def test_the_highest_level_gives_audible_frames_every_stage(gains: list[int]) -> None:
    row = np.array(gains, dtype=np.int32)
    counts = stage_counts(row, highest_level(16), 16, int(row.max()))
    close = (row > 0) & (row.max() - row < 40)
    assert (counts[close] == 16).all()


def test_louder_frames_get_at_least_as_many_stages() -> None:
    gains = np.repeat(np.arange(1, 60, dtype=np.int32), 8)
    counts = stage_counts(gains, 80, 16, 59).reshape(-1, 8)
    assert (np.diff(counts, axis=0) >= 0).all()


@given(
    st.floats(1.5, 24),
    st.lists(st.tuples(st.floats(0.02, 5), st.floats(0, 1)), min_size=1, max_size=60),
)
def test_every_prefix_keeps_the_promise(bitrate: float, packets: list[tuple[float, float]]) -> None:
    rate, seconds, spent = RateControl(bitrate, reserve=18), 0.0, 0
    for index, (duration, use) in enumerate(packets):
        size = max(0, int(rate.budget(duration, last=index == len(packets) - 1) * use))
        rate.spend(duration, size)
        seconds, spent = seconds + duration, spent + size
        assert spent * 8 <= bitrate * 1000 * seconds + 1e-6


def test_savings_are_spent_later() -> None:
    rate = RateControl(8.0, reserve=0)
    assert rate.budget(1.0) == 1000
    rate.spend(1.0, 200)
    assert rate.budget(1.0) == 1200
