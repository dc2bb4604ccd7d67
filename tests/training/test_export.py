"""Export: means of states, replaced Decoders, and loudness."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
import torch

from nacli.config import ModelConfig
from nacli.networks.torch_engine import Decoder, History
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.export.checkpoint import read_states
from training.export.loudness import amplified
from training.export.tensors import with_decoder
from training_run import make_run


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
    np.testing.assert_allclose(weights, plain.numpy() + 1, atol=2e-3)


def test_a_decoder_is_replaced_only_for_the_same_codes() -> None:
    codebooks = Codebooks.from_vectors(np.ones((1, 2, 3), np.float32))
    weights: Tensors = {"encoder.a": np.ones(2, np.float16), "decoder.b": np.ones(3, np.float16)}
    kept: Tensors = {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}
    shipped: Tensors = {**weights, **kept, "entropy.x": np.ones(1)}
    newer: Tensors = {**weights, "decoder.b": np.zeros(3, np.float16)}
    shipped["decoder.old"] = np.ones(1, np.float16)
    corrections = Codebooks.from_vectors(np.ones((1, 2, 4), np.float32))
    made = with_decoder(shipped, newer, Codebooks(codebooks.entries, codebooks.scales, corrections))
    assert "decoder.old" not in made and not made["decoder.b"].any()
    assert made["corrections.entries"] is corrections.entries
    with pytest.raises(click.ClickException, match=r"another encoder\.a"):
        with_decoder(shipped, {**newer, "encoder.a": np.zeros(2, np.float16)}, codebooks)


@torch.no_grad()
def test_an_amplified_decoder_is_louder_and_nothing_else() -> None:
    config = ModelConfig(width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, latent_dim=8)
    torch.manual_seed(0)
    decoder = Decoder(config)
    torch.nn.init.normal_(decoder.features.second.weight)
    tensors = {f"decoder.{name}": w.numpy() for name, w in decoder.state_dict().items()}
    pcm = torch.randn(1, 4 * config.hop) * 0.1
    before = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    louder = amplified(tensors, 20 * np.log10(2))
    assert {n for n in tensors if not np.array_equal(tensors[n], louder[n])} == {
        "decoder.features.skip.weight",
        "decoder.features.second.weight",
    }
    decoder.load_state_dict(
        {n.removeprefix("decoder."): torch.from_numpy(w).float() for n, w in louder.items()}
    )
    after = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    torch.testing.assert_close(after, 2 * before, atol=1e-3, rtol=1e-2)
