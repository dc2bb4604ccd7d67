"""Sampling of the corpus: shares of kinds, and samples that are held out."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpus.sampler import Sampler, Source


def test_the_share_of_music_is_drawn() -> None:
    sources = [
        Source(kind, kind, np.full(50_000, level, dtype=np.int16))
        for kind, level in (("speech", 8000), ("music", -8000), ("ambience", 8000))
    ]
    for music in (0.0, 0.33, 0.95):
        batch = Sampler(sources, segment=100, seed=0, music=music).batch(400)
        assert float((batch < 0).float().mean()) == pytest.approx(music, abs=0.06)
    default = Sampler(sources, segment=100, seed=0).weights
    np.testing.assert_array_equal(default, [0.62, 0.33, 0.05])


def test_the_sampler_never_reads_held_out_samples() -> None:
    samples = np.full(100_000, 8000, dtype=np.int16)
    source = Source("tone", "speech", samples)
    samples[len(samples) - source.held_out :] = -8000
    batch = Sampler([source], segment=4800, seed=0).batch(64)
    assert batch.shape == (64, 4800)
    assert (batch > 0).all() and (batch <= 1).all()
