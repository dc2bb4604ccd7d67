"""The NumPy engine gives the results of torch, for all block sizes, without importing torch."""

from __future__ import annotations

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import nacli
from filter_network import filter_tensors
from frame_codes import frame_codes
from nacli import networks
from nacli.api import load_model
from nacli.config import ModelConfig
from nacli.errors import BadCheckpoint
from nacli.networks import load_networks, torch_engine
from nacli.networks.numpy_engine.activations import GELU_SCALE, compress, expand, gelu
from nacli.networks.numpy_engine.engine import BLOCK
from nacli.networks.numpy_engine.weights import float_weights
from nacli.networks.torch_engine import Decoder, Encoder, to_checkpoint
from nacli.tensor_file import Tensors
from small_networks import SMALL

CONFIGS = [
    SMALL,
    replace(SMALL, lookahead=2),
    replace(SMALL, subframe_blocks=2, kernel=3),
    replace(SMALL, strides=(40, 8), feature_channels=2),
    replace(SMALL, normalize=False, kernel=1, subframe_blocks=0),
]
TORCH_CONFIGS = [
    replace(SMALL, attention_every=1),
    replace(SMALL, recurrent_layers=1),
    replace(SMALL, pair_blocks=1),
    replace(SMALL, upsampling="transposed"),
]
CLIP = Path(__file__).parents[1] / "data" / "talk.flac"


def weights_of(config: ModelConfig, size: float = 0.03) -> Tensors:
    """Return tensors with noise, so that layers that are zero before training contribute."""
    torch.manual_seed(0)
    weights: dict[str, torch.Tensor] = {}
    for prefix, network in (("encoder.", Encoder(config)), ("decoder.", Decoder(config))):
        for name, value in network.state_dict().items():
            weights[prefix + name] = value + size * torch.rand(value.shape)
    return to_checkpoint(weights)


def noise(config: ModelConfig, frames: int, channels: int = 1) -> Any:
    """Return noise [C, F * hop] whose level differs from frame to frame."""
    random = np.random.default_rng(0)
    levels = random.uniform(0, 0.3, size=(channels, frames, 1))
    pcm = random.normal(size=(channels, frames, config.hop)) * levels
    return pcm.reshape(channels, -1).astype(np.float32)


def decoder_inputs(config: ModelConfig, frames: int, channels: int = 1) -> tuple[Any, Any, Any]:
    """Return random latents, gains (of which some are silent) and stage counts."""
    random = np.random.default_rng(1)
    latents = random.normal(size=(channels, frames, config.latent_dim)).astype(np.float32)
    gains = random.integers(0, 70, size=(channels, frames)).astype(np.int32)
    return latents, gains, random.integers(0, 16, size=gains.shape).astype(np.int32)


