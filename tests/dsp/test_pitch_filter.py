"""The harmonic filter: noise between harmonics goes, all else stays, however the sound is cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import training.differentiable.pitch_filter
from nacli.dsp.pitch_filter import PitchFilter

HOP, RATE = 320, 24_000


def filtered(pcm: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    """Through the filter, cut after these hops, and aligned with what went in."""
    delay = PitchFilter.DELAY
    hops = np.pad(pcm, (0, delay * HOP)).astype(np.float32).reshape(-1, HOP)
    made, comb = [], PitchFilter(1, HOP)
    for part in np.split(hops, cuts):
        made.append(comb.process(part.reshape(1, -1)))
    return np.concatenate(made, axis=1)[0, delay * HOP :]


def voice(pitch: float, seconds: float = 1.0) -> np.ndarray:
    """Harmonics up to 1.4 kHz."""
    time = np.arange(int(seconds * RATE)) / RATE
    number = np.arange(1, int(1400 / pitch))[:, None]
    return 0.05 * np.cos(2 * np.pi * pitch * number * time + number).sum(0)


@pytest.mark.parametrize("pitch", [80.0, 123.4, 210.0, 350.0])
def test_noise_between_harmonics_goes(pitch: float) -> None:
    clean = voice(pitch)
    noise = 0.1 * clean.std() * np.random.default_rng(0).normal(size=len(clean))
    low = np.convolve(noise, np.hamming(33) / np.hamming(33).sum(), "same")  # where the voice is
    heard = filtered(clean + low)
    inside = slice(2400, -2400)
    before, after = np.square(low[inside]).mean(), np.square((heard - clean)[inside]).mean()
    assert after < 0.75 * before
    assert np.square((filtered(clean) - clean)[inside]).mean() < 1e-4 * np.square(clean).mean()


def test_noise_alone_and_what_is_high_stay_as_they_are() -> None:
    noise = 0.1 * np.random.default_rng(1).normal(size=RATE)
    changed = filtered(noise) - noise
    assert np.square(changed).mean() < 1e-3 * np.square(noise).mean()
    high = 0.3 * np.sin(2 * np.pi * 5000 / RATE * np.arange(RATE))
    np.testing.assert_allclose(filtered(high), high, atol=2e-3)


def test_silence_stays_silent() -> None:
    assert not filtered(np.zeros(10 * HOP)).any()


def test_cutting_changes_nothing() -> None:
    pcm = voice(150.0, 0.4)[: 20 * HOP] + 0.01 * np.random.default_rng(2).normal(size=20 * HOP)
    np.testing.assert_array_equal(filtered(pcm), filtered(pcm, cuts=(1, 4, 5, 17)))


def test_it_hears_no_further_than_it_says() -> None:
    pcm = voice(110.0, 0.4)[: 20 * HOP]
    changed = pcm.copy()
    changed[10 * HOP : 11 * HOP] *= -0.5
    hops = (filtered(pcm) != filtered(changed)).reshape(-1, HOP).any(1).nonzero()[0]
    lead = PitchFilter.REACH - PitchFilter.DELAY
    assert hops.min() >= 10 - PitchFilter.DELAY and hops.max() <= 10 + lead


def test_the_training_has_the_same_filter_and_gradients_reach_what_is_filtered() -> None:
    random, pitches = np.random.default_rng(0), (150.0, 230.0)
    pcm = np.stack([voice(pitch) + 0.01 * random.normal(size=RATE) for pitch in pitches])
    pcm = pcm[:, : RATE // HOP * HOP].astype(np.float32)
    samples = torch.from_numpy(pcm).requires_grad_()
    heard = training.differentiable.pitch_filter.PitchFilter(HOP)(samples)
    expected = np.stack([filtered(row) for row in pcm])
    np.testing.assert_allclose(heard.detach(), expected, atol=1e-5)
    assert np.abs(expected - pcm).max() > 0.01
    heard.square().sum().backward()
    assert samples.grad is not None and (samples.grad.abs().mean(1) > 0.01).all()
