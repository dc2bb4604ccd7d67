"""The networks: an exact transform before training, chunk-exact, causal, buildable in variants."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch

import nacli
from fake_model import make_model
from loss import packet_bounds
from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.decoder.timeline import Gap
from nacli.networks.gain_smoothing import CHANGE_COST, REACH, STEP_COST, smooth_gains
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
from nacli.quantizer.rvq import Codebooks

SMALL = ModelConfig(
    width=48, hidden=64, encoder_blocks=2, decoder_blocks=2, latent_dim=40, lookahead=0
)
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
def unsteady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gains that wait for no later frame of their block."""
    monkeypatch.setattr("nacli.networks.torch_engine.networks._smoothed", lambda gains: gains)


@pytest.mark.usefixtures("unsteady")
@pytest.mark.parametrize("config", CONFIGS)
def test_blocks_of_any_size_give_the_same_result(config: ModelConfig) -> None:
    model, random = networks(config), np.random.default_rng(0)
    pcm = random.normal(size=(2, 24 * config.hop)).astype(np.float32) * 0.1
    whole, gains = model.analyze(pcm, model.new_history())
    history, parts = model.new_history(), []
    for start, stop in ((0, 1), (1, 9), (9, 24)):
        parts.append(model.analyze(pcm[:, start * config.hop : stop * config.hop], history))
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts], axis=1), whole, atol=2e-5)
    counts = np.full(gains.shape, 4, dtype=np.int32)
    sound = model.synthesize(whole, gains, counts, model.new_history())
    history = model.new_history()
    pieces = [
        model.synthesize(whole[:, part], gains[:, part], counts[:, part], history)
        for part in (slice(0, 5), slice(5, 24))
    ]
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), sound, atol=2e-5)


@pytest.mark.usefixtures("unsteady")
@pytest.mark.parametrize("config", CONFIGS)
def test_no_output_depends_on_later_input(config: ModelConfig) -> None:
    model = networks(config)
    pcm = np.random.default_rng(1).normal(size=(1, 10 * config.hop)).astype(np.float32)
    changed = pcm.copy()
    changed[:, 6 * config.hop :] = 0
    first, second = (model.analyze(x, model.new_history())[0] for x in (pcm, changed))
    np.testing.assert_allclose(first[:, :6], second[:, :6], atol=1e-6)
    assert np.abs(first[:, 6:] - second[:, 6:]).max() > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("config", CONFIGS)
