"""The NumPy engine: the same networks as torch's, whatever the blocks, without torch."""

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
from nacli import networks
from nacli.api import load_model
from nacli.config import ModelConfig
from nacli.decoder.payload_reader import read_codes
from nacli.errors import BadCheckpoint
from nacli.format import Header, Packet, Parser
from nacli.networks import load_networks
from nacli.networks.numpy_engine.activations import GELU_SCALE, compress, expand, gelu
from nacli.networks.numpy_engine.engine import BLOCK
from nacli.networks.torch_engine import Decoder, Encoder

SMALL = ModelConfig(
    width=48, hidden=64, encoder_blocks=2, decoder_blocks=2, latent_dim=40, lookahead=0
)
CONFIGS = [
    SMALL,
    replace(SMALL, lookahead=2),
    replace(SMALL, subframe_blocks=2, kernel=3),
    replace(SMALL, strides=(40, 8), feature_channels=2),
    replace(SMALL, normalize=False, kernel=1, subframe_blocks=0),
]
OTHERS = [
    replace(SMALL, attention_every=1),
    replace(SMALL, recurrent_layers=1),
    replace(SMALL, pair_blocks=1),
    replace(SMALL, upsampling="transposed"),
]
CLIP = Path(__file__).parents[1] / "data" / "talk.flac"


def weights_of(config: ModelConfig, size: float = 0.03) -> dict[str, Any]:
    """Random weights, so that layers that start at zero take part."""
    torch.manual_seed(0)
    found: dict[str, Any] = {}
    for prefix, network in (("encoder.", Encoder(config)), ("decoder.", Decoder(config))):
        for name, value in network.state_dict().items():
            found[prefix + name] = (value + size * torch.rand(value.shape)).numpy()
    return found


def noise(config: ModelConfig, frames: int, channels: int = 1) -> Any:
    random = np.random.default_rng(0)
    levels = random.uniform(0, 0.3, size=(channels, frames, 1))
    pcm = random.normal(size=(channels, frames, config.hop)) * levels
    return pcm.reshape(channels, -1).astype(np.float32)


def some_codes(config: ModelConfig, frames: int, channels: int = 1) -> tuple[Any, Any, Any]:
    """Latents, gains and stage counts, some of them silent."""
    random = np.random.default_rng(1)
    latents = random.normal(size=(channels, frames, config.latent_dim)).astype(np.float32)
    gains = random.integers(0, 70, size=(channels, frames)).astype(np.int32)
    return latents, gains, random.integers(0, 16, size=gains.shape).astype(np.int32)


def test_gelu_is_exact_to_float32() -> None:
    x = np.concatenate([np.linspace(-9, 9, 100_001), [-1e4, -30.0, -0.0, 1e-30, 30.0, 1e4]])
    x = x.astype(np.float32)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])
    rows = x[:, None].repeat(3, axis=1)
    found = gelu(rows * np.float32(GELU_SCALE))
    assert (np.abs(found - exact[:, None]) <= 3e-7 + 1.2e-7 * np.abs(rows)).all()
    theirs = torch.nn.functional.gelu(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-6)


def test_companding_is_torch_s() -> None:
    x = np.linspace(-20, 20, 1001).astype(np.float32)
    from nacli.networks import torch_engine as model

    for ours, theirs in ((compress, model.compress), (expand, model.expand)):
        wanted = theirs(torch.from_numpy(x), 0.6).numpy()
        np.testing.assert_allclose(ours(x, 0.6), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_both_engines_give_the_same(config: ModelConfig) -> None:
    """Block after block, with what was kept between them, and in two channels."""
    weights = weights_of(config)
    engines = [load_networks(config, weights, name) for name in ("numpy", "torch")]
    pcm, (latents, gains, counts) = noise(config, 24, 2), some_codes(config, 24, 2)
    found: list[list[Any]] = []
    for engine in engines:
        first, second = engine.new_history(), engine.new_history()
        made: list[Any] = []
        for part in (slice(0, 7), slice(7, 24)):
            samples = slice(part.start * config.hop, part.stop * config.hop)
            made += engine.analyze(np.ascontiguousarray(pcm[:, samples]), first)
            values = [np.ascontiguousarray(x[:, part]) for x in (latents, gains, counts)]
            made.append(engine.synthesize(values[0], values[1], values[2], second))
        found.append(made)
    for ours, theirs in zip(*found, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if ours.dtype == np.int32:
            np.testing.assert_array_equal(ours, theirs)
        else:
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max())


def test_blocks_change_nothing() -> None:
    """Not a bit where calls are of whole blocks, in which layers work however much comes."""
    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    latents, gains, counts = some_codes(config, 3 * BLOCK)

    def synthesized(bounds: list[int]) -> Any:
        history = engine.new_history()
        parts = [slice(a, b) for a, b in pairwise(bounds)]
        made = [engine.synthesize(latents[:, p], gains[:, p], counts[:, p], history) for p in parts]
        return np.concatenate(made, axis=1)

    whole = synthesized([0, 3 * BLOCK])
    np.testing.assert_array_equal(synthesized([0, BLOCK, 3 * BLOCK]), whole)
    np.testing.assert_array_equal(synthesized([0, 2 * BLOCK, 3 * BLOCK]), whole)
    odd = synthesized([0, 1, 4, 99, 3 * BLOCK])
    np.testing.assert_allclose(odd, whole, rtol=0, atol=1e-5 * np.abs(whole).max())


def test_channels_and_streams_do_not_touch_each_other() -> None:
    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    pcm, codes = noise(config, 20, 3), some_codes(config, 20, 3)
    both, sound = (
        engine.analyze(pcm, engine.new_history()),
        engine.synthesize(*codes, engine.new_history()),
    )
    for row in range(3):
        own = engine.analyze(pcm[row : row + 1], engine.new_history())
        np.testing.assert_array_equal(own[0][0], both[0][row])
        one = [x[row : row + 1] for x in codes]
        alone = engine.synthesize(one[0], one[1], one[2], engine.new_history())
        np.testing.assert_array_equal(alone[0], sound[row])
    history = engine.new_history()
    engine.synthesize(*codes, history)
    copied = history.copy()
    first = engine.synthesize(*codes, history)
    np.testing.assert_array_equal(engine.synthesize(*codes, copied), first)


def test_threads_share_the_networks() -> None:
    config = replace(SMALL, lookahead=2)
    engine = load_networks(config, weights_of(config), "numpy")
    codes = some_codes(config, 2 * BLOCK)
    wanted = engine.synthesize(*codes, engine.new_history())
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(engine.synthesize, *codes, engine.new_history()) for _ in range(8)]
    for run in runs:
        np.testing.assert_array_equal(run.result(), wanted)


