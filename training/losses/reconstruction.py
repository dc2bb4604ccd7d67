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
    rms_level,
    window_energy,
)


@dataclass(frozen=True)
class LossWeights:
    """Weight of each loss in the sum."""

    mel: float = 0.3
    compressed: float = 10.0
    waveform: float = 0.1
    commitment: float = 15.0
    """Large enough to keep the latents near the codebooks; with 3 they drift away."""
    corrections: float = 1.0
    """Weight of the squared correction targets: band energies that the Decoder gets right by itself
    need no bits."""


class LogMelLoss(nn.Module):
    """Mean absolute difference of log-mel magnitudes over several resolutions."""

    def __init__(self, sample_rate: int, sizes: tuple[int, ...] = (256, 512, 1024, 2048)) -> None:
        super().__init__()
        self.sizes = sizes
        for size in sizes:
            bands = torch.from_numpy(mel_bands(sample_rate, size, min(size // 12, 96))).float()
            bands = bands / bands.sum(1, keepdim=True).clamp_min(1e-9)
            self.register_buffer(f"bands_{size}", bands)

    def forward(self, target: Tensor, output: Tensor) -> Tensor:
        """Return the distance of `output` to `target` [B, samples]."""
        distances = [
            (self._log_mel(target, size) - self._log_mel(output, size)).abs().mean()
            for size in self.sizes
        ]
        return torch.stack(distances).mean()

    def _log_mel(self, x: Tensor, size: int) -> Tensor:
        power = torch.view_as_real(hann_stft(x, size)).square().sum(-1)
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
        level = rms_level(target)
        pair = (target / level, output / level)
        return torch.stack([self._distance(*pair, size) for size in self.sizes]).mean()

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

    def forward(
        self, target: Tensor, output: Tensor, commitment: Tensor, corrections: Tensor
    ) -> dict[str, Tensor]:
        """Return each loss by name, and their weighted sum as `total`.

        Args:
            target, output: samples [B, T].
            commitment: the commitment loss.
            corrections: the mean squared correction target.
        """
        parts = {
            "mel": self.mel(target, output),
            "compressed": self.compressed(target, output),
            "waveform": ((target - output).abs() / rms_level(target)).mean(),
            "commitment": commitment,
            "corrections": corrections,
        }
        total = sum(getattr(self.weights, name) * value for name, value in parts.items())
        return {"total": torch.as_tensor(total), **parts}