def test_gelu_is_exact_to_float32() -> None:
    x = np.concatenate([np.linspace(-9, 9, 100_001), [-1e4, -30.0, -0.0, 1e-30, 30.0, 1e4]])
    x = x.astype(np.float32)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])
    rows = x[:, None].repeat(3, axis=1)
    result = gelu(rows * np.float32(GELU_SCALE))
    assert (np.abs(result - exact[:, None]) <= 3e-7 + 1.2e-7 * np.abs(rows)).all()
    reference = torch.nn.functional.gelu(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(result, reference, rtol=1e-6, atol=1e-6)


def test_companding_equals_that_of_torch() -> None:
    x = np.linspace(-20, 20, 1001).astype(np.float32)
    pairs = ((compress, torch_engine.compress), (expand, torch_engine.expand))
    for function, reference in pairs:
        expected = reference(torch.from_numpy(x), 0.6).numpy()
        np.testing.assert_allclose(function(x, 0.6), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_both_engines_give_the_same_results(config: ModelConfig) -> None:
    """Two channels are processed in two blocks, with the state kept between them."""
    weights = weights_of(config)
    engines = [load_networks(config, weights, name) for name in ("numpy", "torch")]
    pcm, (latents, gains, counts) = noise(config, 24, 2), decoder_inputs(config, 24, 2)
    results: list[list[Any]] = []
    for engine in engines:
        first, second = engine.new_history(), engine.new_history()
        outputs: list[Any] = []
        for part in (slice(0, 7), slice(7, 24)):
            samples = slice(part.start * config.hop, part.stop * config.hop)
            outputs += engine.analyze(np.ascontiguousarray(pcm[:, samples]), first)
            values = [np.ascontiguousarray(x[:, part]) for x in (latents, gains, counts)]
            outputs += engine.synthesize_with_features(values[0], values[1], values[2], second)
        results.append(outputs)
    for result, reference in zip(*results, strict=True):
        assert (result.shape, result.dtype) == (reference.shape, reference.dtype)
        if result.dtype == np.int32:
            np.testing.assert_array_equal(result, reference)
        else:
            limit = 1e-5 * np.abs(reference).max()
            np.testing.assert_allclose(result, reference, rtol=1e-4, atol=limit)


def test_block_sizes_do_not_change_decoded_samples() -> None:
    """Samples are equal bit for bit where the frames of all calls are a multiple of BLOCK."""
    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    latents, gains, counts = decoder_inputs(config, 3 * BLOCK)

    def synthesized(bounds: list[int]) -> Any:
        history = engine.new_history()
        parts = [slice(a, b) for a, b in pairwise(bounds)]
        pcm = [engine.synthesize(latents[:, p], gains[:, p], counts[:, p], history) for p in parts]
        return np.concatenate(pcm, axis=1)

    whole = synthesized([0, 3 * BLOCK])
    np.testing.assert_array_equal(synthesized([0, BLOCK, 3 * BLOCK]), whole)
    np.testing.assert_array_equal(synthesized([0, 2 * BLOCK, 3 * BLOCK]), whole)
    odd = synthesized([0, 1, 4, 99, 3 * BLOCK])
    np.testing.assert_allclose(odd, whole, rtol=0, atol=1e-5 * np.abs(whole).max())


def test_channels_and_streams_are_independent() -> None:
    def close(one: Any, other: Any) -> None:  # channels share products, which round differently
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(other).max())

    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    pcm, codes = noise(config, 20, 3), decoder_inputs(config, 20, 3)
    latents, _ = engine.analyze(pcm, engine.new_history())
    samples = engine.synthesize(*codes, engine.new_history())
    again, features = engine.synthesize_with_features(*codes, engine.new_history())
    np.testing.assert_array_equal(again, samples)
    assert features.shape == (3, 20, config.width)
    for row in range(3):
        alone, _ = engine.analyze(pcm[row : row + 1], engine.new_history())
        close(alone[0], latents[row])
        one = [x[row : row + 1] for x in codes]
        alone = engine.synthesize(one[0], one[1], one[2], engine.new_history())
        close(alone[0], samples[row])
    history = engine.new_history()
    engine.synthesize(*codes, history)
    copied = history.copy()
    first = engine.synthesize(*codes, history)
    np.testing.assert_array_equal(engine.synthesize(*codes, copied), first)


def test_threads_share_the_networks() -> None:
    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    codes = decoder_inputs(config, 2 * BLOCK)
    expected = engine.synthesize(*codes, engine.new_history())
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(engine.synthesize, *codes, engine.new_history()) for _ in range(8)]
    for run in runs:
        np.testing.assert_array_equal(run.result(), expected)


def test_other_configurations_run_in_torch() -> None:
    assert all(networks.runs_in_numpy(config) for config in CONFIGS)
    for config in TORCH_CONFIGS:
        assert not networks.runs_in_numpy(config)
        weights = weights_of(config)
        assert type(load_networks(config, weights)).__module__.startswith(
            "nacli.networks.torch_engine"
        )
        with pytest.raises(ValueError, match="the NumPy engine"):
            load_networks(config, weights, "numpy")


def test_weights_that_do_not_fit_are_refused() -> None:
    weights = weights_of(SMALL)
    name = "decoder.project_out.bias"
    faults: list[tuple[dict[str, Any], str]] = [
        ({key: value for key, value in weights.items() if key != name}, f"{name} is missing"),
        (weights | {"decoder.more": np.zeros(3)}, "has no decoder.more"),
        (weights | {name: np.zeros(3)}, rf"{name} is \(3,\), not \(320,\)"),
    ]
    for damaged, message in faults:
        with pytest.raises(ValueError, match=message):
            load_networks(SMALL, damaged, "numpy")
        with pytest.raises(ValueError, match=r"project_out\.bias|more"):
            load_networks(SMALL, damaged, "torch")
    with pytest.raises(ValueError, match="unknown engine 'cuda'"):
        load_networks(SMALL, weights, "cuda")


