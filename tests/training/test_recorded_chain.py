"""The decoder gives the adaptive filter what it has in training, at the same times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from filter_network import filter_tensors
from nacli.adaptive_filter import FilterNetwork
from nacli.decoder import post_processing
from nacli.decoder.synthesis import Synthesizer
from nacli.entropy import ChannelCodes
from nacli.envelope.predictor import DecayPredictor
from nacli.networks.torch_engine import Networks
from nacli.timing import POST_PROCESSING_DELAY
from nacli.types import Floats
from small_networks import SMALL, make_networks
from training.adaptive_filter.adaptive_filter import AdaptiveFilter, FilterConfig
from training.adaptive_filter.decoded import FrozenCodec
from training.adaptive_filter.evaluation import enhance

CONFIG = replace(SMALL, lookahead=2, stages=16, codebook_size=16)
FRAMES = 90


class NoBlocker:
    """The DC blocker is the one filter that training leaves out."""

    def __init__(self, channels: int) -> None:
        pass

    def process(self, pcm: Floats) -> Floats:
        return pcm


def frozen_codec(path: Path, networks: Networks) -> FrozenCodec:
    """A state of a training on a GPU with these networks and random codebooks, as it is loaded."""
    weights = {
        f"{name}.{key}": value
        for name in ("encoder", "decoder")
        for key, value in getattr(networks, name).state_dict().items()
    }
    shape = (CONFIG.stages, CONFIG.codebook_size, CONFIG.latent_dim)
    books = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    torch.save({"config": CONFIG.to_json(), "codec": weights, "codebooks": books}, path)
    return FrozenCodec(path)


def test_the_decoder_filters_as_the_training_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_processing, "DcBlocker", NoBlocker)
    networks, random = make_networks(CONFIG), np.random.default_rng(4)
    codec = frozen_codec(tmp_path / "state.pt", networks)
    tensors = filter_tensors(CONFIG.width)
    gains = random.integers(38, 44, FRAMES).astype(np.int32)
    counts = random.integers(0, CONFIG.stages + 1, FRAMES).astype(np.int32)
    codes = random.integers(0, CONFIG.codebook_size, (FRAMES, CONFIG.stages)).astype(np.int32)

    sizes = {"projected": 6, "width": 24, "hidden": 32, "blocks": 2, "kernel": 5, "before": 4}
    network = AdaptiveFilter(FilterConfig(features=CONFIG.width, **sizes))
    network.load_state_dict({name: torch.from_numpy(x).float() for name, x in tensors.items()})
    hops = FRAMES - codec.delay
    silence, paths = np.zeros(hops * CONFIG.hop, np.float32), np.stack([codes] * CONFIG.stages)
    clip = codec.decode(silence, gains, paths, counts)
    expected, plain = enhance(network, clip), clip.decoded.astype(np.float32)

    no_corrections = np.zeros((FRAMES, 0), np.int32), np.zeros(FRAMES, np.int32)
    model = SimpleNamespace(
        config=CONFIG,
        networks=networks,
        codebooks=codec.codebooks,
        predictor=DecayPredictor(0.7),
        filter_network=FilterNetwork(tensors),
    )
    synthesizer = Synthesizer(model, 1, first_hop=0, high_band=False)  # type: ignore[arg-type]
    coded = ChannelCodes(gains, codes, counts, *no_corrections)
    parts = [*synthesizer.decode([coded]), *synthesizer.finish()]
    late = (codec.delay + POST_PROCESSING_DELAY) * CONFIG.hop
    found = np.concatenate([part.pcm for part in parts])[late:, 0]

    inside = slice(30 * CONFIG.hop, (hops - 8) * CONFIG.hop)  # training knows silence around clips
    found, expected, plain = (x[inside] for x in (found, expected, plain))
    error, change = np.square(found - expected).mean(), np.square(plain - expected).mean()
    assert np.abs(expected).max() < 1, "nothing is clipped"
    assert change > 1e-3 * np.square(plain).mean()
    assert error < 1e-5 * change
