"""Scales of discriminators: each looks at spectra of one window length.

Spectra enter as real and imaginary parts and the magnitude, all compressed by the exponent 0.3.
Without compression the bands above 4 kHz, where decoded sound is dull, would be 40 dB under the
low ones; a logarithm would lose the phase. The magnitude is an input of its own because no first
layer can compute it from the other two.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from nacli.bench.metrics import mel_bands
from nacli.config import CODED_RATE
from training.losses.adversarial import ScaleOutput
from training.losses.spectra import COMPRESSION, FLOOR, hann_stft, window_energy
from training.precision import has_bf16_units

SLOPE = 0.1
"""Slope of the leaky rectifiers for negative inputs."""


def compressed_spectrum(sound: Tensor, size: int) -> Tensor:
    """Return compressed magnitude, real and imaginary parts [B, 3, F, T] of samples [B, T']."""
    spectrum = hann_stft(sound, size) / window_energy(size) ** 0.5
    energy = torch.view_as_real(spectrum).square().sum(-1) + FLOOR
    shrink = energy.pow((COMPRESSION - 1) / 2)
    return torch.stack([energy.sqrt() * shrink, spectrum.real * shrink, spectrum.imag * shrink], 1)


def both_spectra(original: Tensor, decoded: Tensor, size: int) -> Tensor:
    """Return the spectra of original and decoded sound, one after the other [2 * B, 3, F, T].

    They are computed apart, as only the decoded sound needs gradients.
    """
    return torch.cat([compressed_spectrum(sound, size) for sound in (original, decoded)])


class FrameScale(nn.Module):
    """Convolutions over time, with the bins of each frame as channels.

    Kernels over time are grouped, and layers of kernel 1 mix the groups. Most of the work is in
    the first layer; it costs the same at every scale, as fewer frames have more bins.
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

    def forward(self, original: Tensor, decoded: Tensor) -> ScaleOutput:
        return run_layers(both_spectra(original, decoded, self.size).flatten(1, 2), self)


class SpectrumScale(nn.Module):
    """Convolutions over frequency and time on the lowest `bins` bins of a spectrum (after Défossez
    et al., 2022).

    A fourth channel is the height of each bin: without it, hiss at 9 kHz would look like hiss at
    1 kHz. The first layers reduce the size before later ones add channels, which keeps the cost
    on a CPU low: with kernels of 9 bins and all frames to the end, a step took ten times as long.
    Products are in bfloat16 where the device has units for it.
    """

    def __init__(self, size: int, bins: int, width: int) -> None:
        super().__init__()
        self.size, self.bins = size, bins
        wide = 2 * width
        self.layers = strided_layers(
            [(4, width, (2, 1)), (width, wide, (2, 1)), (wide, wide, (2, 2))]
        )
        last = weight_norm(nn.Conv2d(wide, wide, 3, padding=1))
        self.layers.append(nn.Sequential(last, nn.LeakyReLU(SLOPE)))
        self.score = weight_norm(nn.Conv2d(wide, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, original: Tensor, decoded: Tensor) -> ScaleOutput:
        spectra = both_spectra(original, decoded, self.size)[:, :, : self.bins]
        batch, _, bins, frames = spectra.shape
        height = torch.linspace(-1, 1, bins, device=spectra.device)[:, None]
        height = height.expand(batch, 1, bins, frames)
        return run_images(torch.cat([spectra, height], dim=1), self)


class BandScale(nn.Module):
    """Convolutions over bands and time on compressed band energies.

    Mel bands give a quarter of a spectrum's points or fewer, and a step costs a tenth. Long
    windows resolve harmonics, short ones the glottal pulses. The phase is left to other losses.
    """

    def __init__(self, size: int, bands: int, width: int, sample_rate: int = CODED_RATE) -> None:
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
        self.layers = strided_layers([*shapes, (wide, wide, (2, 1))])
        self.score = weight_norm(nn.Conv2d(wide, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, original: Tensor, decoded: Tensor) -> ScaleOutput:
        return run_images(torch.cat([self._image(sound) for sound in (original, decoded)]), self)

    def _image(self, sound: Tensor) -> Tensor:
        """Return compressed band magnitudes and heights [B, 2, bands, T] of samples [B, T']."""
        power = torch.view_as_real(hann_stft(sound, self.size)).square().sum(-1)
        magnitudes = (self.bands @ power / window_energy(self.size) + FLOOR).pow(COMPRESSION / 2)
        return torch.stack([magnitudes, self.height.expand_as(magnitudes)], 1)


def strided_layers(shapes: list[tuple[int, int, tuple[int, int]]]) -> nn.ModuleList:
    """Return convolutions with kernels of 5 bands and 3 frames; a shape gives the channels in and
    out and the stride."""
    return nn.ModuleList(
        nn.Sequential(
            weight_norm(nn.Conv2d(inside, outside, (5, 3), stride, (2, 1))), nn.LeakyReLU(SLOPE)
        )
        for inside, outside, stride in shapes
    )


def run_images(images: Tensor, scale: SpectrumScale | BandScale) -> ScaleOutput:
    """Run the layers of a scale on images [2 * B, C, H, T], in bfloat16 where that is fast."""
    device = images.device.type
    with torch.autocast(device, torch.bfloat16, enabled=has_bf16_units(device)):
        return run_layers(images.contiguous(memory_format=torch.channels_last), scale)


def run_layers(x: Tensor, scale: FrameScale | SpectrumScale | BandScale) -> ScaleOutput:
    """Run the layers of a scale on original and decoded spectra together [2 * B, ...]."""
    outputs = []
    for layer in [*scale.layers, scale.score]:
        x = layer(x)
        original, decoded = x.float().chunk(2)
        outputs.append((original, decoded))
    return outputs
