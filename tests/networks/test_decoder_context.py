"""The frames on which the Decoder's output depends: its look-ahead, and recurrent models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import nacli
from fake_model import make_model
from loss import packet_bounds
from nacli.decoder.timeline import Gap
from nacli.quantizer.rvq import Codebooks
from small_networks import SMALL, make_networks


@pytest.mark.parametrize("frames", [1, 3])
def test_decoded_samples_depend_on_frames_up_to_the_lookahead(frames: int) -> None:
    config = replace(SMALL, lookahead=frames)
    model, random = make_networks(config), np.random.default_rng(2)
    latents = random.normal(size=(1, 20, config.latent_dim)).astype(np.float32)
    gains = np.full((1, 20), 60, dtype=np.int32)
    counts = np.full_like(gains, 4)

    def changes(**changed: Any) -> Any:
        """Return the largest difference [F] of the samples in each hop of the output."""
        given = {"latents": latents, "gains": gains, "counts": counts}
        first, second = (
            model.synthesize(**inputs, history=model.new_history())
            for inputs in (given, given | changed)
        )
        return np.abs(first - second).reshape(20, config.hop).max(1)

    for name, values in (("latents", latents), ("gains", gains), ("counts", counts)):
        other = values.copy()
        other[:, 10] += 2
        changed = changes(**{name: other})
        assert (changed[:10] == 0).all(), "the output depends on later input"
        assert changed[10] > 0, "the output of earlier frames ignores this frame"


def test_the_lookahead_does_not_shift_decoded_samples() -> None:
    """A Decoder with look-ahead is compared to one without: in whole files, in parts of files, and
    after a gap. Both have the same weights, and those of the look-ahead are zero."""
    models = []
    for frames in (0, 3):
        model = make_model()
        model.config = replace(
            model.config, width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, lookahead=frames
        )
        torch.manual_seed(0)
        model.networks = make_networks(model.config)
        books = model.codebooks.corrections
        model.codebooks = Codebooks(
            model.codebooks.entries,
            model.codebooks.scales,
            Codebooks(np.zeros_like(books.entries), np.ones_like(books.scales)),
        )
        models.append(model)
    plain, delayed = (model.networks.decoder for model in models)
    models[1].networks.encoder = models[0].networks.encoder
    delayed.load_state_dict(plain.state_dict(), strict=False)
    delayed.lookahead.layers[0].weight.zero_()
    pcm = np.random.default_rng(0).normal(size=24_000 * 3).astype(np.float32) * 0.1
    data = nacli.encode(pcm, 24_000, packet_frames=75, model=models[0])
    (first, _), (second, _) = (nacli.decode(data, model=model) for model in models)
    assert len(first) == len(second) == len(pcm)
    # At the start, the frames of silence are input of one Decoder only.
    np.testing.assert_allclose(second[9600:], first[9600:], atol=1e-5)
    part, _ = nacli.decode(data, model=models[1], start=1.5, stop=2.0)
    np.testing.assert_array_equal(part, second[36_000:48_000])
    at, end = packet_bounds(data)[1]
    gaps: list[Gap] = []
    concealed, _ = nacli.decode(data[:at] + data[end:], model=models[1], on_gap=gaps.append)
    assert len(concealed) == len(second) and len(gaps) == 1
    np.testing.assert_allclose(concealed[:23_000], second[:23_000], atol=1e-6)
    np.testing.assert_allclose(concealed[60_000:], second[60_000:], atol=1e-5)


def test_a_decoded_part_of_a_recurrent_model_equals_the_whole() -> None:
    model = make_model()
    model.config = replace(
        model.config, width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, recurrent_layers=1
    )
    model.networks = make_networks(model.config)
    recurrent = model.networks.decoder.layers[-1]
    recurrent.gru.bias_ih_l0[16:32] += 8  # This gate keeps the state for minutes.
    recurrent.out.weight.mul_(20)
    pcm = np.random.default_rng(0).normal(size=24_000 * 6).astype(np.float32) * 0.1
    data = nacli.encode(pcm, 24_000, model=model)
    whole, _ = nacli.decode(data, model=model)
    part, _ = nacli.decode(data, model=model, start=4.5, stop=5.0)
    np.testing.assert_array_equal(part, whole[round(4.5 * 24_000) : 5 * 24_000])
