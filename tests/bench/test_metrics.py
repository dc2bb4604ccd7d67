"""Quality figures: equal to those of the packages, best for what is the same."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nacli.bench import metrics
from nacli.bench.clips import Clip, read_clip, resample
from nacli.bench.quality import BY_NAME, METRICS, Metric, measure_quality

TALK = Path(__file__).parents[1] / "data" / "talk.flac"
BASIC = tuple(metric for metric in METRICS if metric.package is None)


@pytest.fixture(scope="module")
def talk() -> Clip:
    return read_clip(TALK, 3)


@pytest.mark.parametrize("metric", BASIC, ids=lambda metric: metric.name)
def test_less_noise_is_better(metric: Metric, talk: Clip) -> None:
    noise = np.random.default_rng(0).normal(size=talk.pcm.shape).astype(np.float32)
    levels = (0.0, 0.01, 0.1)
    found = [
        measure_quality(talk.pcm, talk.pcm + noise * level, talk.rate, (metric,))[metric.name]
        for level in levels
    ]
    assert found == sorted(found, reverse=metric.higher_is_better)
    assert metric.higher_is_better or found[0] == 0


def test_level_is_in_decibels() -> None:
    pcm = np.random.default_rng(0).normal(size=1000)
    assert metrics.level_error(pcm, pcm / 2) == pytest.approx(20 * math.log10(2), abs=1e-6)


def test_figures_are_those_of_the_packages(talk: Clip) -> None:
    pesq, pystoi = pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    decoded = (np.rint(talk.pcm * 50) / 50).astype(np.float32)
    chosen = tuple(BY_NAME[name] for name in ("pesq", "stoi", "estoi"))
    found = measure_quality(talk.pcm, decoded, talk.rate, chosen)
    pair = [resample(pcm, talk.rate, 16_000)[:, 0] for pcm in (talk.pcm, decoded)]
    expected = {
        "pesq": pesq.pesq(16_000, *pair, "wb"),
        "stoi": pystoi.stoi(*pair, 16_000),
        "estoi": pystoi.stoi(*pair, 16_000, extended=True),
    }
    # sums in several threads differ in their last bit from call to call
    assert found == pytest.approx(expected, abs=1e-9)


def test_the_mean_over_channels_is_taken(talk: Clip) -> None:
    stereo = np.hstack([talk.pcm, talk.pcm])
    other = np.hstack([talk.pcm, talk.pcm * 0.1])
    found = measure_quality(stereo, other, talk.rate, (BY_NAME["level"],))
    assert found["level"] == pytest.approx(10, abs=1e-4)


def test_what_is_too_short_has_no_figure() -> None:
    short = np.full(800, 0.1)
    assert math.isnan(metrics.stoi(short, short))
    pytest.importorskip("visqol")
    assert math.isnan(metrics.visqol(short, short))


def test_visqol_of_two_equal_recordings_is_the_published_value() -> None:
    """The one conformance value of ViSQOL v3's own tests that needs no recording of theirs."""
    pytest.importorskip("numba", reason="minutes without")
    pytest.importorskip("visqol")
    noise = np.random.default_rng(0).normal(size=72_000) * 0.1
    assert metrics.visqol(noise, noise) == pytest.approx(4.732101253042348, abs=1e-4)
