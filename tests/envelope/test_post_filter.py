"""The post-filter applies the gains of its network to bands, in blocks of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import train_postfilter
from nacli.checkpoint import load_checkpoint
from nacli.dsp.filterbank import BANDS, bark_spectra
from nacli.envelope.post_filter import (
    AFTER,
    BEFORE,
    GainNetwork,
    PostFilter,
    neighbour_levels,
    with_counts,
)
from training.envelope.post_filter import GainNet
from training_run import retrain

HOP, RATE = 320, 24_000
DELAY = PostFilter.DELAY


def network(last: float | None = None, seed: int = 0) -> GainNetwork:
    """A network with random weights; with `last`, one that always gives this gain."""
    torch.manual_seed(seed)
    net = GainNet(16)
    torch.nn.init.normal_(net.last.weight, std=0.5)
    if last is not None:
        torch.nn.init.zeros_(net.last.weight)
        torch.nn.init.constant_(net.last.bias, last)
    return GainNetwork(net.export())


def filtered(
    pcm: np.ndarray,
    gains: GainNetwork | None,
    cuts: tuple[int, ...] = (),
    stages: int = 4,
    corrections: np.ndarray | None = None,
) -> np.ndarray:
    """The output of the filter, cut into blocks after these hops, aligned with the input."""
    hops = np.pad(pcm, (0, DELAY * HOP)).astype(np.float32).reshape(-1, HOP)
    made, post = [], PostFilter(gains, 1, HOP, RATE)
    rows = np.zeros((len(hops), BANDS), dtype=np.float32)
    rows[: 0 if corrections is None else len(corrections)] = corrections
    for part, row in zip(np.split(hops, cuts), np.split(rows, cuts), strict=True):
        counts = np.full((1, len(part)), stages, dtype=np.int32)
        made.append(post.process(part.reshape(1, -1), counts, row[None]))
    return np.concatenate(made, axis=1)[0, DELAY * HOP :]


def noise(hops: int = 30) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).normal(size=hops * HOP).astype(np.float32)


def test_without_a_network_it_only_delays() -> None:
    np.testing.assert_array_equal(filtered(noise(), None), noise())


@pytest.mark.parametrize("gain", [0.0, -0.5, 0.5])
def test_a_gain_of_all_bands_is_a_gain_of_the_sound(gain: float) -> None:
    expected = noise() * np.exp(np.float16(gain).astype(np.float32))
    np.testing.assert_allclose(filtered(noise(), network(gain)), expected, atol=1e-5)


def test_a_gain_of_one_band_leaves_the_others_alone() -> None:
    tensors = GainNet(16).export()
    tensors["last.bias"][:] = 0
    tensors["last.bias"][20] = 1
    spectra = bark_spectra(HOP, RATE)
    before, after = (spectra.analyze(x) for x in (noise(), filtered(noise(), GainNetwork(tensors))))
    change = np.square(np.abs(after)).mean(0) / np.square(np.abs(before)).mean(0)
    centre = spectra.band_weights[20].argmax()
    assert change[centre] > 4
    outside = spectra.band_weights[19:22].sum(0) == 0
    assert np.abs(change[outside][:-3] - 1).max() < 0.2


def test_blocks_of_any_size_give_the_same_output() -> None:
    whole = filtered(noise(), network())
    cut = filtered(noise(), network(), cuts=(1, 2, 9, 10))
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert np.abs(whole - noise()).max() > 0.01


def test_loud_and_quiet_sound_get_the_same_gains() -> None:
    loud, quiet = filtered(noise(), network()), filtered(noise() / 16, network())
    np.testing.assert_allclose(16 * quiet, loud, atol=1e-3)


def test_gains_depend_on_the_stage_counts() -> None:
    few, many = (filtered(noise(), network(), stages=n) for n in (1, 12))
    assert np.abs(few - many).max() > 1e-3


def test_the_output_depends_on_no_more_hops_than_stated() -> None:
    changed = noise()
    changed[15 * HOP : 16 * HOP] *= -0.5
    difference = np.abs(filtered(noise(), network()) - filtered(changed, network()))
    hops = (difference > 1e-6).reshape(-1, HOP).any(1).nonzero()[0]
    assert hops.min() >= 15 - DELAY and hops.max() <= 15 + PostFilter.REACH - DELAY


def test_silence_stays_silent() -> None:
    assert not filtered(np.zeros(20 * HOP, dtype=np.float32), network()).any()


def test_the_network_is_the_one_that_was_trained() -> None:
    torch.manual_seed(0)
    net = GainNet(16)
    torch.nn.init.normal_(net.last.weight, std=0.5)
    spectra = bark_spectra(HOP, RATE)
    energies = spectra.energies(spectra.analyze(noise()))
    levels = neighbour_levels(energies, np.zeros_like(energies))
    assert levels.shape == (2 * 30 - 1 - BEFORE - AFTER, (BEFORE + 1 + AFTER) * BANDS)
    counts = np.arange(len(levels), dtype=np.int32) % 16
    with torch.no_grad():
        expected = net(torch.from_numpy(with_counts(levels, counts))).numpy()
    np.testing.assert_allclose(GainNetwork(net.export())(levels, counts), expected, atol=0.01)


def test_layers_that_do_not_fit_are_refused() -> None:
    tensors = GainNet(16).export()
    with pytest.raises(ValueError, match="fit"):
        GainNetwork(tensors | {"second.weight": tensors["second.weight"][:, :8]})


def test_training_adds_the_network_to_a_checkpoint_and_changes_nothing_else(tmp_path: Path) -> None:
    options = ["--clips", "10", "--steps", "3", "--hidden", "8"]
    shipped, made = retrain(train_postfilter.main, tmp_path, options)
    before, after = load_checkpoint(shipped), load_checkpoint(made)
    assert before.postfilter is None and after.postfilter is not None
    assert after.digest != before.digest
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(after.tensors[name], tensor)
    again = retrain(train_postfilter.main, tmp_path, options, made)[1]
    assert load_checkpoint(again).tensors.keys() == after.tensors.keys()
