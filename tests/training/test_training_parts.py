"""What the trainer is made of: the quantiser learns, losses tell, held-out sound stays held out."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import pytest
import torch

from corrections import quantize_corrections
from export import raised, read_states, with_decoder
from nacli.config import ModelConfig
from nacli.encoder.code_search import search
from nacli.entropy import CorrectionTables, frequencies
from nacli.envelope.corrections import (
    CorrectionTargets,
    dequantize_corrections,
)
from nacli.envelope.predictor import DecayPredictor
from nacli.networks.torch_engine import Decoder, History
from nacli.quantizer.rvq import Codebooks
from nacli.tensor_file import Tensors
from training.corpus import Sampler, Source
from training.losses import CompressedLoss, LogMelLoss
from training.quantizer import CorrectionQuantizer, ResidualQuantizer
from training_run import make_run


def test_several_states_become_their_mean(tmp_path: Path) -> None:
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


def test_corrections_are_quantised_as_what_is_new_in_them() -> None:
    torch.manual_seed(0)
    quantizer = CorrectionQuantizer(stages=2, size=32, bands=3, memory=0.7)
    wanted = torch.randn(40, 25, 3).cumsum(1) * 0.3
    quantizer.fit(quantizer.news(wanted).flatten(0, 1), batch_frames=100)
    quantizer.eval()
    prices = torch.zeros(40, 25)
    prices[:, 20:] = 1e6
    corrections, _ = quantizer.follow(wanted, prices, quantizer.fade)
    assert (corrections[:, :20] - wanted[:, :20]).square().mean() < 0.1 * wanted[:, :20].var()
    torch.testing.assert_close(corrections[:, 21:], 0.7 * corrections[:, 20:-1])
    books = Codebooks.from_vectors(quantizer.codebooks.numpy())
    quantizer.codebooks.copy_(torch.from_numpy(books.vectors))
    alike = CorrectionTables(*(frequencies(np.ones(size, np.int64)) for size in ((9, 3), (3, 32))))
    expect = DecayPredictor(0.7).of(np.zeros((25, 0), np.float32), np.zeros(25, np.int32), 2)
    asked = CorrectionTargets(wanted[0].numpy(), prices[0].numpy(), expect)
    found = dequantize_corrections(*quantize_corrections(asked, books, alike), books, expect)
    corrections, _ = quantizer.follow(wanted[:1], prices[:1], quantizer.fade)
    np.testing.assert_allclose(found, corrections[0].numpy(), atol=1e-5)


def test_kmeans_start_and_later_stages_lower_the_error() -> None:
    torch.manual_seed(0)
    latents = torch.randn(2000, 6)
    quantizer = ResidualQuantizer(stages=3, size=16, dim=6)
    quantizer.fit(latents, batch_frames=100)
    quantizer.eval()
    errors = []
    for count in (1, 2, 3):
        quantized, codes, _ = quantizer(latents[None], torch.full((1, 2000), count))
        errors.append(float((quantized - latents).square().mean()))
        assert codes.shape == (count, 2000)
    assert 1 > errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("groups", [1, 2])
def test_codebooks_fitted_again_leave_less_and_use_every_code(groups: int) -> None:
    torch.manual_seed(0)
    latents = torch.randn(4000, 6)
    quantizer = ResidualQuantizer(stages=3, size=16, dim=6, groups=groups).eval()
    quantizer.fit(latents[:200], 100)
    quantizer.codebooks[:, 8:] += 9 * quantizer.used[:, None]  # nothing is near these
    stages = torch.full((1, len(latents)), 3)

    def measure() -> tuple[float, list[int]]:
        found, codes, _ = quantizer(latents[None], stages)
        return float((found - latents).square().sum(-1).mean()), [
            len(row.unique()) for row in codes
        ]

    before, used = measure()
    assert max(used) <= 8
    errors = quantizer.refit(latents, 100)
    after, used = measure()
    assert after == pytest.approx(errors[-1], rel=1e-4) and after < 0.9 * before
    assert min(used) == 16


def test_codebooks_follow_what_they_are_given_unless_frozen() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(stages=1, size=4, dim=2)
    quantizer.fit(torch.randn(500, 2), batch_frames=50)
    shifted, stages = torch.randn(1, 500, 2) + 3, torch.ones(1, 500, dtype=torch.long)
    before = quantizer.codebooks.clone()
    quantizer.frozen = True
    quantizer(shifted, stages)
    assert torch.equal(quantizer.codebooks, before)
    quantizer.frozen = False
    for _ in range(500):
        quantizer(shifted, stages)
    assert quantizer.codebooks.mean() > 2  # unused codes died and restarted


def test_every_stage_moves_whatever_a_batch_uses() -> None:
    """Several processes sum what each has found, stage by stage: none may leave one out."""
    quantizer = ResidualQuantizer(stages=3, size=4, dim=2)
    quantizer.fit(torch.randn(64, 2, generator=torch.Generator().manual_seed(0)), batch_frames=16)
    before = quantizer.counts.clone()
    quantizer(torch.randn(1, 16, 2), torch.ones(1, 16, dtype=torch.long))
    assert (quantizer.counts != before).any(1).all()


def test_grouped_stages_stay_in_their_dimensions_and_search_alike() -> None:
    torch.manual_seed(0)
    quantizer = ResidualQuantizer(stages=4, size=8, dim=6, groups=2)
    quantizer.fit(torch.randn(300, 6), batch_frames=60)
    fitted = quantizer.codebooks.clone()
    for _ in range(50):  # of other latents, so that codes move, die and restart
        latents = torch.randn(2, 30, 6) * 3 + 1
        quantizer(latents, torch.full((2, 30), 4))
    assert (quantizer.codebooks != fitted).any(2).all()
    for stage, codebook in enumerate(quantizer.codebooks):
        assert not codebook[:, 1 - stage % 2 :: 2].any()
        assert codebook[:, stage % 2 :: 2].all()
    codebooks = Codebooks.from_vectors(quantizer.codebooks.numpy())
    quantizer.codebooks.copy_(torch.from_numpy(codebooks.vectors))
    _, codes, _ = quantizer.eval()(latents, torch.full((2, 30), 4))
    found = search(latents.reshape(-1, 6).numpy(), codebooks, depths=4, beam=1)
    np.testing.assert_array_equal(codes.numpy().T, found.paths[3])


@pytest.mark.parametrize("loss", [LogMelLoss(24_000), CompressedLoss(24_000)])
def test_losses_are_zero_for_equal_sound_and_grow_with_noise(loss: torch.nn.Module) -> None:
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(2, 12_000)
    noise = 0.1 * torch.randn(2, 12_000)
    values = [float(loss(sound, sound + level * noise)) for level in (0.0, 0.1, 1.0)]
    assert values[0] < 1e-6 < values[1] < values[2]


def test_the_sampler_never_reads_what_is_held_out() -> None:
    samples = np.full(100_000, 8000, dtype=np.int16)
    source = Source("tone", "speech", samples)
    samples[len(samples) - source.held_out :] = -8000
    batch = Sampler([source], segment=4800, seed=0).batch(64)
    assert batch.shape == (64, 4800)
    assert (batch > 0).all() and (batch <= 1).all()


def test_a_newer_decoder_is_taken_for_the_same_codes_only() -> None:
    codebooks = Codebooks.from_vectors(np.ones((1, 2, 3), np.float32))
    weights: Tensors = {"encoder.a": np.ones(2, np.float16), "decoder.b": np.ones(3, np.float16)}
    kept: Tensors = {"codebooks.entries": codebooks.entries, "codebooks.scales": codebooks.scales}
    shipped: Tensors = {**weights, **kept, "entropy.x": np.ones(1)}
    newer: Tensors = {**weights, "decoder.b": np.zeros(3, np.float16)}
    shipped["decoder.old"] = np.ones(1, np.float16)
    corrections = Codebooks.from_vectors(np.ones((1, 2, 4), np.float32))
    made = with_decoder(shipped, newer, Codebooks(codebooks.entries, codebooks.scales, corrections))
    assert "decoder.old" not in made and not made["decoder.b"].any()
    assert made["trims.entries"] is corrections.entries
    with pytest.raises(click.ClickException, match=r"another encoder\.a"):
        with_decoder(shipped, {**newer, "encoder.a": np.zeros(2, np.float16)}, codebooks)


@torch.no_grad()
def test_a_raised_decoder_is_louder_and_nothing_else() -> None:
    config = ModelConfig(width=16, hidden=16, encoder_blocks=1, decoder_blocks=1, latent_dim=8)
    torch.manual_seed(0)
    decoder = Decoder(config)
    torch.nn.init.normal_(decoder.features.second.weight)
    tensors = {f"decoder.{name}": w.numpy() for name, w in decoder.state_dict().items()}
    pcm = torch.randn(1, 4 * config.hop) * 0.1
    before = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    louder = raised(tensors, 20 * np.log10(2))
    assert {n for n in tensors if not np.array_equal(tensors[n], louder[n])} == {
        "decoder.features.skip.weight",
        "decoder.features.second.weight",
    }
    decoder.load_state_dict(
        {n.removeprefix("decoder."): torch.from_numpy(w).float() for n, w in louder.items()}
    )
    after = decoder.inverse_transform(pcm.unflatten(1, (4, -1)), History())
    torch.testing.assert_close(after, 2 * before, atol=1e-3, rtol=1e-2)
