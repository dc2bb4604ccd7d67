"""What the trainer is made of: the quantiser learns, losses tell, held-out sound stays held out."""

from __future__ import annotations

import click
import numpy as np
import pytest
import torch

from export import with_decoder
from nacli.checkpoint import Tensors
from nacli.quantize import Codebooks, search
from training.corpus import Sampler, Source
from training.losses import CompressedLoss, LogMelLoss
from training.quantizer import ResidualQuantizer


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
    found = search(latents.reshape(-1, 6).numpy(), codebooks, depth=4, beam=1)
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
    made = with_decoder(shipped, newer, codebooks)
    assert made.keys() == shipped.keys() and not made["decoder.b"].any()
    with pytest.raises(click.ClickException, match=r"another encoder\.a"):
        with_decoder(shipped, {**newer, "encoder.a": np.zeros(2, np.float16)}, codebooks)
