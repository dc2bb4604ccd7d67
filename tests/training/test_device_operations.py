"""Tensor operations of a step do what NumPy does elsewhere: smoothing of gains, stage counts, and
batches of the corpus."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nacli.networks import gain_smoothing
from nacli.quantizer.allocation import packet_counts
from training.corpus.device_corpus import DeviceCorpus
from training.corpus.sampler import Sampler, Source
from training.gain_smoothing import smooth_gains
from training.stage_allocation import HIGHEST_LEVEL, random_allocation, stage_counts


def random_gains() -> np.ndarray:
    """Return gains [B, F] that wander, with silence between and at the limits."""
    random = np.random.default_rng(0)
    walk = 40 + random.integers(-4, 5, (8, 60)).cumsum(1)
    return np.clip(walk * (random.random((8, 60)) > 0.1), 0, 80)


def test_smoothed_gains_are_those_of_encoders() -> None:
    gains = random_gains()
    expected = gain_smoothing.smooth_gains(gains.T).T
    np.testing.assert_array_equal(smooth_gains(torch.from_numpy(gains)), expected)
    assert (expected != gains).any()


def test_stage_counts_are_those_of_packets() -> None:
    gains = random_gains()
    levels = np.array([4, 8, 20, 60, 100, 140, 200, 255])
    rows = [packet_counts(g[None], (level,), 16)[0] for g, level in zip(gains, levels, strict=True)]
    found = stage_counts(torch.from_numpy(gains), torch.from_numpy(levels), 16)
    np.testing.assert_array_equal(found, np.stack(rows))
    torch.manual_seed(0)
    counts = random_allocation(16)(torch.from_numpy(gains))
    full = packet_counts(gains[:1], (HIGHEST_LEVEL,), 16)
    np.testing.assert_array_equal(counts[:1], full)
    assert counts[1:].float().mean() < counts[:1].float().mean()


def test_a_device_draws_as_the_sampler_does() -> None:
    sources = []
    for number, kind in enumerate(("speech", "music", "ambience")):
        samples = np.full(100_000, (number + 1) * 4000, dtype=np.int16)
        samples[20_000:50_000] = 0
        source = Source(kind, kind, samples)
        samples[len(samples) - source.held_out :] = -8000
        sources.append(source)
    torch.manual_seed(0)
    sampler = Sampler(sources, segment=2400, seed=0)
    drawn = DeviceCorpus(sampler, torch.device("cpu")).batch(600)
    assert drawn.shape == (600, 2400) and drawn.max() <= 1
    assert (drawn >= 0).all()  # nothing that is held out
    peaks = drawn.amax(1)
    assert (peaks > 0).float().mean() > 0.95  # rarely silent
    assert peaks[peaks > 0].log().std() > 0.3  # at random levels


@pytest.mark.parametrize("music", [0.0, 0.95])
def test_a_device_draws_music_by_its_share(music: float) -> None:
    pair = [
        Source(kind, kind, np.full(60_000, value, dtype=np.int16))
        for kind, value in (("speech", 8000), ("music", -8000))
    ]
    torch.manual_seed(0)
    sampler = Sampler(pair, segment=2400, seed=0, music=music)
    drawn = DeviceCorpus(sampler, torch.device("cpu")).batch(400)
    assert float((drawn < 0).float().mean()) == pytest.approx(music, abs=0.06)
