"""The gains of frames: their scale, their smoothing, and configurations without normalisation."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import torch

from nacli.config import GAIN_LEVELS
from nacli.networks.gain_smoothing import CHANGE_COST, REACH, STEP_COST, smooth_gains
from nacli.networks.torch_engine import Decoder, Encoder, History
from small_networks import SMALL, make_networks


def test_latents_depend_on_the_level_without_normalisation() -> None:
    config = replace(SMALL, normalize=False)
    encoder = Encoder(config)
    pcm = torch.randn(1, 10 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.3
    loud, quiet = (encoder(level, History()) for level in (pcm, pcm / 8))
    assert (loud[1] > quiet[1]).all()
    assert loud[0].square().mean() > 4 * quiet[0].square().mean()
    decoder, nothing = Decoder(config), torch.zeros_like(loud[1])
    silent = decoder(loud[0], nothing, nothing, History())
    assert (silent == 0).all()


def test_the_level_changes_gains_and_not_latents() -> None:
    config, encoder = SMALL, Encoder(SMALL)
    pcm = torch.randn(1, 10 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.3
    step = 10 ** (8 * config.gain_step_db / 20)
    loud, quiet = (encoder(level, History()) for level in (pcm, pcm / step))
    assert (loud[1] - quiet[1] == 8).all()
    torch.testing.assert_close(loud[0], quiet[0], atol=1e-4, rtol=1e-4)


def test_smoothed_gains_are_the_cheapest_trajectory() -> None:
    gains = np.array([[40, 42, 41, 43, 47], [3, 1, 0, 2, 80]])

    def cost(trajectory: tuple[int, ...], row: list[int]) -> float:
        error = sum((a - b) ** 2 for a, b in zip(trajectory, row, strict=True))
        changes = [abs(a - b) for a, b in pairwise(trajectory)]
        return error + sum(CHANGE_COST + STEP_COST * change for change in changes if change)

    for row, smoothed in zip(gains.tolist(), smooth_gains(gains.T).T.tolist(), strict=True):
        ranges = [range(max(1, g - REACH), min(g + REACH, 80) + 1) if g else (0,) for g in row]
        best = min(cost(trajectory, row) for trajectory in product(*ranges))
        assert cost(tuple(smoothed), row) == best
        assert all(gain in allowed for gain, allowed in zip(smoothed, ranges, strict=True))
    assert smooth_gains(gains[:, :1].T).T.tolist() == [[40], [3]]


def test_silence_has_gain_zero_and_full_scale_stays_in_range() -> None:
    model = make_networks(SMALL)
    silence = np.zeros((1, 640), dtype=np.float32)
    assert (Encoder(SMALL)(torch.from_numpy(silence), History())[1] == 0).all()
    loud = np.full((1, 640), 1e3, dtype=np.float32)
    assert model.analyze(loud, model.new_history())[1].max() < GAIN_LEVELS
