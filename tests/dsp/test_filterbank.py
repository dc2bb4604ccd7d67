"""Band energies: measured hop by hop, restored by corrections, and the same in the training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fake_model import CONFIG, make_model
from nacli.dsp.filterbank import BANDS, BandEnergyMeter, band_corrections, bark_spectra
from nacli.encoder.local_decoder import LocalDecoder
from nacli.envelope.correction_filter import CorrectionFilter, per_spectrum, smooth
from nacli.envelope.predictor import CorrectionPredictor

HOP, RATE = CONFIG.hop, CONFIG.sample_rate
SPAN = CONFIG.correction_frames


def noise(hops: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, hops * HOP)).astype(np.float32) * 0.1


def coloured(hops: int) -> np.ndarray:
    """Noise whose bands come and go."""
    pcm = noise(hops, seed=1)
    slow = 1 + 0.8 * np.sin(np.arange(pcm.shape[1]) / 3000)
    return (slow * (pcm + np.roll(pcm, 1, axis=1))).astype(np.float32)


def energies(pcm: np.ndarray) -> np.ndarray:
    return BandEnergyMeter(len(pcm), bark_spectra(HOP, RATE)).measure(pcm)


def test_a_hop_counts_when_it_is_complete_and_cutting_changes_nothing() -> None:
    pcm = noise(12)
    whole = energies(pcm)
    assert whole.shape == (2, 12, BANDS)
    meter = BandEnergyMeter(2, bark_spectra(HOP, RATE))
    parts = [meter.measure(part) for part in np.split(pcm, [HOP, 5 * HOP], axis=1)]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5)
    changed = pcm.copy()
    changed[:, 7 * HOP :] = 0
    np.testing.assert_array_equal(energies(changed)[:, :7], whole[:, :7])


def test_a_tone_is_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 / RATE * np.arange(8 * HOP))[None].astype(np.float32)
    found = energies(tone)[0, 2:]
    centre = bark_spectra(HOP, RATE).band_weights[:, round(1000 * HOP / RATE)].argmax()
    assert (found.argmax(1) == centre).all()
    assert (found[:, 20] < 1e-3 * found[:, centre]).all()


@pytest.mark.parametrize("span", [1, 2, 4])
def test_corrections_give_bands_the_energy_of_the_original(span: int) -> None:
    original, decoded = coloured(24), noise(24)
    wanted = band_corrections(energies(original), energies(decoded), span)
    assert wanted.shape == (2, -(-24 // span), BANDS)
    late = CorrectionFilter.DELAY
    stepped = np.pad(wanted.repeat(span, 1)[:, :24], ((0, 0), (0, late), (0, 0)), "edge")
    padded = np.pad(decoded, ((0, 0), (0, late * HOP)))
    corrected = CorrectionFilter(2, HOP, RATE).process(padded, stepped)[:, late * HOP :]
    after = band_corrections(energies(original), energies(corrected), span)
    assert np.abs(after).mean() < np.abs(wanted).mean() / 3


def test_a_band_that_is_far_under_the_others_is_left_as_it_is() -> None:
    original = np.ones((1, 4, BANDS), dtype=np.float32)
    original[..., -1] = 1e-7
    wanted = band_corrections(original, original * np.float32(1e-3), 2)
    assert wanted[0, 0, 0] > 1.5 and abs(wanted[0, 0, -1]) < 0.01
    silent = np.zeros((1, 4, BANDS), dtype=np.float32)
    assert not band_corrections(silent, silent, 2).any()


def test_corrections_go_over_into_each_other() -> None:
    corrections = np.zeros((40, BANDS), dtype=np.float32)
    corrections[20:] = 1
    found = smooth(per_spectrum(corrections))[:, 0]
    assert len(found) == 77
    rising = found[(found > 0) & (found < 1)]
    np.testing.assert_allclose(rising, [0.1, 0.9])
    assert (np.diff(found) >= 0).all()


class Passing:
    """Networks that decode samples as they are given, a hop late."""

    def new_history(self) -> Any:
        return self

    def copy(self) -> Any:
        return self

    def synthesize(self, latents: Any, gains: Any, counts: Any, history: Any) -> Any:
        return latents.reshape(len(latents), -1)


def test_the_local_decoder_compares_what_belongs_together() -> None:
    """Decoded sound is late: by a frame, and what the Decoder looks ahead."""
    pcm = coloured(40)
    heard = np.pad(0.5 * pcm, ((0, 0), (HOP, 0)))[:, : 40 * HOP]  # a hop late
    local = LocalDecoder(CONFIG, Passing(), CorrectionPredictor.none(), 2)  # type: ignore[arg-type]
    steady = np.full((2, 40), CONFIG.correction_fine, np.int32)  # spans of one frame
    frames = heard.reshape(2, 40, HOP).astype(np.float32)
    wanted = local.targets(energies(pcm), frames, steady, steady)
    settled = 1 + 16  # when the moving mean has settled
    middle = np.stack([row.corrections for row in wanted])[:, settled:]
    assert abs(float(np.median(middle)) - np.log(2)) < 0.03
    assert np.abs(middle - np.log(2)).mean() < 0.15


def test_a_copy_of_the_local_decoder_goes_on_from_the_same_place() -> None:
    model, pcm = make_model(), coloured(24)
    latents, gains = model.networks.analyze(pcm, model.networks.new_history())
    counts, measured = np.full_like(gains, 4), energies(pcm)
    parts = [
        (measured[:, f:t], latents[:, f:t], gains[:, f:t], counts[:, f:t])
        for f, t in ((0, 12), (12, 24))
    ]
    local = LocalDecoder(CONFIG, model.networks, model.predictor, 2)
    whole = local.copy().targets(measured, latents, gains, counts)
    local.targets(*parts[0])
    tries = [local.copy().targets(*parts[1]) for _ in range(2)]
    for first, second, row in zip(*tries, whole, strict=True):
        np.testing.assert_array_equal(first.corrections, second.corrections)
        np.testing.assert_allclose(
            first.corrections, row.corrections[-len(first.corrections) :], atol=1e-5
        )
