"""Every codec's delay is found and taken out, whatever its sample rate."""

from __future__ import annotations

import numpy as np
import pytest

from nacli.bench.align import align
from nacli.bench.clips import resample
from nacli.types import Pcm

RATE = 16_000


def noise(samples: int, channels: int = 1) -> Pcm:
    """Noise in bursts, so that it has an envelope too."""
    random = np.random.default_rng(0)
    level = np.repeat(random.uniform(0, 0.3, samples // 800 + 1), 800)[:samples, None]
    return (random.normal(size=(samples, channels)) * level).astype(np.float32)


@pytest.mark.parametrize("delay", [-2000, -1, 0, 1, 312, 3999])
def test_a_delay_is_taken_out(delay: int) -> None:
    original = noise(RATE)
    late = np.pad(original, ((max(delay, 0), 0), (0, 0)))[max(-delay, 0) :]
    aligned, found = align(original, late * 0.5, RATE, RATE)
    assert (found, aligned.shape) == (delay, original.shape)
    kept = slice(max(-delay, 0), None)
    np.testing.assert_array_equal(aligned[kept], original[kept] * 0.5)


def test_another_rate_comes_back_in_time() -> None:
    original = resample(noise(RATE), RATE // 2, RATE)[:RATE]  # nothing near half the rate
    late = np.pad(resample(original, RATE, 48_000), ((936, 0), (0, 0)))
    aligned, found = align(original, late, RATE, 48_000)
    assert found == 312
    assert np.abs(aligned - original)[100:-100].max() < 0.01


def test_a_parametric_codec_is_aligned_by_its_envelope() -> None:
    original = noise(RATE)
    level = np.abs(original).reshape(-1, 800).mean(1).repeat(800)[:, None]
    other = level * np.random.default_rng(1).choice([-1, 1], size=(RATE, 1)).astype(np.float32)
    late = np.pad(other, ((800, 0), (0, 0)))
    assert abs(align(original, late, RATE, RATE)[1] - 800) <= 80


def test_what_is_not_alike_is_left_where_it_is() -> None:
    aligned, found = align(noise(RATE, 2), np.zeros((10, 1), np.float32), RATE, RATE)
    assert (found, aligned.shape) == (0, (RATE, 2))
