"""Export: means of states, replaced Decoders, and loudness."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
import torch

import export
from nacli.checkpoint import load_checkpoint
from nacli.config import ModelConfig
from nacli.networks.torch_engine import Decoder, History, from_checkpoint, to_checkpoint
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.codec import Codec
from training.export.checkpoint import MAX_BYTES, read_states
from training.export.loudness import amplified
from training.export.tensors import with_decoder
from training.loop.states import state_config
from training.recipe import RECIPES
from training_run import make_run, ship


def test_the_weights_of_several_states_are_averaged(tmp_path: Path) -> None:
    make_run(tmp_path)
    first = tmp_path / "run" / "state.pt"
    state = torch.load(first, weights_only=True)
    name = "decoder.project_in.weight"
    plain = state["codec"][name].clone()
    for weights in (state["codec"], state.get("average", {})):
        if name in weights:
            weights[name] = plain + 2
    second = tmp_path / "second.pt"
    torch.save(state, second)
    weights = read_states((first, second), last=True)[1][name]
    np.testing.assert_allclose(weights, plain.numpy().T + 1, atol=2e-3)


def test_an_outlier_does_not_spoil_the_scale_of_its_stage(tmp_path: Path) -> None:
    """A code far outside, such as silence once left one, would round all others to zero."""
    make_run(tmp_path)
    path = tmp_path / "run" / "state.pt"
    state = torch.load(path, weights_only=True)
    torch.manual_seed(0)
    vectors = torch.randn(2, 1024, 8)
    state["codec"]["quantizer.codebooks"] = vectors.clone()
    state["codec"]["quantizer.codebooks"][0, 7] = 1e4
    torch.save(state, path)
    codebooks = read_states((path,))[2]
    others = np.arange(1024) != 7
    error = np.abs(codebooks.vectors - vectors.numpy())[:, others]
    assert error.max() < 0.5 and error.mean() < 0.02
    assert len(np.unique(codebooks.entries[0])) > 100


def test_a_checkpoint_of_the_wide_network_would_be_small_enough() -> None:
    config = json.loads((RECIPES / "wide.json").read_text())
    codec = Codec(ModelConfig(**config))
    networks = sum(weight.numel() for weight in codec.parameters())
    assert 2 * networks + codec.quantizer.codebooks.numel() < MAX_BYTES - (1 << 20)


def test_a_decoder_is_replaced_only_for_the_same_codes() -> None:
    codebooks = Codebooks.from_vectors(np.ones((1, 2, 3), np.float32))
    weights: Tensors = {"encoder.a": np.ones(2, np.float16), "decoder.b": np.ones(3, np.float16)}
    kept: Tensors = {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}
    shipped: Tensors = {**weights, **kept, "entropy.x": np.ones(1)}
    newer: Tensors = {**weights, "decoder.b": np.zeros(3, np.float16)}
    for name in ("decoder.old", "corrections.means", "corrections.entries", "entropy.corrections"):
        shipped[name] = np.ones(1, np.float16)
    made = with_decoder(shipped, newer, codebooks)
    assert made.keys() == weights.keys() | kept.keys() | {"entropy.x"}
    assert not made["decoder.b"].any()
    with pytest.raises(click.ClickException, match=r"another encoder\.a"):
        with_decoder(shipped, {**newer, "encoder.a": np.zeros(2, np.float16)}, codebooks)


def test_a_trained_decoder_goes_into_a_checkpoint(tmp_path: Path) -> None:
    make_run(tmp_path)
    state, shipped = tmp_path / "run" / "state.pt", tmp_path / "shipped.safetensors"
    ship(state, shipped)
    newer = torch.load(state, weights_only=True)
    name = "decoder.project_in.weight"
    newer["average"][name] = newer["average"][name] + 1
    torch.save(newer, tmp_path / "newer.pt")
    made = tmp_path / "made.safetensors"
    paths = {"state": tmp_path / "newer.pt", "out": made, "corpus": tmp_path / "corpus"}
    given = [text for n, path in paths.items() for text in (f"--{n}", str(path))]
    options = ["--decoder-for", str(shipped), "--levels", "0", "--packets", "3"]
    export.main.main([*given, *options], standalone_mode=False)
    before, after = load_checkpoint(shipped).tensors, load_checkpoint(made).tensors
    changed = {n for n in before if not np.array_equal(before[n], after[n])}
    assert changed == {name} and after.keys() == before.keys()


@torch.no_grad()
def test_an_amplified_decoder_is_louder_and_nothing_else() -> None:
    config = ModelConfig(width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, latent_dim=8)
    torch.manual_seed(0)
    decoder = Decoder(config)
    torch.nn.init.normal_(decoder.features.second.weight)
    for weight in decoder.parameters():
        weight.copy_(weight.half())  # as the checkpoint rounds it
    tensors = to_checkpoint({f"decoder.{n}": w for n, w in decoder.state_dict().items()})
    pcm = torch.randn(1, 4 * config.hop) * 0.1
    before = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    louder = amplified(tensors, 20 * np.log10(2))
    assert {n for n in tensors if not np.array_equal(tensors[n], louder[n])} == {
        "decoder.features.skip.weight",
        "decoder.features.second.weight",
    }
    weights = from_checkpoint(louder)
    decoder.load_state_dict({name.removeprefix("decoder."): w for name, w in weights.items()})
    after = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    torch.testing.assert_close(after, 2 * before, atol=1e-3, rtol=1e-2)


def test_states_with_names_of_older_versions_are_read() -> None:
    older = {**ModelConfig(correction_frames=3).to_json(), "trim_frames": 3}
    del older["correction_frames"]
    assert state_config({"config": {**older, "trim_memory": 0.7}}).correction_frames == 3
    recent = {**ModelConfig().to_json(), "correction_memory": 0.7}
    assert state_config({"config": recent}) == ModelConfig()