def test_latents_untrained_are_the_coefficients(config: ModelConfig) -> None:
    """Blocks, attention and recurrent layers start as identities in both networks."""
    pcm = torch.randn(1, 6 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.1
    encoder, decoder = Encoder(config), Decoder(config)
    latents, gains = encoder(pcm, History())
    coefficients = encoder.transform(pcm, History())
    shape = expand(latents / emphasis(config), config.compand) * encoder.gain.amplitude(gains)
    torch.testing.assert_close(shape, coefficients[..., : config.latent_dim], atol=1e-5, rtol=1e-4)
    kept = torch.zeros_like(coefficients)
    kept[..., : config.latent_dim] = shape
    heard = decoder(latents, gains, torch.full_like(gains, 4), History())
    late = torch.nn.functional.pad(kept, (0, 0, config.lookahead, 0))[:, :6]
    exact = decoder.inverse_transform(late, History())
    torch.testing.assert_close(heard, exact, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_decoder_hears_no_further_back_than_it_says(config: ModelConfig) -> None:
    model, random = networks(config), np.random.default_rng(2)
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
    distance = np.abs(first - second).reshape(frames, config.hop).max(1)
    assert distance[config.lookahead] > 1e-4
    if config.decoder_context is None:
        assert distance[-1] > 0
    else:
        assert (distance[context + 1 :] == 0).all()


@pytest.mark.parametrize("frames", [1, 3])
def test_the_decoder_looks_as_far_ahead_as_it_says(frames: int) -> None:
    config = replace(SMALL, lookahead=frames)
    model, random = networks(config), np.random.default_rng(2)
    latents = random.normal(size=(1, 20, config.latent_dim)).astype(np.float32)
    gains = np.full((1, 20), 60, dtype=np.int32)
    counts = np.full_like(gains, 4)

    def changes(**changed: Any) -> Any:
        """By how much the samples that come with each frame differ."""
        given = {"latents": latents, "gains": gains, "counts": counts}
        first, second = (
            model.synthesize(**inputs, history=model.new_history())
            for inputs in (given, given | changed)
        )
        return np.abs(first - second).reshape(20, config.hop).max(1)

    for name, values in (("latents", latents), ("gains", gains), ("counts", counts)):
        other = values.copy()
        other[:, 10] += 2
        found = changes(**{name: other})
        assert (found[:10] == 0).all(), "nothing comes before what it is made of"
        assert found[10] > 0, "what comes with a frame is of those before, and knows this one"


def test_a_looking_decoder_keeps_every_sample_in_its_place() -> None:
    """Whole files, parts of them and what comes after a gap, against a Decoder that does not look,
    whose weights it has: before training it does not know what to make of what it sees."""
    models = []
    for frames in (0, 3):
        model = make_model()
        model.config = replace(
            model.config, width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, lookahead=frames
        )
        torch.manual_seed(0)
        model.networks = networks(model.config)
        books = model.codebooks.corrections
        model.codebooks = Codebooks(
            model.codebooks.entries,
            model.codebooks.scales,
            Codebooks(np.zeros_like(books.entries), np.ones_like(books.scales)),
        )
        models.append(model)
    plain, looking = (model.networks.decoder for model in models)
    models[1].networks.encoder = models[0].networks.encoder
    looking.load_state_dict(plain.state_dict(), strict=False)
    looking.lookahead.layers[0].weight.zero_()
    pcm = np.random.default_rng(0).normal(size=24_000 * 3).astype(np.float32) * 0.1
    data = nacli.encode(pcm, 24_000, packet_frames=75, model=models[0])
    (first, _), (second, _) = (nacli.decode(data, model=model) for model in models)
    assert len(first) == len(second) == len(pcm)
    # at the start, it has seen silence where the other has seen nothing
    np.testing.assert_allclose(second[9600:], first[9600:], atol=1e-5)
    part, _ = nacli.decode(data, model=models[1], start=1.5, stop=2.0)
    np.testing.assert_array_equal(part, second[36_000:48_000])
    at, end = packet_bounds(data)[1]
    gaps: list[Gap] = []
    mended, _ = nacli.decode(data[:at] + data[end:], model=models[1], on_gap=gaps.append)
    assert len(mended) == len(second) and len(gaps) == 1
    np.testing.assert_allclose(mended[:23_000], second[:23_000], atol=1e-6)
    np.testing.assert_allclose(mended[60_000:], second[60_000:], atol=1e-5)


def test_a_part_equals_the_whole_where_all_frames_before_count() -> None:
    model = make_model()
    model.config = replace(
        model.config, width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, recurrent_layers=1
    )
    model.networks = networks(model.config)
    recurrent = model.networks.decoder.layers[-1]
    recurrent.gru.bias_ih_l0[16:32] += 8  # the gate that lets the state last for minutes
    recurrent.out.weight.mul_(20)
    pcm = np.random.default_rng(0).normal(size=24_000 * 6).astype(np.float32) * 0.1
    data = nacli.encode(pcm, 24_000, model=model)
    whole, _ = nacli.decode(data, model=model)
    part, _ = nacli.decode(data, model=model, start=4.5, stop=5.0)
    np.testing.assert_array_equal(part, whole[round(4.5 * 24_000) : 5 * 24_000])


def test_configurations_survive_plain_data() -> None:
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
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**options)


def test_upsampling_steps_multiply_to_the_stride() -> None:
    assert step_factors(80) == [2, 2, 4, 5]
    assert all(math.prod(step_factors(stride)) == stride for stride in range(2, 200))


def test_without_normalisation_the_network_sees_levels() -> None:
    config = replace(SMALL, normalize=False)
    encoder = Encoder(config)
    pcm = torch.randn(1, 10 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.3
    loud, quiet = (encoder(level, History()) for level in (pcm, pcm / 8))
    assert (loud[1] > quiet[1]).all()
    assert loud[0].square().mean() > 4 * quiet[0].square().mean()
    decoder, nothing = Decoder(config), torch.zeros_like(loud[1])
    silent = decoder(loud[0], nothing, nothing, History())
    assert (silent == 0).all()


def test_level_changes_gains_and_nothing_else() -> None:
    config, encoder = SMALL, Encoder(SMALL)
    pcm = torch.randn(1, 10 * config.hop, generator=torch.Generator().manual_seed(0)) * 0.3
    step = 10 ** (8 * config.gain_step_db / 20)
    loud, quiet = (encoder(level, History()) for level in (pcm, pcm / step))
    assert (loud[1] - quiet[1] == 8).all()
    torch.testing.assert_close(loud[0], quiet[0], atol=1e-4, rtol=1e-4)


def test_smoothed_gains_are_the_cheapest_trajectory() -> None:
    gains = np.array([[40, 42, 41, 43, 47], [3, 1, 0, 2, 80]])

    def cost(course: tuple[int, ...], row: list[int]) -> float:
        off = sum((a - b) ** 2 for a, b in zip(course, row, strict=True))
        changes = [abs(a - b) for a, b in pairwise(course)]
        return off + sum(CHANGE_COST + STEP_COST * change for change in changes if change)

    for row, found in zip(gains.tolist(), smooth_gains(gains.T).T.tolist(), strict=True):
        ranges = [range(max(1, g - REACH), min(g + REACH, 80) + 1) if g else (0,) for g in row]
        best = min(cost(course, row) for course in product(*ranges))
        assert cost(tuple(found), row) == best
        assert all(gain in near for gain, near in zip(found, ranges, strict=True))
    assert smooth_gains(gains[:, :1].T).T.tolist() == [[40], [3]]


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
