"""The networks in torch: an exact transform before training, causal, and equal for all block
sizes, in every variant of the configuration."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nacli.config import ModelConfig
from nacli.networks.torch_engine import (
    Decoder,
    Encoder,
    History,
    Networks,
    compress,
    emphasis,
    expand,
)
from nacli.networks.torch_engine.upsampling import step_factors
from small_networks import SMALL, make_networks

CONFIGS = [
    SMALL,
    replace(SMALL, attention_every=1, attention_window=5, attention_heads=4),
    replace(SMALL, subframe_blocks=2, kernel=3),
    replace(SMALL, recurrent_layers=2),
    replace(SMALL, pair_blocks=2, kernel=3),
    replace(SMALL, upsampling="transposed"),
    replace(SMALL, upsampling="interpolation"),
    replace(SMALL, normalize=False),
    replace(SMALL, lookahead=2),
]


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [{}, {"pair_blocks": 1}, {"upsampling": "transposed"}, {"strides": (40, 8), "pair_blocks": 2}],
    ids=str,
)
def test_untrained_networks_reconstruct_exactly(options: dict[str, Any]) -> None:
    config = ModelConfig(**options)
    pcm = torch.randn(1, 20 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.1
    coefficients = Encoder(config).transform(pcm, History())
    decoded = Decoder(config).inverse_transform(coefficients, History())
    torch.testing.assert_close(decoded[:, config.hop :], pcm[:, : -config.hop], atol=1e-6, rtol=0)


@pytest.fixture
def unsmoothed_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace gain smoothing, which depends on the later frames of a block, by the identity."""
    monkeypatch.setattr("nacli.networks.torch_engine.networks._smoothed", lambda gains: gains)


@pytest.mark.usefixtures("unsmoothed_gains")
@pytest.mark.parametrize("config", CONFIGS)
def test_blocks_of_any_size_give_the_same_result(config: ModelConfig) -> None:
    model, random = make_networks(config), np.random.default_rng(0)
    pcm = random.normal(size=(2, 24 * config.hop)).astype(np.float32) * 0.1
    whole, gains = model.analyze(pcm, model.new_history())
    history, parts = model.new_history(), []
    for start, stop in ((0, 1), (1, 9), (9, 24)):
        parts.append(model.analyze(pcm[:, start * config.hop : stop * config.hop], history))
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts], axis=1), whole, atol=2e-5)
    counts = np.full(gains.shape, 4, dtype=np.int32)
    samples = model.synthesize(whole, gains, counts, model.new_history())
    history = model.new_history()
    pieces = [
        model.synthesize(whole[:, part], gains[:, part], counts[:, part], history)
        for part in (slice(0, 5), slice(5, 24))
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), samples, atol=2e-5)


@pytest.mark.usefixtures("unsmoothed_gains")
@pytest.mark.parametrize("config", CONFIGS)
def test_no_output_depends_on_later_input(config: ModelConfig) -> None:
    model = make_networks(config)
    pcm = np.random.default_rng(1).normal(size=(1, 10 * config.hop)).astype(np.float32)
    changed = pcm.copy()
    changed[:, 6 * config.hop :] = 0
    first, second = (model.analyze(x, model.new_history())[0] for x in (pcm, changed))
    np.testing.assert_allclose(first[:, :6], second[:, :6], atol=1e-6)
    assert np.abs(first[:, 6:] - second[:, 6:]).max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS)
def test_latents_are_the_coefficients_before_training(config: ModelConfig) -> None:
    """Blocks, attention and recurrent layers start as identities in both networks."""
    pcm = torch.randn(1, 6 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.1
    encoder, decoder = Encoder(config), Decoder(config)
    latents, gains = encoder(pcm, History())
    coefficients = encoder.transform(pcm, History())
    shape = expand(latents / emphasis(config), config.compand) * encoder.gain.amplitude(gains)
    torch.testing.assert_close(shape, coefficients[..., : config.latent_dim], atol=1e-5, rtol=1e-4)
    kept = torch.zeros_like(coefficients)
    kept[..., : config.latent_dim] = shape
    decoded = decoder(latents, gains, torch.full_like(gains, 4), History())
    delayed = torch.nn.functional.pad(kept, (0, 0, config.lookahead, 0))[:, :6]
    exact = decoder.inverse_transform(delayed, History())
    torch.testing.assert_close(decoded, exact, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", CONFIGS)
def test_decoded_samples_depend_on_no_frame_before_the_decoder_context(config: ModelConfig) -> None:
    model, random = make_networks(config), np.random.default_rng(2)
    context = config.decoder_context or 40
    frames = context + 3
    latents = random.normal(size=(1, frames, config.latent_dim)).astype(np.float32)
    gains = np.full((1, frames), 60, dtype=np.int32)
    counts = np.full_like(gains, 4)
    changed = latents.copy()
    changed[:, 0] *= -3
    first, second = (
        model.synthesize(x, gains, counts, model.new_history()) for x in (latents, changed)
    )
    difference = np.abs(first - second).reshape(frames, config.hop).max(1)
    assert difference[config.lookahead] > 1e-4
    if config.decoder_context is None:
        assert difference[-1] > 0
    else:
        assert (difference[context + 1 :] == 0).all()


def test_configurations_are_equal_after_a_round_trip_through_json() -> None:
    for config in (*CONFIGS, replace(SMALL, quantizer_groups=2)):
        assert ModelConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"upsampling": "bilinear"}, "unknown upsampling 'bilinear': it is one of subpixel"),
        ({"strides": (64, 5), "pair_blocks": 1}, "5 sub-frames a frame make no pairs"),
        ({"quantizer_groups": 0}, "quantizer_groups"),
        ({"quantizer_groups": 17}, "quantizer_groups"),
    ],
)
def test_contradictory_configurations_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**options)


def test_upsampling_steps_multiply_to_the_stride() -> None:
    assert step_factors(80) == [2, 2, 4, 5]
    assert all(math.prod(step_factors(stride)) == stride for stride in range(2, 200))


def test_companding_and_its_inverse() -> None:
    values = torch.linspace(-20, 20, 1001)
    torch.testing.assert_close(expand(compress(values, 0.6), 0.6), values, atol=1e-4, rtol=1e-4)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="Missing key") as caught:
        Networks(SMALL, {})
    assert "\n" not in str(caught.value)
