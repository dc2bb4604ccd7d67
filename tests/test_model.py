"""The networks: an exact transform before training, chunk-exact, causal, buildable in variants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.model import Decoder, Encoder, History, Networks, compress, expand

SMALL = ModelConfig(width=48, hidden=64, encoder_blocks=2, decoder_blocks=2, latent_dim=40)
CONFIGS = [
    SMALL,
    replace(SMALL, attention_every=1, attention_window=5, attention_heads=4),
    replace(SMALL, subframe_blocks=2, kernel=3),
]


def disturb(network: torch.nn.Module) -> None:
    """Move every weight, so that layers that start at zero take part."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))


def networks(config: ModelConfig) -> Networks:
    weights: dict[str, object] = {}
    for prefix, network in (("encoder.", Encoder(config)), ("decoder.", Decoder(config))):
        disturb(network)
        weights |= {prefix + name: value.numpy() for name, value in network.state_dict().items()}
    return Networks(config, weights)


@torch.no_grad()
def test_untrained_networks_reconstruct_exactly() -> None:
    config = ModelConfig()
    pcm = torch.randn(1, 20 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.1
    coefficients = Encoder(config).transform(pcm, History())
    decoded = Decoder(config).inverse_transform(coefficients, History())
    torch.testing.assert_close(decoded[:, config.hop :], pcm[:, : -config.hop], atol=1e-6, rtol=0)


@pytest.mark.parametrize("config", CONFIGS)
def test_blocks_of_any_size_give_the_same_result(config: ModelConfig) -> None:
    model, random = networks(config), np.random.default_rng(0)
    pcm = random.normal(size=(2, 24 * config.hop)).astype(np.float32) * 0.1
    whole, gains = model.analyze(pcm, model.new_history())
    history, parts = model.new_history(), []
    for start, stop in ((0, 1), (1, 9), (9, 24)):
        parts.append(model.analyze(pcm[:, start * config.hop : stop * config.hop], history)[0])
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=2e-5)
    counts = np.full(gains.shape, 4, dtype=np.int32)
    sound = model.synthesize(whole, gains, counts, model.new_history())
    history = model.new_history()
    pieces = [
        model.synthesize(whole[:, part], gains[:, part], counts[:, part], history)
        for part in (slice(0, 5), slice(5, 24))
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), sound, atol=2e-5)


@pytest.mark.parametrize("config", CONFIGS)
def test_no_output_depends_on_later_input(config: ModelConfig) -> None:
    model = networks(config)
    pcm = np.random.default_rng(1).normal(size=(1, 10 * config.hop)).astype(np.float32)
    changed = pcm.copy()
    changed[:, 6 * config.hop :] = 0
    first, second = (model.analyze(x, model.new_history())[0] for x in (pcm, changed))
    np.testing.assert_allclose(first[:, :6], second[:, :6], atol=1e-6)
    assert np.abs(first[:, 6:] - second[:, 6:]).max() > 1e-3


def test_level_changes_gains_and_nothing_else() -> None:
    config, encoder = SMALL, Encoder(SMALL)
    pcm = torch.randn(1, 10 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.3
    step = 10 ** (8 * config.gain_step_db / 20)
    loud, quiet = (encoder(level, History()) for level in (pcm, pcm / step))
    assert (loud[1] - quiet[1] == 8).all()
    torch.testing.assert_close(loud[0], quiet[0], atol=1e-4, rtol=1e-4)


def test_silence_has_gain_zero_and_full_scale_stays_in_range() -> None:
    model = networks(SMALL)
    silence = np.zeros((1, 640), dtype=np.float32)
    assert (Encoder(SMALL)(torch.from_numpy(silence), History())[1] == 0).all()
    loud = np.full((1, 640), 1e3, dtype=np.float32)
    assert model.analyze(loud, model.new_history())[1].max() < GAIN_LEVELS


def test_companding_and_its_inverse() -> None:
    values = torch.linspace(-20, 20, 1001)
    torch.testing.assert_close(expand(compress(values, 0.6), 0.6), values, atol=1e-4, rtol=1e-4)


def test_weights_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError):
        Networks(SMALL, {})
