"""Reconstruction losses: log-mel distance, compressed spectra, waveform."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nacli.bench.metrics import mel_bands
from training.losses.spectra import (
    COMPRESSION,
    FLOOR,
    bark_weights,
    hann_stft,
    window_energy,
)


@dataclass(frozen=True)
class LossWeights:
    """Weight of each loss in the sum."""

    mel: float = 1.0
    compressed: float = 10.0
    waveform: float = 0.1


class LogMelLoss(nn.Module):
    """Mean absolute difference of log-mel magnitudes over windows of 2.7 to 85 ms."""

    SIZES = ((64, 8), (128, 12), (256, 24), (512, 48), (1024, 80), (2048, 120))
    """Samples of each window, and its number of bands."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        for size, count in self.SIZES:
            bands = torch.from_numpy(mel_bands(sample_rate, size, count)).float()
            bands = bands / bands.sum(1, keepdim=True).clamp_min(1e-9)
            self.register_buffer(f"bands_{size}", bands, persistent=False)

    def forward(self, target: Tensor, output: Tensor) -> Tensor:
        """Return the distance of `output` to `target` [B, samples], both divided by the level of
        `target`."""
        distances = [
            (self._log_mel(target, size) - self._log_mel(output, size)).abs().mean()
            for size, _ in self.SIZES
        ]
        return torch.stack(distances).mean()

    def _log_mel(self, x: Tensor, size: int) -> Tensor:
        power = torch.view_as_real(hann_stft(x, size)).square().sum(-1) / window_energy(size)
        return torch.log(self.get_buffer(f"bands_{size}") @ (power + 1e-9).sqrt() + 1e-3)


class CompressedLoss(nn.Module):
    """Squared distance of spectra compressed by an exponent, over several resolutions (after Yin
    et al., 2020).

    Magnitudes and complex values both count. With an exponent of 0.3, quiet bands count nearly
    like loud ones. The complex values keep the phase, but their squared error alone favours
    leaving uncertain components out.

    Args:
        exponent: compresses the magnitudes.
        complex_share: weight of the complex values; the magnitudes have the rest.
        tilt: weighs frequencies as `bark_weights` does.
    """

    def __init__(
        self,
        sample_rate: int,
        exponent: float = COMPRESSION,
        complex_share: float = 0.3,
        tilt: float = 1.0,
        sizes: tuple[int, ...] = (384, 768, 1536),
    ) -> None:
        super().__init__()
        self.exponent, self.complex_share, self.sizes = exponent, complex_share, sizes
        for size in sizes:
            frequencies = torch.linspace(0, sample_rate / 2, size // 2 + 1)
            weights = bark_weights(frequencies, tilt)
            self.register_buffer(f"weights_{size}", weights[:, None], persistent=False)

    def forward(self, target: Tensor, output: Tensor) -> Tensor:
        """Return the distance of `output` to `target` [B, samples], both divided by the level of
        `target`."""
        return torch.stack([self._distance(target, output, size) for size in self.sizes]).mean()

    def _compressed(self, x: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Return magnitudes [B, F, T] and complex values [B, F, T, 2]."""
        spectrum = torch.view_as_real(hann_stft(x, size)) / window_energy(size) ** 0.5
        power = spectrum.square().sum(-1) + FLOOR
        magnitude = power ** (self.exponent / 2)
        return magnitude, spectrum * (magnitude / power.sqrt()).unsqueeze(-1)

    def _distance(self, x: Tensor, y: Tensor, size: int) -> Tensor:
        (magnitude_x, complex_x), (magnitude_y, complex_y) = (
            self._compressed(signal, size) for signal in (x, y)
        )
        magnitudes = (magnitude_x - magnitude_y).square()
        complexes = (complex_x - complex_y).square().sum(-1)
        distance = (1 - self.complex_share) * magnitudes + self.complex_share * complexes
        return (distance * self.get_buffer(f"weights_{size}")).mean()


class ReconstructionLosses(nn.Module):
    """All losses that compare output and target, and their weighted sum."""

    def __init__(self, sample_rate: int, weights: LossWeights, compressed: CompressedLoss) -> None:
        super().__init__()
        self.weights = weights
        self.mel, self.compressed = LogMelLoss(sample_rate), compressed

    def forward(self, target: Tensor, output: Tensor) -> dict[str, Tensor]:
        """Return each loss by name, and their weighted sum as `reconstruction`, for samples [B, T]
        that are divided by the level of the target."""
        parts = {
            "mel": self.mel(target, output),
            "compressed": self.compressed(target, output),
            "waveform": (target - output).abs().mean(),
        }
        weighted = [getattr(self.weights, name) * value for name, value in parts.items()]
        return {"reconstruction": torch.stack(weighted).sum(), **parts}
