"""The reconstruction loss of the adaptive filter.

It has the distances of `training/losses/reconstruction.py`, but transforms every window length
once for both of its spectral parts: on one core the loss is a large part of a step. Its log-mel
part has the energy floor of the compressed spectra.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from nacli.bench.metrics import mel_bands
from nacli.config import CODED_RATE
from training.losses.spectra import COMPRESSION, FLOOR, bark_weights, window_energy

SIZES = (320, 768, 1536)
"""Lengths of the windows in samples."""


class LossParts(NamedTuple):
    """The weighted sum, and the distances of compressed spectra and of log-mel magnitudes."""

    total: Tensor
    compressed: Tensor
    mel: Tensor


class FilterLoss(nn.Module):
    """The weighted sum of the distances of compressed spectra, log-mel magnitudes and samples."""

    def __init__(
        self, complex_share: float, compressed: float, mel: float, waveform: float
    ) -> None:
        """`complex_share` is the weight of complex values in the distance of compressed spectra;
        the others are the weights of the three distances."""
        super().__init__()
        self.complex_share = complex_share
        self.compressed, self.mel, self.waveform = compressed, mel, waveform
        for size in SIZES:
            scale = window_energy(size) ** 0.5
            weights = bark_weights(torch.linspace(0, CODED_RATE / 2, size // 2 + 1))
            bands = torch.from_numpy(mel_bands(CODED_RATE, size, min(size // 12, 96))).float()
            bands = bands / bands.sum(1, keepdim=True).clamp_min(1e-9) * scale
            self.register_buffer(f"weights_{size}", weights, persistent=False)
            self.register_buffer(f"bands_{size}", bands.T.contiguous(), persistent=False)
            window = torch.hann_window(size) / scale
            self.register_buffer(f"window_{size}", window, persistent=False)

    def forward(self, target: Tensor, output: Tensor) -> LossParts:
        """Return the loss of `output` [B, T], both divided by the level of `target`."""
        parts = torch.stack([self._distances(target, output, size) for size in SIZES]).mean(0)
        waveform = (target - output).abs().mean()
        total = self.compressed * parts[0] + self.mel * parts[1] + self.waveform * waveform
        return LossParts(total, parts[0], parts[1])

    def _distances(self, target: Tensor, output: Tensor, size: int) -> Tensor:
        """Return the distances [2] of compressed spectra and of log-mel magnitudes."""
        weights, bands = self.get_buffer(f"weights_{size}"), self.get_buffer(f"bands_{size}")
        with torch.no_grad():
            real_x, imaginary_x, power_x = self._spectrum(target, size)
            root_x, magnitude_x = power_x.sqrt(), power_x.pow(COMPRESSION / 2)
            mel_x = (root_x @ bands + 1e-3).log()
            real_x, imaginary_x = (x * (magnitude_x / root_x) for x in (real_x, imaginary_x))
        real_y, imaginary_y, power_y = self._spectrum(output, size)
        root_y, magnitude_y = power_y.sqrt(), power_y.pow(COMPRESSION / 2)
        shrink = magnitude_y / root_y
        magnitudes = (magnitude_x - magnitude_y).square()
        complexes = (real_x - real_y * shrink).square()
        complexes = complexes + (imaginary_x - imaginary_y * shrink).square()
        distance = (1 - self.complex_share) * magnitudes + self.complex_share * complexes
        mel = ((root_y @ bands + 1e-3).log() - mel_x).abs().mean()
        return torch.stack([distance.mean((0, 1)) @ weights / len(weights), mel])

    def _spectrum(self, sound: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return real parts, imaginary parts and power with a floor [B, frames, bins]."""
        frames = sound.unfold(1, size, size // 4) * self.get_buffer(f"window_{size}")
        spectrum = torch.fft.rfft(frames)
        real, imaginary = spectrum.real.contiguous(), spectrum.imag.contiguous()
        return real, imaginary, torch.addcmul(real * real, imaginary, imaginary) + FLOOR
