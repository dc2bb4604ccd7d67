"""The discriminators of a training on a GPU: some of their scales, as they came out of it.

Some scales see complex spectra (after Défossez et al., 2022), some see sound folded at a period
(Kong et al., 2020). All are convolutions, so a CPU can leave out scales, and bins above a
frequency.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nacli.config import CODED_RATE
from training.discriminators.scales import SLOPE
from training.losses.adversarial import ScaleOutput
from training.losses.spectra import FLOOR, hann_stft, window_energy

SIZES, PERIODS = (2048, 1024, 512, 256), (2, 3, 5, 7, 11)
"""Window lengths and periods in samples of the scales in a file, in its order."""
CHANNELS = 24
SHRINK = -0.3
"""Exponent of the power in a factor of spectra: magnitudes get the exponent 0.4."""


class Scale(nn.Module):
    """Convolutions on images of sound; subclasses make the images."""

    convs: nn.ModuleList
    out: nn.Module

    def image(self, sound: Tensor) -> Tensor:
        """Return images [B, C, H, W] of samples [B, T]."""
        raise NotImplementedError

    def forward(self, original: Tensor, decoded: Tensor) -> ScaleOutput:
        """Return the activations and scores for samples [B, T]. The two sides run apart, so that
        the original costs no gradients where only the decoded sound needs them."""
        return list(zip(self._run(original), self._run(decoded), strict=True))

    def _run(self, sound: Tensor) -> list[Tensor]:
        x, found = self.image(sound).contiguous(memory_format=torch.channels_last), []
        for layer in self.convs:
            x = F.leaky_relu(layer(x), SLOPE)
            found.append(x)
        return [*found, self.out(x)]


def _convolution(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: int, dilation: int
) -> nn.Module:
    padding = ((kernel[0] - 1) // 2 * dilation, (kernel[1] - 1) // 2)
    return weight_norm(nn.Conv2d(inputs, outputs, kernel, (1, stride), padding, (dilation, 1)))


class SpectrumScale(Scale):
    """Images of real part, imaginary part and log power of the bins up to `highest` Hz."""

    def __init__(self, size: int, highest: float) -> None:
        super().__init__()
        self.size, self.bins = size, int(size * highest / CODED_RATE) + 1
        layers = [_convolution(3, CHANNELS, (3, 9), 1, 1)]
        layers += [_convolution(CHANNELS, CHANNELS, (3, 9), 2, d) for d in (1, 2, 4)]
        layers.append(_convolution(CHANNELS, CHANNELS, (3, 3), 1, 1))
        self.convs, self.out = nn.ModuleList(layers), _convolution(CHANNELS, 1, (3, 3), 1, 1)

    def image(self, sound: Tensor) -> Tensor:
        """Return images [B, 3, frames, bins]."""
        spectrum = torch.view_as_real(hann_stft(sound, self.size)[:, : self.bins])
        spectrum = spectrum / window_energy(self.size) ** 0.5
        power = spectrum.square().sum(-1) + FLOOR
        compressed = spectrum * power.pow(SHRINK).unsqueeze(-1)
        channels = [compressed[..., 0], compressed[..., 1], 0.25 * power.log() + 0.5]
        return torch.stack(channels, 1).transpose(2, 3)


class PeriodScale(Scale):
    """Images of sound folded at a period."""

    WIDTHS = (1, 16, 64, 256, 512, 512)

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        shapes = list(zip(self.WIDTHS[:-1], self.WIDTHS[1:], strict=True))
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(i, o, (5, 1), (3 if k < 4 else 1, 1), (2, 0)))
            for k, (i, o) in enumerate(shapes)
        )
        self.out = weight_norm(nn.Conv2d(self.WIDTHS[-1], 1, (3, 1), 1, (1, 0)))

    def image(self, sound: Tensor) -> Tensor:
        """Return images [B, 1, T / period, period]."""
        padded = F.pad(sound, (0, -sound.shape[1] % self.period))
        return padded.view(len(sound), 1, -1, self.period)


class PretrainedDiscriminator(nn.Module):
    """Some scales of a file of the GPU training."""

    def __init__(
        self, sizes: tuple[int, ...] = SIZES, periods: tuple[int, ...] = (7,), highest: float = 5000
    ) -> None:
        super().__init__()
        parts: dict[str, Scale] = {f"{SIZES.index(n)}": SpectrumScale(n, highest) for n in sizes}
        parts |= {f"{len(SIZES) + PERIODS.index(p)}": PeriodScale(p) for p in periods}
        self.parts = nn.ModuleDict(parts)

    def load(self, path: Path) -> None:
        """Load the weights of these scales from a file of the GPU training."""
        stored = torch.load(path, map_location="cpu", weights_only=True)["judge"]
        self.load_state_dict({name: stored[name].float() for name in self.state_dict()})

    def forward(self, original: Tensor, decoded: Tensor) -> list[ScaleOutput]:
        """Return the output of each scale for samples [B, T], both divided by the level of the
        original."""
        return [part(original, decoded) for part in self.parts.values()]
