"""Bands of transform coefficients, their levels, and trims, which correct these.

A quantiser at a low rate keeps the waveform of what is strong and loses the energy of the rest.
What the ear minds more is the level of every band, so that is coded apart: once in a few frames (a
span) a code says by how much the bands that the Decoder makes differ from the original's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacli.config import ModelConfig

LEAST, MOST = -1.0, 1.8
"""Of a trim, in natural logarithms of amplitudes: -9 to 16 dB."""
FLOOR, SILENCE = 1e-3, 1e-9
"""Of a span's mean energy, and of full scale: bands that are weaker are not worth a correction."""


class Bands(nn.Module):
    """Which coefficients belong to which band; has no weights."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        widths = torch.tensor(config.band_edges).diff()
        self.count, self.frames = len(widths), config.trim_frames
        self.place: Tensor
        self.means: Tensor
        place = torch.arange(self.count).repeat_interleave(widths)
        self.register_buffer("place", place, persistent=False)
        means = nn.functional.one_hot(place, self.count).float() / widths
        self.register_buffer("means", means, persistent=False)

    def energies(self, coefficients: Tensor) -> Tensor:
        """Mean energy of each band [B, F, bands] of coefficients [B, F, hop].

        One frame of an MDCT has a tone anywhere between all of its energy and none. The difference
        of a coefficient's neighbours makes up for that (Daudet and Sandler, 2004).
        """
        padded = nn.functional.pad(coefficients, (1, 1))
        beside = padded[..., 2:] - padded[..., :-2]
        return (coefficients.square() + beside.square()) @ self.means

    def spans(self, energies: Tensor) -> Tensor:
        """Energies [B, F, bands] averaged over spans [B, S, bands]; the last may be short."""
        missing = -energies.shape[1] % self.frames
        sums = (
            nn.functional.pad(energies, (0, 0, 0, missing)).unflatten(1, (-1, self.frames)).sum(2)
        )
        lengths = torch.full((sums.shape[1], 1), float(self.frames), device=sums.device)
        lengths[-1:] -= missing
        return sums / lengths

    def wanted(self, original: Tensor, decoded: Tensor) -> Tensor:
        """Trims [B, S, bands] that give decoded bands the original's energies [B, F, bands]."""
        first, second = self.spans(original), self.spans(decoded)
        floor = FLOOR * first.mean(-1, keepdim=True) + SILENCE
        return (0.5 * torch.log((first + floor) / (second + floor))).clamp(LEAST, MOST)

    def spread(self, trims: Tensor, frames: int) -> Tensor:
        """Trims of spans [B, S, bands] to trims of frames [B, F, bands], without steps between
        spans."""
        stepped, reach = trims.repeat_interleave(self.frames, dim=1)[:, :frames], self.frames // 2
        padded = nn.functional.pad(stepped.mT, (reach, reach), mode="replicate")
        return nn.functional.avg_pool1d(padded, 2 * reach + 1, stride=1).mT

    def trim(self, coefficients: Tensor, trims: Tensor) -> Tensor:
        """Coefficients [B, F, hop] with their bands corrected by trims [B, F, bands]."""
        return coefficients * trims.exp()[..., self.place]
