"""Discriminators: their start, their scores, and the file of a GPU training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.discriminators.discriminators import Discriminators, read_weights
from training.losses.adversarial import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mean_scores,
)


@pytest.fixture(scope="module")
def discriminators() -> Discriminators:
    torch.manual_seed(0)
    return Discriminators()


@torch.no_grad()
def test_discriminators_start_alive_and_undecided(discriminators: Discriminators) -> None:
    """Torch's own initial weights shrink activations by a half or more in each of six layers."""
    sound = torch.randn(2, 4800)
    outputs = discriminators(sound, 0.5 * sound)
    assert len(outputs) == 9
    for output in outputs:
        *layers, (score, _) = output
        assert 0.3 < layers[-1][0].std() < 3
        assert 0.001 < score.std() < 0.5 and abs(score.mean() - 0.5) < 0.25


def test_some_scales_learn_to_tell_and_the_gradient_reaches_the_sound() -> None:
    torch.manual_seed(0)
    part = Discriminators(sizes=(256,), periods=(), highest=3000)
    original = torch.randn(2, 2400)
    decoded = (0.1 * original).requires_grad_()
    outputs = part(original, decoded)
    for pair in outputs[0]:
        assert pair[0].shape == pair[1].shape
    (gradient,) = torch.autograd.grad(generator_loss(outputs), decoded, retain_graph=True)
    assert gradient.isfinite().all() and gradient.abs().sum(1).all()
    optimizer = torch.optim.AdamW(part.parameters(), lr=5e-3, betas=(0.8, 0.99))
    for _ in range(30):
        outputs = part(original, decoded.detach())
        optimizer.zero_grad()
        discriminator_loss(outputs).backward()
        optimizer.step()
    real, fake = mean_scores(outputs).tolist()
    assert real - fake > 0.2


def test_feature_matching_is_zero_for_equal_sound_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    sound, noise = torch.randn(2, 1, 2400)
    part = Discriminators(sizes=(256,), periods=(7,))
    with torch.no_grad():
        values = [feature_matching_loss(part(sound, sound + k * noise)) for k in (0, 0.1, 1)]
    assert values[0] == 0 and values[1] < values[2]


@pytest.mark.parametrize("name", ["judge", "discriminators"])
def test_a_part_reads_its_scales_from_the_weights_of_all(
    discriminators: Discriminators, name: str, tmp_path: Path
) -> None:
    halves = {name: weight.half() for name, weight in discriminators.state_dict().items()}
    torch.save({name: halves}, tmp_path / "weights.pt")
    part = Discriminators(sizes=(512,), periods=(3,), highest=5000)
    part.adopt(read_weights(tmp_path / "weights.pt"))
    for name, weight in part.state_dict().items():
        assert torch.equal(weight, halves[name].float()), name
