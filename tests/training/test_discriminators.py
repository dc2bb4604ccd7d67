"""Discriminators: outputs of their scales, scores, and the spectra that they see."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from training.discriminators.discriminators import (
    BandDiscriminator,
    FrameDiscriminator,
    SpectrumDiscriminator,
)
from training.discriminators.scales import compressed_spectrum
from training.losses.adversarial import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mean_scores,
)


@pytest.mark.parametrize(
    ("kind", "sizes", "width"),
    [
        (FrameDiscriminator, (64, 128), 16),
        (SpectrumDiscriminator, ((64, 33), (128, 50)), 4),
        (BandDiscriminator, ((64, 12), (128, 16)), 4),
    ],
)
def test_a_discriminator_has_an_output_for_each_scale_and_learns(
    kind: Any, sizes: Any, width: int
) -> None:
    torch.manual_seed(0)
    discriminator, original = kind(sizes, width), torch.randn(2, 1200)
    decoded = torch.nn.functional.avg_pool1d(original[:, None], 5, 1, 2)[:, 0].requires_grad_()
    outputs = discriminator(original, decoded)
    assert len(outputs) == 2
    for output in outputs:
        for pair in output:
            assert pair[0].shape == pair[1].shape and len(pair[0]) == 2
        assert output[-1][0].shape[1] == 1
    (gradient,) = torch.autograd.grad(generator_loss(outputs), decoded, retain_graph=True)
    assert gradient.isfinite().all() and gradient.abs().sum(1).all()
    optimizer = torch.optim.AdamW(discriminator.parameters(), lr=5e-3, betas=(0.8, 0.99))
    losses = []
    for _ in range(30):
        outputs = discriminator(original, decoded.detach())
        losses.append(discriminator_loss(outputs))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]
    real, fake = mean_scores(outputs)
    assert real > 0.6 and fake < 0.4


def test_feature_matching_is_zero_for_equal_sound_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    sound, noise = torch.randn(2, 1, 4800)
    discriminator = FrameDiscriminator((64, 128), width=16)
    with torch.no_grad():
        values = [
            feature_matching_loss(discriminator(sound, sound + k * noise)) for k in (0, 0.1, 1)
        ]
    assert values[0] == 0 and values[1] < values[2]


def test_compressed_spectra_keep_quiet_bands_and_phase() -> None:
    time = torch.arange(4800) / 24_000
    loud, quiet = torch.sin(2 * torch.pi * 1500 * time), torch.sin(2 * torch.pi * 9000 * time)
    magnitude, real, imaginary = compressed_spectrum((loud + 0.01 * quiet)[None], 256)[0, :, :, 30]
    assert magnitude[96] > 0.2 * magnitude[16]  # 40 dB down
    torch.testing.assert_close(
        real.square() + imaginary.square(), magnitude.square(), atol=0.1, rtol=0
    )
    assert real[16] * imaginary[16] != 0
