"""Reconstruction losses: log-mel distance, compressed complex spectra, Bark loudness."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def hann_stft(x: Tensor, size: int) -> Tensor:
    """Complex spectrum [B, F, T] of [B, samples] with a Hann window and a hop of a quarter."""
    window = torch.hann_window(size, device=x.device)
    return torch.stft(x, size, size // 4, window=window, return_complex=True)


def triangular_bands(edges: Tensor, size: int, sample_rate: int) -> Tensor:
    """Overlapping triangles [bands, bins] on `edges` in Hz [bands + 2], each of unit sum."""
    bins = torch.linspace(0, sample_rate / 2, size // 2 + 1)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bands = torch.minimum((bins - low) / (mid - low), (high - bins) / (high - mid)).clamp_min(0)
    return bands / bands.sum(1, keepdim=True).clamp_min(1e-9)


def mel_edges(bands: int, sample_rate: int) -> Tensor:
    top = 2595 * math.log10(1 + sample_rate / 2 / 700)
    return 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)


class LogMelLoss(nn.Module):
    """Mean absolute difference of log-mel magnitudes over several resolutions."""

    def __init__(self, sample_rate: int, sizes: tuple[int, ...] = (256, 512, 1024, 2048)) -> None:
        super().__init__()
        self.sizes = sizes
        for size in sizes:
            edges = mel_edges(min(size // 12, 96), sample_rate)
            self.register_buffer(f"bands_{size}", triangular_bands(edges, size, sample_rate))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        both, loss = torch.cat([x, y]), x.new_zeros(())
        for size in self.sizes:
            magnitude = (hann_stft(both, size).abs().square() + 1e-9).sqrt()
            level = torch.log(self.get_buffer(f"bands_{size}") @ magnitude + 1e-3)
            first, second = level.chunk(2)
            loss = loss + (first - second).abs().mean()
        return loss / len(self.sizes)


class ComplexLoss(nn.Module):
    """Distance of complex spectra at the power 0.5, weighted down above `corner` Hz, where matching
    the waveform at low rates only makes the sound dull."""

    def __init__(self, sample_rate: int, size: int = 768, corner: float = 3000.0) -> None:
        super().__init__()
        self.size = size
        frequency = torch.linspace(0, sample_rate / 2, size // 2 + 1)
        weight = 1 / (1 + (frequency / corner) ** 3)
        self.register_buffer("weight", (weight / weight.mean()).unsqueeze(1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        first, second = self._compressed(torch.cat([x, y])).chunk(2)
        difference = (first - second).square().sum(-1)
        return (self.get_buffer("weight") * (difference + 1e-8).sqrt()).mean()

    def _compressed(self, x: Tensor) -> Tensor:
        spectrum = torch.view_as_real(hann_stft(x, self.size))
        power = spectrum.square().sum(-1, keepdim=True) + 1e-5
        return spectrum * power ** -0.25


class LoudnessLoss(nn.Module):
    """Disturbance of loudness in Bark bands, after ITU-T P.862 and P.862.2 without time alignment.

    What is added counts more than what is missing (the asymmetric part), a steady tilt or level
    counts little, and the worst fifth of a second counts most.
    """

    EXPONENT, LOUDNESS_SCALE = 0.23, 0.1866
    SPEECH_POWER, FIELD_SCALE = 1e7, 6.91e-6
    BAND_WIDTH = 0.45
    """In Bark."""

    def __init__(self, sample_rate: int, size: int = 768) -> None:
        super().__init__()
        self.size = size
        hertz = torch.linspace(0, sample_rate / 2, size // 2 + 1)
        bark = 26.81 * hertz / (1960 + hertz) - 0.53
        band = ((bark - 0.3) / self.BAND_WIDTH).floor().long()
        count = int(band.max()) + 1
        sums = torch.zeros(count, len(hertz))
        sums[band.clamp_min(0), torch.arange(len(hertz))] = (band >= 0).float()
        sums = sums[sums.sum(1) > 0]
        kilohertz = ((sums @ hertz) / sums.sum(1)) / 1000
        threshold = 3.64 * kilohertz**-0.8 - 6.5 * torch.exp(-0.6 * (kilohertz - 3.3) ** 2) - 2
        low = (6 / (26.81 * kilohertz * 1000 / (1960 + kilohertz * 1000) - 0.53 + 2)).clamp(1, 2)
        scale = self.SPEECH_POWER * self.FIELD_SCALE * (512 / size) ** 2
        self.register_buffer("bands", sums * self._ear_canal(hertz / 16000 * math.tau) * scale)
        self.register_buffer("threshold", (10 ** (threshold / 10)).unsqueeze(1))
        self.register_buffer("exponent", (self.EXPONENT * low**0.15).unsqueeze(1))

    def _ear_canal(self, angle: Tensor) -> Tensor:
        """Power response of the wideband input filter of P.862.2, at 16 kHz."""
        step = torch.polar(torch.ones_like(angle), -angle.clamp_max(math.pi))
        top = 2.6657628 * (1 - 2 * step + step**2)
        return (top / (1 - 1.8890331 * step + 0.89487434 * step**2)).abs().square()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Disturbance of `y` against the reference `x` [B, samples]; about 4.5 - raw PESQ."""
        level = x.square().mean(1, keepdim=True).sqrt().clamp_min(1e-4)
        powers = self._bark_power(torch.cat([x / level, y / level]))
        power_x, power_y = self._compensate(*powers.chunk(2))
        loud_x, loud_y = self._loudness(power_x), self._loudness(power_y)
        difference = (loud_y - loud_x).abs() - 0.25 * torch.minimum(loud_x, loud_y)
        audible = difference.clamp_min(0)
        factor = ((power_y + 50) / (power_x + 50)) ** 1.2
        factor = torch.where(factor < 3, 0.0, factor.clamp_max(12))
        bands = len(self.get_buffer("threshold"))
        symmetric = bands**0.5 * self.BAND_WIDTH**1.5 * bands**0.5 * (
            audible.square().mean(1) + 1e-6
        ).sqrt()
        asymmetric = bands * self.BAND_WIDTH * (audible * factor).mean(1)
        weight = ((power_x.sum(1) + 1e5) / 1e7) ** -0.04
        parts = [self._over_time((part * weight).clamp_max(45)) for part in (symmetric, asymmetric)]
        return (0.1 * parts[0] + 0.0309 * parts[1]).mean()

    def _bark_power(self, x: Tensor) -> Tensor:
        window = torch.hann_window(self.size, device=x.device)
        spectrum = torch.stft(x, self.size, self.size // 2, window=window, return_complex=True)
        return self.get_buffer("bands") @ (spectrum.real.square() + spectrum.imag.square())

    def _compensate(self, power_x: Tensor, power_y: Tensor) -> tuple[Tensor, Tensor]:
        """Move the reference towards a steady tilt of `y`, and `y` towards the reference's level."""
        with torch.no_grad():
            tilt = (power_y.mean(2, keepdim=True) + 1000) / (power_x.mean(2, keepdim=True) + 1000)
            power_x = power_x * tilt.clamp(0.01, 100)
            level = (power_x.sum(1, keepdim=True) + 5e3) / (power_y.sum(1, keepdim=True) + 5e3)
        return power_x, power_y * level.clamp(3e-4, 5)

    def _loudness(self, power: Tensor) -> Tensor:
        threshold, exponent = self.get_buffer("threshold"), self.get_buffer("exponent")
        ratio = (0.5 + 0.5 * power / threshold) ** exponent - 1
        return self.LOUDNESS_SCALE * (threshold / 0.5) ** exponent * ratio.clamp_min(0)

    def _over_time(self, frames: Tensor) -> Tensor:
        """Frames [B, T] to [B]: a sharp norm over 20 frames (0.3 s), a root mean square over those."""
        runs = frames.unfold(1, min(20, frames.shape[1]), 10)
        sharp = ((runs + 1e-3) ** 6).mean(2) ** (1 / 6)
        return sharp.square().mean(1).sqrt()