def clip() -> Any:
    """Return six seconds of speech at 24 kHz."""
    pcm, _ = soundfile.read(CLIP, dtype="float32")
    return pcm


def test_files_of_both_engines_have_the_same_codes() -> None:
    """Nearly all frames have the same codes, and both engines decode a file to the same samples."""
    models = [load_model(engine=name) for name in ("numpy", "torch")]
    files = [nacli.encode(clip(), 24_000, model=model) for model in models]
    codes = [frame_codes(data, models[0]) for data in files]
    same = [np.array_equal(*pair) for pair in zip(*codes, strict=True)]
    assert len(same) > 400 and np.mean(same) >= 0.99
    decoded = [nacli.decode(files[0], model=model)[0] for model in models]
    np.testing.assert_allclose(decoded[0], decoded[1], rtol=0, atol=1e-4)


@pytest.mark.parametrize("sizes", [(1, 479, 24_000, 7), (100_000, 3)])
def test_sizes_of_input_pieces_do_not_change_bytes_and_samples(sizes: tuple[int, ...]) -> None:
    pcm, data = clip(), nacli.encode(clip(), 24_000)
    encoder = nacli.Encoder(load_model(), 24_000, 1, samples=len(pcm))
    packets = [encoder.encode(piece) for piece in pieces(pcm, sizes)]
    assert b"".join([*packets, encoder.finish()]) == data
    decoder = nacli.Decoder(load_model())
    decoded = [decoder.decode(piece) for piece in pieces(data, sizes)]
    whole, _ = nacli.decode(data)
    np.testing.assert_array_equal(np.concatenate([*decoded, decoder.finish()]), whole)


def pieces(values: Any, sizes: tuple[int, ...]) -> list[Any]:
    """Split `values` into pieces of these sizes and the rest."""
    bounds = [0, *np.cumsum(sizes).tolist(), len(values)]
    return [values[a:b] for a, b in pairwise(bounds)]


WITHOUT_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "scipy", "safetensors"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocker())
from nacli.cli import main
main()
"""


def test_commands_run_without_torch(tmp_path: Path) -> None:
    coded, decoded = tmp_path / "talk.nac", tmp_path / "talk.wav"
    for arguments in (
        ["encode", str(CLIP), "-o", str(coded)],
        ["decode", str(coded), "-o", str(decoded)],
    ):
        command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert soundfile.info(decoded).frames == soundfile.info(CLIP).frames


def test_a_checkpoint_whose_weights_do_not_fit_is_refused() -> None:
    from nacli.checkpoint import Model

    shipped = load_model()
    tensors = {k: v for k, v in shipped.tensors.items() if k != "encoder.project_out.bias"}
    with pytest.raises(BadCheckpoint, match=r"encoder\.project_out\.bias is missing"):
        Model(shipped.config, tensors).networks  # noqa: B018


def test_a_checkpoint_with_the_filter_of_another_decoder_is_refused() -> None:
    from nacli.checkpoint import FILTER, Model

    shipped = load_model()
    own = {k: v for k, v in shipped.tensors.items() if not k.startswith(FILTER)}
    assert Model(shipped.config, own).filter_network is None
    width = shipped.config.width
    fitting, other = (
        {FILTER + k: v for k, v in filter_tensors(features).items()}
        for features in (width, width + 1)
    )
    assert Model(shipped.config, own | fitting).filter_network is not None
    with pytest.raises(BadCheckpoint, match=rf"{width + 1} features, not 320 and {width}"):
        Model(shipped.config, own | other)


def test_every_finite_float16_is_widened_exactly() -> None:
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    expected = halves.astype(np.float32)
    weights = float_weights(
        {"a.x": halves, "b.x": expected, "a.y": expected[:6].reshape(2, 3)}, "a."
    )
    np.testing.assert_array_equal(weights["x"].view(np.uint32), expected.view(np.uint32))
    np.testing.assert_array_equal(weights["y"], expected[:6].reshape(2, 3))
