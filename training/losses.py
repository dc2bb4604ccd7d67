"""Reconstruction losses: log-mel distance and compressed spectra."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacli.bench.metrics import mel_bands


@dataclass(frozen=True)
class Weights:
    """Of each loss in the sum."""

    mel: float = 0.3
    compressed: float = 10.0
    waveform: float = 0.1
    commitment: float = 15.0
    """Large enough to hold the latents where the codebooks are: with 3 they drift away."""
    corrections: float = 1.0
    """Levels that the Decoder gets right by itself need no bits."""


def hann_stft(x: Tensor, size: int) -> Tensor:
    """Complex spectrum [B, F, T] of [B, samples] with a Hann window and a hop of a quarter."""
    window = torch.hann_window(size, device=x.device)
    return torch.stft(x, size, size // 4, window=window, return_complex=True)


def level_of(x: Tensor) -> Tensor:
    """RMS [B, 1] of [B, samples], by which losses divide, so that loud and quiet are alike."""
    return x.square().mean(1, keepdim=True).sqrt().clamp_min(1e-3)


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
        distances = [(self._level(x, n) - self._level(y, n)).abs().mean() for n in self.sizes]
        return torch.stack(distances).mean()

    def _level(self, x: Tensor, size: int) -> Tensor:
        power = torch.view_as_real(hann_stft(x, size)).square().sum(-1)
        return torch.log(self.get_buffer(f"bands_{size}") @ (power + 1e-9).sqrt() + 1e-3)


class CompressedLoss(nn.Module):
    """Squared distance of spectra at the power `exponent`, magnitudes and complex values together,
    over several resolutions (after Yin et al., 2020). At 0.3 it weighs quiet bands nearly like loud
    ones. The complex values keep phase; a squared error of theirs would rather leave something out
    than add what is not there.

    Frequencies weigh as they do for the ear: `tilt` 1 gives every Bark the same share, 0 every Hz.
    """

    FLOOR = 1e-4

    def __init__(
        self,
        sample_rate: int,
        exponent: float = 0.3,
        complex_share: float = 0.3,
        tilt: float = 1.0,
        sizes: tuple[int, ...] = (384, 768, 1536),
    ) -> None:
        super().__init__()
        self.exponent, self.complex_share, self.sizes = exponent, complex_share, sizes
        for size in sizes:
            frequencies = torch.linspace(0, sample_rate / 2, size // 2 + 1)
            slope = (1960 + frequencies) ** -2  # of the Bark scale (Traunmüller, 1990)
            share = slope**tilt / (slope**tilt).mean()
            self.register_buffer(f"shares_{size}", share[:, None], persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance of `y` to the reference `x` [B, samples], both divided by the level of `x`."""
        level = level_of(x)
        pair = (x / level, y / level)
        return torch.stack([self._distance(*pair, size) for size in self.sizes]).mean()

    def _compressed(self, x: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Magnitudes [B, F, T] and complex values [B, F, T, 2]."""
        spectrum = torch.view_as_real(hann_stft(x, size)) / (size * 3 / 8) ** 0.5
        power = spectrum.square().sum(-1) + self.FLOOR
        magnitude = power ** (self.exponent / 2)
        return magnitude, spectrum * (magnitude / power.sqrt()).unsqueeze(-1)

    def _distance(self, x: Tensor, y: Tensor, size: int) -> Tensor:
        (magnitude_x, complex_x), (magnitude_y, complex_y) = (
            self._compressed(signal, size) for signal in (x, y)
        )
        magnitudes = (magnitude_x - magnitude_y).square()
        complexes = (complex_x - complex_y).square().sum(-1)
        distance = (1 - self.complex_share) * magnitudes + self.complex_share * complexes
        return (distance * self.get_buffer(f"shares_{size}")).mean()


class Losses(nn.Module):
    """All losses of the training and their sum."""

    def __init__(self, sample_rate: int, weights: Weights, compressed: CompressedLoss) -> None:
        super().__init__()
        self.weights = weights
        self.mel, self.compressed = LogMelLoss(sample_rate), compressed

    def forward(
        self, target: Tensor, output: Tensor, commitment: Tensor, corrections: Tensor
    ) -> dict[str, Tensor]:
        """Each loss by name, and their weighted sum under `total`."""
        level = level_of(target)
        parts = {
            "mel": self.mel(target, output),
            "compressed": self.compressed(target, output),
            "waveform": ((target - output).abs() / level).mean(),
            "commitment": commitment,
            "corrections": corrections,
        }
        total = sum(getattr(self.weights, name) * value for name, value in parts.items())
        return {"total": torch.as_tensor(total), **parts}
