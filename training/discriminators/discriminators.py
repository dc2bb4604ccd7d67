"""Discriminators of the whole codec and of the adaptive filter.

Some scales see complex spectra (after Défossez et al., 2022), some see sound folded at a period
(Kong et al., 2020). All are convolutions, so a CPU can leave out scales, and bins above a
frequency.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nacli.config import CODED_RATE
from training.losses.adversarial import ScaleOutput
from training.losses.spectra import FLOOR, hann_stft, window_energy

SIZES, PERIODS = (2048, 1024, 512, 256), (2, 3, 5, 7, 11)
"""Window lengths and periods in samples of all scales, in the order of stored weights."""
CHANNELS = 24
SLOPE = 0.1
"""Slope of the leaky rectifiers for negative inputs."""
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


class Discriminators(nn.Module):
    """All scales or some of them; each scores sound by itself."""

    def __init__(
        self,
        sizes: tuple[int, ...] = SIZES,
        periods: tuple[int, ...] = PERIODS,
        highest: float = CODED_RATE / 2,
    ) -> None:
        """Build the scales of these window lengths, with bins up to `highest` Hz, and periods."""
        super().__init__()
        parts: dict[str, Scale] = {f"{SIZES.index(n)}": SpectrumScale(n, highest) for n in sizes}
        parts |= {f"{len(SIZES) + PERIODS.index(p)}": PeriodScale(p) for p in periods}
        self.parts = nn.ModuleDict(parts)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                _initialize(layer)
        for part in parts.values():
            _start_undecided(part.out)

    def adopt(self, weights: Mapping[str, Tensor]) -> None:
        """Load the weights of these scales from the weights of all of them."""
        self.load_state_dict({name: weights[name].float() for name in self.state_dict()})

    def forward(self, original: Tensor, decoded: Tensor) -> list[ScaleOutput]:
        """Return the output of each scale for samples [B, T], both divided by the level of the
        original."""
        return [part(original, decoded) for part in self.parts.values()]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights of all scales that a training has written."""
    stored: dict[str, dict[str, Tensor]] = torch.load(path, map_location="cpu", weights_only=True)
    return stored["discriminators"] if "discriminators" in stored else stored["judge"]


@torch.no_grad()
def _initialize(layer: nn.Conv2d) -> None:
    """Set weights that preserve the variance of activations (He et al., 2015).

    Torch's own initial weights shrink activations in every layer: six layers of them tell nothing
    for thousands of steps.
    """
    layer.weight = nn.init.kaiming_normal_(torch.empty_like(layer.weight), SLOPE)
    assert layer.bias is not None, "every layer has a bias"
    layer.bias.zero_()


@torch.no_grad()
def _start_undecided(out: nn.Module) -> None:
    """Let scores begin near one half, not as noise that takes a hundred steps to unlearn."""
    assert isinstance(out, nn.Conv2d) and out.bias is not None
    out.weight = 0.05 * out.weight.detach()
    out.bias.fill_(0.5)
