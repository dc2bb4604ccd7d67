"""The correction filter applies corrections to bands, in blocks of any size."""

from __future__ import annotations

import numpy as np
import pytest

from nacli.dsp.filterbank import BANDS, bark_spectra
from nacli.envelope.correction_filter import CorrectionFilter

HOP, RATE = 320, 24_000
DELAY, CONTEXT = CorrectionFilter.DELAY, CorrectionFilter.REACH - CorrectionFilter.DELAY
HOPS = 30


def filtered(pcm: np.ndarray, corrections: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    """The output of the filter, cut into blocks after these hops, aligned with the input."""
    hops = np.pad(pcm, (0, DELAY * HOP)).astype(np.float32).reshape(-1, HOP)
    rows = np.pad(corrections, ((0, DELAY), (0, 0)), "edge").astype(np.float32)
    parts = zip(np.split(hops, cuts), np.split(rows, cuts), strict=True)
    found = CorrectionFilter(1, HOP, RATE)
    made = [found.process(part.reshape(1, -1), row[None]) for part, row in parts]
    return np.concatenate(made, axis=1)[0, DELAY * HOP :]


def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=HOPS * HOP).astype(np.float32)


def random_corrections() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(HOPS, BANDS)) / 2


def test_without_corrections_it_only_delays() -> None:
    np.testing.assert_array_equal(filtered(noise(), np.zeros((HOPS, BANDS))), noise())


@pytest.mark.parametrize("gain", [-0.5, 0.5])
def test_the_same_correction_of_all_bands_is_a_gain_of_the_sound(gain: float) -> None:
    changed = filtered(noise(), np.full((HOPS, BANDS), gain))[HOP:]  # it fades in
    np.testing.assert_allclose(changed, noise()[HOP:] * np.exp(gain), atol=1e-5)


def test_a_correction_of_one_band_leaves_the_others_alone() -> None:
    corrections = np.zeros((HOPS, BANDS))
    corrections[:, 20] = 1
    spectra = bark_spectra(HOP, RATE)
    before, after = (spectra.analyze(x) for x in (noise(), filtered(noise(), corrections)))
    change = np.square(np.abs(after)).mean(0) / np.square(np.abs(before)).mean(0)
    centre = spectra.band_weights[20].argmax()
    assert change[centre] > 4
    outside = spectra.band_weights[19:22].sum(0) == 0
    assert np.abs(change[outside][:-3] - 1).max() < 0.2


def test_blocks_of_any_size_give_the_same_output() -> None:
    whole = filtered(noise(), random_corrections())
    cut = filtered(noise(), random_corrections(), cuts=(1, 2, 9, 10))
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-6)
    assert np.abs(whole - noise()).max() > 0.01


def test_the_output_depends_on_the_stated_hops() -> None:
    for changed_pcm in (True, False):
        pcm, corrections = noise(), random_corrections()
        if changed_pcm:
            pcm[15 * HOP : 16 * HOP] *= -0.5
        else:
            corrections[15] += 1
        difference = np.abs(filtered(noise(), random_corrections()) - filtered(pcm, corrections))
        hops = (difference > 0).reshape(-1, HOP).any(1).nonzero()[0]
        assert (hops.min(), hops.max()) == (15 - DELAY, 15 + CONTEXT)


def test_silence_stays_silent() -> None:
    assert not filtered(np.zeros(HOPS * HOP), random_corrections()).any()
