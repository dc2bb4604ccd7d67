"""Reconstruction losses and the balance of gradients."""

from __future__ import annotations

import pytest
import torch

from training.losses.gradient_balance import GradientBalance
from training.losses.reconstruction import CompressedLoss, LogMelLoss


@pytest.mark.parametrize("loss", [LogMelLoss(24_000), CompressedLoss(24_000)])
def test_losses_are_zero_for_equal_sound_and_grow_with_noise(loss: torch.nn.Module) -> None:
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(2, 12_000)
    noise = 0.1 * torch.randn(2, 12_000)
    values = [float(loss(sound, sound + level * noise)) for level in (0.0, 0.1, 1.0)]
    assert values[0] < 1e-6 < values[1] < values[2]


def test_the_complex_share_makes_phase_count() -> None:
    torch.manual_seed(0)
    sound = 0.1 * torch.randn(1, 12_000)
    shares = [
        float(CompressedLoss(24_000, complex_share=share)(sound, -sound)) for share in (0.0, 0.5, 1)
    ]
    assert shares[0] < 1e-9 < shares[1] < shares[2]


def test_the_balance_gives_gradients_the_lengths_of_their_weights() -> None:
    output = torch.ones(4, requires_grad=True)
    losses = {"first": 3 * output.sum(), "second": 0.01 * output.square().sum()}
    balance = GradientBalance()
    balance.measure(losses, output)
    factors = balance.factors({"first": 1.0, "second": 0.5})
    lengths = [
        float(torch.autograd.grad(factors[name] * loss, output, retain_graph=True)[0].norm())
        for name, loss in losses.items()
    ]
    assert lengths == pytest.approx([6.0, 3.0])
