"""Periods are those of the best correlation, and do not depend on sound that is further away."""

from __future__ import annotations

import numpy as np
import pytest

from nacli.dsp.periods import (
    MARGIN,
    MAX_PERIOD,
    MIN_PERIOD,
    PERIOD_PENALTY,
    REACH,
    WINDOW,
    find_periods,
    periods_at,
)
from nacli.types import Doubles, Floats

HALF = 160


def voice(pitch: float, noise: float = 0.02) -> Floats:
    """Return 0.5 s of a voiced sound in noise."""
    time = np.arange(12_000) / 24_000
    number = np.arange(1, int(1400 / pitch))[:, None]
    clean = 0.05 * np.cos(2 * np.pi * pitch * number * time + number).sum(0)
    return (clean + noise * np.random.default_rng(0).normal(size=len(time))).astype(np.float32)


@pytest.mark.parametrize("pitch", [80.0, 123.4, 210.0, 350.0])
def test_the_periods_of_a_voice_are_found(pitch: float) -> None:
    lags, strengths = periods_at(voice(pitch), HALF)
    np.testing.assert_allclose(np.median(lags, axis=0), [-24_000 / pitch, 24_000 / pitch], atol=1)
    assert strengths.shape == lags.shape == ((12_000 - 2 * MARGIN) // HALF + 1, 2)
    assert np.median(strengths) > 0.8


def correlation(low: Doubles, at: int, lag: int) -> float:
    start = at - WINDOW // 2
    own, other = low[start : start + WINDOW], low[start + lag :][:WINDOW]
    return float(own @ other / np.sqrt((own @ own) * (other @ other)))


def test_a_period_is_the_lag_with_the_best_correlation() -> None:
    low = voice(170.0, noise=0.2).astype(np.float64)
    positions = np.array([REACH, 1000, 5000])
    lags, strengths = find_periods(low, positions)
    for side, sign in enumerate((-1, 1)):
        for row, at in enumerate(positions):
            candidates = range(MIN_PERIOD, min(MAX_PERIOD, at - WINDOW // 2) + 1)
            found = {k: correlation(low, int(at), sign * k) for k in candidates}
            best = max(found, key=lambda k: found[k] - PERIOD_PENALTY * k)
            assert lags[row, side] == sign * best
            assert strengths[row, side] == pytest.approx(
                min(max((found[best] - 0.6) / 0.35, 0), 1), abs=1e-6
            )


def test_distant_sound_changes_nothing() -> None:
    pcm, parts = voice(150.0), []
    whole = periods_at(pcm, HALF)
    for start in range(0, len(pcm) - 2 * MARGIN, 3 * HALF):
        parts.append(periods_at(pcm[start : start + 2 * HALF + 2 * MARGIN], HALF))
    for column, cut in zip(whole, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(column, np.concatenate(cut))
    loud = pcm.copy()
    loud[: 20 * HALF] *= 1000
    np.testing.assert_array_equal(periods_at(loud, HALF)[1][20:], whole[1][20:])


def test_silence_has_no_period() -> None:
    lags, strengths = periods_at(np.zeros(2000, dtype=np.float32), HALF)
    assert not strengths.any() and (np.abs(lags) == MIN_PERIOD).all()
