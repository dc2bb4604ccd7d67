"""Discriminators of several scales, and their names in options."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.discriminators.scales import SLOPE, BandScale, FrameScale, SpectrumScale
from training.losses.adversarial import ScaleOutput


@torch.no_grad()
def initialize(layer: nn.Conv1d | nn.Conv2d) -> None:
    """Set weights that preserve the variance of activations (He et al., 2015).

    Torch's own initial weights shrink activations in every layer; with them `SpectrumDiscriminator`
    had learned nothing after 500 steps.
    """
    layer.weight = nn.init.kaiming_normal_(torch.empty_like(layer.weight), SLOPE)
    assert layer.bias is not None, "every layer has a bias"
    layer.bias.zero_()


class Discriminator(nn.Module):
    """Scales that look at the same sound with windows of different lengths."""

    def __init__(self, scales: list[FrameScale] | list[SpectrumScale] | list[BandScale]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        for layer in self.modules():
            if isinstance(layer, (nn.Conv1d, nn.Conv2d)):
                initialize(layer)

    def forward(self, original: Tensor, decoded: Tensor) -> list[ScaleOutput]:
        """Return the output of each scale for samples [B, T], both divided by the level of the
        original."""
        return [scale(original, decoded) for scale in self.scales]


class FrameDiscriminator(Discriminator):
    """Frames with bins as channels: cheap without units for bfloat16, but the Decoder soon fools
    it."""

    def __init__(self, sizes: tuple[int, ...] = (256, 512, 1024), width: int = 128) -> None:
        super().__init__([FrameScale(size, width) for size in sizes])


class SpectrumDiscriminator(Discriminator):
    """Spectra as images: more accurate. Long windows see only the low frequencies of harmonics."""

    def __init__(
        self,
        sizes: tuple[tuple[int, int], ...] = ((256, 129), (512, 171), (1024, 257)),
        width: int = 16,
    ) -> None:
        """Build a scale for each window length and number of bins in `sizes`."""
        super().__init__([SpectrumScale(size, bins, width) for size, bins in sizes])


class BandDiscriminator(Discriminator):
    """Mel bands as images: nearly as accurate as `SpectrumDiscriminator` at a tenth of the cost."""

    def __init__(
        self,
        sizes: tuple[tuple[int, int], ...] = ((256, 32), (512, 64), (1024, 128)),
        width: int = 32,
    ) -> None:
        """Build a scale for each window length and number of bands in `sizes`."""
        super().__init__([BandScale(size, bands, width) for size, bands in sizes])


DISCRIMINATORS: dict[str, type[FrameDiscriminator | SpectrumDiscriminator | BandDiscriminator]] = {
    "bands": BandDiscriminator,
    "frames": FrameDiscriminator,
    "spectra": SpectrumDiscriminator,
}