def test_other_configurations_run_in_torch() -> None:
    assert all(networks.runs_in_numpy(config) for config in CONFIGS)
    for config in OTHERS:
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
    for found, message in faults:
        with pytest.raises(ValueError, match=message):
            load_networks(SMALL, found, "numpy")
        with pytest.raises(ValueError, match=r"project_out\.bias|more"):
            load_networks(SMALL, found, "torch")
    with pytest.raises(ValueError, match="unknown engine 'cuda'"):
        load_networks(SMALL, weights, "cuda")


def clip() -> Any:
    pcm, _ = soundfile.read(CLIP, dtype="float32")
    return pcm


def test_shipped_networks_make_the_same_codes_as_in_torch() -> None:
    """And files of one engine decode with the other."""
    models = [load_model(engine=name) for name in ("numpy", "torch")]
    files = [nacli.encode(clip(), 24_000, model=model) for model in models]
    rows = [codes_of(data, models[0]) for data in files]
    same = [np.array_equal(*pair) for pair in zip(*rows, strict=True)]
    assert len(same) > 400 and np.mean(same) >= 0.99
    sounds = [nacli.decode(files[0], model=model)[0] for model in models]
    np.testing.assert_allclose(sounds[0], sounds[1], rtol=0, atol=1e-4)


def codes_of(data: bytes, model: Any) -> list[Any]:
    """The gain and the codes of every frame of a file."""
    parser = Parser()
    header, *events = [*parser.feed(data), *parser.finish()]
    assert isinstance(header, Header)
    packets = [event for event in events if isinstance(event, Packet)]
    rows: list[Any] = []
    for packet in packets:
        for channel in read_codes(packet, header.stream, model):
            rows += list(np.concatenate([channel.gains[:, None], channel.codes], axis=1))
    return rows


@pytest.mark.parametrize("sizes", [(1, 479, 24_000, 7), (100_000, 3)])
def test_any_way_of_cutting_gives_the_same(sizes: tuple[int, ...]) -> None:
    """Bytes and samples, with the shipped networks."""
    pcm, data = clip(), nacli.encode(clip(), 24_000)
    encoder = nacli.Encoder(load_model(), 24_000, 1, samples=len(pcm))
    made = [encoder.encode(piece) for piece in pieces(pcm, sizes)]
    assert b"".join([*made, encoder.finish()]) == data
    decoder = nacli.Decoder(load_model())
    sound = [decoder.decode(piece) for piece in pieces(data, sizes)]
    whole, _ = nacli.decode(data)
    np.testing.assert_array_equal(np.concatenate([*sound, decoder.finish()]), whole)


def pieces(values: Any, sizes: tuple[int, ...]) -> list[Any]:
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
    coded, sound = tmp_path / "talk.nac", tmp_path / "talk.wav"
    for arguments in (
        ["encode", str(CLIP), "-o", str(coded)],
        ["decode", str(coded), "-o", str(sound)],
    ):
        command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert soundfile.info(sound).frames == soundfile.info(CLIP).frames


def test_a_checkpoint_whose_weights_do_not_fit_is_refused() -> None:
    from nacli.checkpoint import Model

    shipped = load_model()
    tensors = {k: v for k, v in shipped.tensors.items() if k != "encoder.project_out.bias"}
    with pytest.raises(BadCheckpoint, match=r"encoder\.project_out\.bias is missing"):
        Model(shipped.config, tensors).networks  # noqa: B018
