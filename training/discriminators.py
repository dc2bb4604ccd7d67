"""Discriminators: networks that tell original from decoded sound by their spectra.

They see what the ear does: real and imaginary parts and the magnitude, all at the power 0.3. At
their own power the bands above 4 kHz, where decoded sound is dull, would be 40 dB under the low
ones; a logarithm would keep no phase. The magnitude is there because no first layer finds it in
the other two.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nacli.bench.metrics import mel_bands
from training.codec import has_bf16_units
from training.losses import hann_stft

POWER, FLOOR = 0.3, 1e-4
SLOPE = 0.1
Verdict = list[tuple[Tensor, Tensor]]
"""What one scale says: the activations of its layers on the original and on the decoded sound, the
scores last."""


def compressed_spectrum(sound: Tensor, size: int) -> Tensor:
    """Magnitude, real and imaginary parts [B, 3, F, T] of [B, samples], at the power `POWER`."""
    spectrum = hann_stft(sound, size) / (size * 3 / 8) ** 0.5
    energy = torch.view_as_real(spectrum).square().sum(-1) + FLOOR
    shrink = energy.pow((POWER - 1) / 2)
    return torch.stack([energy.sqrt() * shrink, spectrum.real * shrink, spectrum.imag * shrink], 1)


def both_spectra(original: Tensor, decoded: Tensor, size: int) -> Tensor:
    """Of both, one after the other [2 * B, 3, F, T]; apart, as only one of them needs gradients."""
    return torch.cat([compressed_spectrum(sound, size) for sound in (original, decoded)])


class FrameScale(nn.Module):
    """Frames of one window with their bins as channels, through convolutions over time.

    Kernels over time are grouped, and layers of kernel 1 mix the groups: most of the work is the
    first layer, which is the same at every scale, as fewer frames have more bins.
    """

    def __init__(self, size: int, width: int, layers: int = 3, groups: int = 8) -> None:
        super().__init__()
        self.size = size
        bins = 3 * (size // 2 + 1)
        stack = [nn.Sequential(weight_norm(nn.Conv1d(bins, width, 1)), nn.LeakyReLU(SLOPE))]
        for _ in range(layers):
            over_time = nn.Conv1d(width, width, 5, padding=2, groups=groups)
            mix = nn.Conv1d(width, width, 1)
            stack.append(
                nn.Sequential(weight_norm(over_time), weight_norm(mix), nn.LeakyReLU(SLOPE))
            )
        self.layers = nn.ModuleList(stack)
        self.score = weight_norm(nn.Conv1d(width, 1, 3, padding=1))

    def forward(self, original: Tensor, decoded: Tensor) -> Verdict:
        return run_layers(both_spectra(original, decoded, self.size).flatten(1, 2), self)


class SpectrumScale(nn.Module):
    """A spectrum up to a frequency as a picture, through convolutions over frequency and time
    (after Défossez et al., 2022).

    A fourth channel says how high each bin is: without it, hiss at 9 kHz would look like hiss
    at 1 kHz. Pictures are made small before they are made deep, which a CPU can follow: with
    kernels of 9 bins and all frames to the end, a step took ten times as long. Where there are
    units for it, products are in bfloat16.
    """

    def __init__(self, size: int, bins: int, width: int) -> None:
        super().__init__()
        self.size, self.bins = size, bins
        wide = 2 * width
        shapes = [(4, width, (2, 1)), (width, wide, (2, 1)), (wide, wide, (2, 2))]
        self.layers = nn.ModuleList(
            nn.Sequential(
                weight_norm(nn.Conv2d(inside, outside, (5, 3), stride, (2, 1))), nn.LeakyReLU(SLOPE)
            )
            for inside, outside, stride in shapes
        )
        last = weight_norm(nn.Conv2d(wide, wide, 3, padding=1))
        self.layers.append(nn.Sequential(last, nn.LeakyReLU(SLOPE)))
        self.score = weight_norm(nn.Conv2d(wide, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, original: Tensor, decoded: Tensor) -> Verdict:
        spectra = both_spectra(original, decoded, self.size)[:, :, : self.bins]
        batch, _, bins, frames = spectra.shape
        height = torch.linspace(-1, 1, bins, device=spectra.device)[:, None]
        height = height.expand(batch, 1, bins, frames)
        pictures = torch.cat([spectra, height], dim=1)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        device = pictures.device.type
        with torch.autocast(device, torch.bfloat16, enabled=has_bf16_units(device)):
            return run_layers(pictures, self)


class BandScale(nn.Module):
    """Levels of bands as a picture, through convolutions over bands and time.

    Bands are as wide as the ear's, so a picture has a quarter of a spectrum's points or fewer, and
    a step costs a tenth. Long windows tell harmonics apart, short ones the pulses between them. No
    phase: what keeps that is left to the other losses.
    """

    def __init__(self, size: int, bands: int, width: int, sample_rate: int = 24_000) -> None:
        super().__init__()
        self.size = size
        shares = torch.from_numpy(mel_bands(sample_rate, size, bands)).float()
        self.bands: Tensor
        self.register_buffer("bands", shares / shares.sum(1, keepdim=True), persistent=False)
        height = torch.linspace(-1, 1, bands)[:, None]
        self.height: Tensor
        self.register_buffer("height", height, persistent=False)
        wide = 2 * width
        shapes = [(2, width, (1, 1)), (width, width, (2, 1)), (width, wide, (2, 2))]
        shapes.append((wide, wide, (2, 1)))
        self.layers = nn.ModuleList(
            nn.Sequential(
                weight_norm(nn.Conv2d(inside, outside, (5, 3), stride, (2, 1))), nn.LeakyReLU(SLOPE)
            )
            for inside, outside, stride in shapes
        )
        self.score = weight_norm(nn.Conv2d(2 * width, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, original: Tensor, decoded: Tensor) -> Verdict:
        pictures = torch.cat([self._picture(sound) for sound in (original, decoded)])
        device = pictures.device.type
        with torch.autocast(device, torch.bfloat16, enabled=has_bf16_units(device)):
            return run_layers(pictures.contiguous(memory_format=torch.channels_last), self)

    def _picture(self, sound: Tensor) -> Tensor:
        """Levels and heights [B, 2, bands, T] of [B, samples]."""
        power = torch.view_as_real(hann_stft(sound, self.size)).square().sum(-1)
        levels = (self.bands @ power / (self.size * 3 / 8) + FLOOR).pow(POWER / 2)
        return torch.stack([levels, self.height.expand_as(levels)], 1)


def run_layers(x: Tensor, scale: FrameScale | SpectrumScale | BandScale) -> Verdict:
    found = []
    for layer in [*scale.layers, scale.score]:
        x = layer(x)
        original, decoded = x.float().chunk(2)
        found.append((original, decoded))
    return found


@torch.no_grad()
def start_alive(layer: nn.Conv1d | nn.Conv2d) -> None:
    """Weights that keep the size of what passes (He et al., 2015). With torch's own, which shrink
    it in every layer, the discriminator of pictures had learned nothing after 500 steps."""
    layer.weight = nn.init.kaiming_normal_(torch.empty_like(layer.weight), SLOPE)
    assert layer.bias is not None, "every layer has one"
    layer.bias.zero_()


class Discriminator(nn.Module):
    """Several scales. Original and decoded sound [B, samples], divided by the level of the
    original, to the verdict of each scale."""

    def __init__(self, scales: list[FrameScale] | list[SpectrumScale] | list[BandScale]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
                start_alive(layer)

    def forward(self, original: Tensor, decoded: Tensor) -> list[Verdict]:
        return [scale(original, decoded) for scale in self.scales]


class FrameDiscriminator(Discriminator):
    """Cheap without units for bfloat16; soon fooled."""

    def __init__(self, sizes: tuple[int, ...] = (256, 512, 1024), width: int = 128) -> None:
        super().__init__([FrameScale(size, width) for size in sizes])


class SpectrumDiscriminator(Discriminator):
    """Sharper. Long windows look at the lower frequencies, where harmonics are."""

    def __init__(
        self,
        sizes: tuple[tuple[int, int], ...] = ((256, 129), (512, 171), (1024, 257)),
        width: int = 16,
    ) -> None:
        """`sizes` are those of windows, and how many of their bins are looked at."""
        super().__init__([SpectrumScale(size, bins, width) for size, bins in sizes])


class BandDiscriminator(Discriminator):
    """Nearly as sharp for a tenth of the work."""

    def __init__(
        self,
        sizes: tuple[tuple[int, int], ...] = ((256, 32), (512, 64), (1024, 128)),
        width: int = 32,
    ) -> None:
        """`sizes` are those of windows, and how many bands they have."""
        super().__init__([BandScale(size, bands, width) for size, bands in sizes])


DISCRIMINATORS: dict[str, type[FrameDiscriminator | SpectrumDiscriminator | BandDiscriminator]] = {
    "bands": BandDiscriminator,
    "frames": FrameDiscriminator,
    "spectra": SpectrumDiscriminator,
}
