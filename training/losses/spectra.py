"""Spectra and levels that losses and discriminators share."""

from __future__ import annotations

import torch
from torch import Tensor

from nacli.dsp.filterbank import BARK_CORNER

COMPRESSION = 0.3
"""Exponent of compressed magnitudes: quiet bands count nearly like loud ones."""
FLOOR = 1e-4
"""Energy added before compression, relative to sound at unit level."""


def hann_stft(x: Tensor, size: int) -> Tensor:
    """Return the complex spectrum [B, F, T] of samples [B, T'] with a Hann window of `size` samples
    and a hop of a quarter."""
    window = torch.hann_window(size, device=x.device)
    return torch.stft(x, size, size // 4, window=window, return_complex=True)


def window_energy(size: int) -> float:
    """Return the energy of the window of `hann_stft`: that of white noise at unit level in every
    bin."""
    return size * 3 / 8


def rms_level(x: Tensor) -> Tensor:
    """Return the RMS [B, 1] of samples [B, T], at least -60 dB.

    Losses divide by it, so that loud and quiet clips count alike.
    """
    return x.square().mean(1, keepdim=True).sqrt().clamp_min(1e-3)


def bark_weights(frequencies: Tensor, tilt: float = 1.0) -> Tensor:
    """Return weights of mean 1 for bins at `frequencies` in Hz.

    With `tilt` 1 every Bark has the same weight (Traunmüller, 1990), with 0 every Hz.
    """
    slope = (BARK_CORNER + frequencies) ** -2
    return slope**tilt / (slope**tilt).mean()
