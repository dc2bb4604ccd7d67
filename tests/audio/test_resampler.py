"""The resampler does not depend on how its input is cut, and keeps time and level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_files import noise
from nacli.audio import Resampler
from nacli.types import Pcm

RATES = (8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)


PAIRS = [(rate, 24_000) for rate in RATES] + [(24_000, rate) for rate in RATES]


def resample(pcm: Pcm, rates: tuple[int, int], cuts: list[int]) -> Pcm:
    resampler = Resampler(*rates, pcm.shape[1])
    pieces = [resampler.process(piece) for piece in np.split(pcm, cuts)]
    return np.concatenate([*pieces, resampler.flush()])


@given(st.sampled_from(PAIRS), st.integers(1, 3), st.integers(0, 3000), st.data())
@settings(max_examples=60, deadline=None)
def test_resampler_is_chunk_exact(
    rates: tuple[int, int], channels: int, samples: int, data: st.DataObject
) -> None:
    pcm = noise(samples, channels)
    cuts = sorted(data.draw(st.lists(st.integers(0, samples), max_size=12)))
    whole = resample(pcm, rates, [])
    assert abs(len(whole) - samples * rates[1] / rates[0]) <= 1
    assert np.array_equal(resample(pcm, rates, cuts), whole)


@pytest.mark.parametrize("rates", PAIRS)
def test_resampler_in_the_smallest_and_in_long_pieces(rates: tuple[int, int]) -> None:
    pcm = noise(30_011, 2)
    whole = resample(pcm, rates, [])
    assert np.array_equal(resample(pcm, rates, [*range(1, 700), 700, 20_000]), whole)


@pytest.mark.parametrize("rate", RATES)
def test_resampling_there_and_back_keeps_time_and_level(rate: int) -> None:
    time = np.arange(rate) / rate
    tone = (0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[:, None]
    back = resample(resample(tone, (rate, 24_000), []), (24_000, rate), [])
    middle = slice(rate // 4, rate * 3 // 4)
    assert np.abs(back[middle] - tone[middle]).max() < 1e-4


def test_equal_rates_pass_through() -> None:
    pcm = noise(10, 2)
    assert resample(pcm, (24_000, 24_000), [3]).tolist() == pcm.tolist()
