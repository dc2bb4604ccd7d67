"""Reconstruction losses: log-mel distance and compressed spectra."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacli.metrics import mel_bands


def hann_stft(x: Tensor, size: int) -> Tensor:
    """Complex spectrum [B, F, T] of [B, samples] with a Hann window and a hop of a quarter."""
    window = torch.hann_window(size, device=x.device)
    return torch.stft(x, size, size // 4, window=window, return_complex=True)


class LogMelLoss(nn.Module):
    """Mean absolute difference of log-mel magnitudes over several resolutions."""

    def __init__(self, sample_rate: int, sizes: tuple[int, ...] = (256, 512, 1024, 2048)) -> None:
        super().__init__()
        self.sizes = sizes
        for size in sizes:
            bands = torch.from_numpy(mel_bands(sample_rate, size, min(size // 12, 96))).float()
            bands = bands / bands.sum(1, keepdim=True).clamp_min(1e-9)
            self.register_buffer(f"bands_{size}", bands)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        both, loss = torch.cat([x, y]), x.new_zeros(())
        for size in self.sizes:
            magnitude = (hann_stft(both, size).abs().square() + 1e-9).sqrt()
            level = torch.log(self.get_buffer(f"bands_{size}") @ magnitude + 1e-3)
            first, second = level.chunk(2)
            loss = loss + (first - second).abs().mean()
        return loss / len(self.sizes)


class CompressedLoss(nn.Module):
    """Squared distance of spectra at the power 0.3, magnitudes and complex values together, over
    several resolutions (after Yin et al., 2020). It weighs quiet bands nearly like loud ones and
    keeps phase; a squared error would rather leave something out than add what is not there.
    """

    EXPONENT, COMPLEX_SHARE, FLOOR = 0.3, 0.3, 1e-4

    def __init__(self, sizes: tuple[int, ...] = (384, 768, 1536)) -> None:
        super().__init__()
        self.sizes = sizes

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance of `y` to the reference `x` [B, samples], both divided by the level of `x`."""
        level = x.square().mean(1, keepdim=True).sqrt().clamp_min(1e-3)
        both, loss = torch.cat([x / level, y / level]), x.new_zeros(())
        for size in self.sizes:
            loss = loss + self._distance(both, size) / len(self.sizes)
        return loss

    def _distance(self, both: Tensor, size: int) -> Tensor:
        spectrum = torch.view_as_real(hann_stft(both, size)) / (size * 3 / 8) ** 0.5
        power = spectrum.square().sum(-1) + self.FLOOR
        magnitude_x, magnitude_y = (power ** (self.EXPONENT / 2)).chunk(2)
        flat = spectrum * (power ** ((self.EXPONENT - 1) / 2)).unsqueeze(-1)
        complex_x, complex_y = flat.chunk(2)
        magnitudes = (magnitude_x - magnitude_y).square().mean()
        complexes = (complex_x - complex_y).square().sum(-1).mean()
        return (1 - self.COMPLEX_SHARE) * magnitudes + self.COMPLEX_SHARE * complexes
