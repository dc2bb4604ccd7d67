"""Stage counts follow gains and allocation level; the rate control never exceeds the bitrate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nacli.encoder.rate_control import QualityControl, RateControl, fullness
from nacli.encoder.settings import EncoderSettings
from nacli.entropy import ChannelCodes
from nacli.quantizer.allocation import highest_level, packet_counts

gains_lists = st.lists(st.integers(0, 80), min_size=1, max_size=75)


@given(gains_lists, st.integers(0, 254))
def test_a_higher_level_never_takes_stages_away(gains: list[int], level: int) -> None:
    row = np.array([gains], dtype=np.int32)
    low, high = (packet_counts(row, (choice,), 16) for choice in (level, level + 1))
    assert (low <= high).all()
    assert (low >= 0).all() and (high <= 16).all()
    assert (high[row == 0] == 0).all()


@given(gains_lists)
def test_the_highest_level_gives_audible_frames_every_stage(gains: list[int]) -> None:
    row = np.array([gains], dtype=np.int32)
    counts = packet_counts(row, (highest_level(16),), 16)
    close = (row > 0) & (row.max() - row < 64)
    assert (counts[close] == 16).all()


def test_louder_frames_get_at_least_as_many_stages() -> None:
    gains = np.repeat(np.arange(1, 60, dtype=np.int32), 8)
    counts = packet_counts(gains[None], (80,), 16).reshape(-1, 8)
    assert (np.diff(counts, axis=0) >= 0).all()


@given(
    st.floats(1.5, 24),
    st.lists(st.tuples(st.floats(0.02, 5), st.floats(0, 1)), min_size=1, max_size=60),
)
def test_every_prefix_of_a_stream_keeps_the_bitrate(
    bitrate: float, packets: list[tuple[float, float]]
) -> None:
    rate, seconds, spent = RateControl(bitrate, reserve=18), 0.0, 0
    for index, (duration, use) in enumerate(packets):
        size = max(0, int(rate.budget(duration, last=index == len(packets) - 1) * use))
        rate.spend(duration, size)
        seconds, spent = seconds + duration, spent + size
        assert spent * 8 <= bitrate * 1000 * seconds + 1e-6


def test_saved_bytes_are_spent_later() -> None:
    rate = RateControl(8.0, reserve=0)
    assert rate.budget(1.0) == 1000
    rate.spend(1.0, 200)
    assert rate.budget(1.0) == 1200


def test_the_savings_of_a_long_silence_are_not_spent_afterwards() -> None:
    rate = RateControl(8.0, reserve=0)
    for _ in range(60):
        rate.spend(1.0, 10)
    spent = 0
    for _ in range(20):
        budget = rate.budget(1.0)
        assert budget <= 2000
        rate.spend(1.0, budget)
        spent += budget
    assert 23_000 < spent <= 24_000


def test_quiet_packets_get_fewer_stages_than_loud_ones_before_them() -> None:
    quality, alone = QualityControl(5), QualityControl(5)
    loud, quiet = (np.full((1, 75), gain, dtype=np.int32) for gain in (60, 40))
    first, then = quality.level(loud, 1.0), quality.level(quiet, 1.0)
    assert first == alone.level(quiet, 1.0) == then + 38
    later = [quality.level(quiet, 1.0) for _ in range(25)]
    assert sorted(later) == later
    assert later[-1] == first
    assert QualityControl(0).level(loud, 1.0) < first < QualityControl(10).level(loud, 1.0)


@pytest.mark.parametrize("quality", [-0.1, 10.1, float("nan")])
def test_qualities_out_of_range_are_refused(quality: float) -> None:
    with pytest.raises(ValueError, match="quality"):
        EncoderSettings(quality=quality)


def test_packets_with_all_stages_are_distinguished_from_silent_and_simple_ones() -> None:
    gains = np.array([40, 40, 0, 0], dtype=np.int32)
    for scale, counts, expected in (
        (1, [16, 13, 0, 0], 0.5),
        (1, [3, 3, 0, 0], 0),
        (0, [0] * 4, 0),
    ):
        channel = ChannelCodes(scale * gains, np.zeros((4, 16), np.int32), np.array(counts))
        assert fullness([channel], 16) == expected


@pytest.mark.parametrize(
    ("size", "full", "expected"),
    [(1600, 1.0, True), (2800, 1.0, False), (600, 0.0, False), (900, 0.4, False)],
    ids=["stages used up", "near the bitrate", "simple", "mostly silent"],
)
def test_a_bitrate_out_of_reach_is_noticed(size: int, full: float, expected: bool) -> None:
    rate = RateControl(24.0, reserve=18)
    for _ in range(5):
        assert rate.budget(1.0) > 2900
        rate.spend(1.0, size, full)
    assert rate.out_of_reach == expected
