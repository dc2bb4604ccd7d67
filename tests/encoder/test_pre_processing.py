"""Samples before the network: no offset, and frames of two silent hops are known."""

from __future__ import annotations

import numpy as np

from nacli.encoder.pre_processing import PreProcess

HOP = 320


def test_frames_are_silent_where_both_of_their_hops_are() -> None:
    pcm = np.zeros((2, 8 * HOP), dtype=np.float32)
    pcm[0, 2 * HOP : 4 * HOP] = 0.1
    random = np.random.default_rng(0)
    dither = np.rint(random.triangular(-1, 0, 1, pcm.shape[1]))
    pcm[1] = dither / 32768
    whole = PreProcess(2, HOP).process(pcm)[1]
    assert whole[0].tolist() == [True, True, False, False, False, True, True, True]
    assert whole[1].all()
    cut = PreProcess(2, HOP)
    parts = [cut.process(part)[1] for part in np.split(pcm, [3 * HOP, 4 * HOP], axis=1)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


def test_an_offset_goes_and_speech_stays() -> None:
    sound = 0.1 * np.random.default_rng(0).normal(size=(1, 150 * HOP)).astype(np.float32)
    moved = PreProcess(1, HOP).process(sound + np.float32(0.5))[0]
    kept = PreProcess(1, HOP).process(sound)[0]
    np.testing.assert_allclose(moved[:, 4800:], kept[:, 4800:], atol=1e-6)
    assert abs(kept.std() - sound.std()) < 0.001
