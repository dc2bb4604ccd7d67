"""Band energies and envelope corrections with gradients.

`nacli/dsp/filterbank.py` and `nacli/envelope/correction_filter.py` do the same in NumPy. Windows,
bands, limits and floors come from there, so that nothing is defined twice.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.dsp.filterbank import (
    MAX_CORRECTION,
    MIN_CORRECTION,
    SILENCE_ENERGY,
    bark_spectra,
    relative_floor,
)
from nacli.envelope.correction_filter import SMOOTHING


class BandCorrection(nn.Module):
    """Measures band energies, computes the corrections that restore the original's, applies them.

    Clips are whole streams: silence comes before and after them. The module has no weights.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self._hop, self._span = config.hop, config.correction_frames
        spectra = bark_spectra(config.hop, config.sample_rate)
        self.window: Tensor
        self.means: Tensor
        self.band_weights: Tensor
        for name in ("window", "means", "band_weights"):
            values: np.ndarray = getattr(spectra, name)
            self.register_buffer(name, torch.from_numpy(values.copy()), persistent=False)

    def spectra(self, pcm: Tensor) -> Tensor:
        """Return two spectra for each hop [B, 2 F, bins] of samples [B, F * hop]: the one that the
        hop completes, and its own."""
        padded = nn.functional.pad(pcm, (self._hop // 2, 0))
        return torch.fft.rfft(padded.unfold(1, self._hop, self._hop // 2) * self.window)

    def energies(self, pcm: Tensor) -> Tensor:
        """Return the band energies [B, F, BANDS] of the hops of samples [B, F * hop]."""
        power = torch.view_as_real(self.spectra(pcm)).square().sum(-1)
        return (power @ self.means).unflatten(1, (-1, 2)).mean(2)

    def targets(self, original: Tensor, decoded: Tensor) -> Tensor:
        """Return the corrections [B, S, BANDS] that give decoded spans the original's energies.

        Args:
            original, decoded: band energies [B, F, BANDS].
        """
        missing = -original.shape[1] % self._span
        lengths = torch.full((original.shape[1] // self._span + (missing > 0), 1), self._span)
        lengths[-1:] -= missing
        first, second = (
            nn.functional.pad(x, (0, 0, 0, missing)).unflatten(1, (-1, self._span)).sum(2) / lengths
            for x in (original, decoded)
        )
        floor = relative_floor(self._span) * first.mean(-1, keepdim=True) + SILENCE_ENERGY
        return (0.5 * torch.log((first + floor) / (second + floor))).clamp(
            MIN_CORRECTION, MAX_CORRECTION
        )

    def apply_corrections(self, pcm: Tensor, corrections: Tensor) -> Tensor:
        """Return samples [B, F * hop] whose bands are changed by corrections of spans
        [B, S, BANDS]."""
        stepped = corrections.repeat_interleave(2 * self._span, dim=1)[
            :, : pcm.shape[1] // self._hop * 2
        ]
        padded = nn.functional.pad(stepped.mT, (1, 1), mode="replicate").mT
        before, own, after = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
        smooth = (before + SMOOTHING * own + after) / (SMOOTHING + 2)
        changed = self.spectra(pcm) * (smooth.exp() @ self.band_weights)
        first, second = (torch.fft.irfft(changed, self._hop) * self.window).chunk(2, dim=-1)
        # the last half hop of a clip has no second window: it stays as it is
        middle = second[:, :-1] + first[:, 1:]
        return torch.cat([middle.flatten(1), pcm[:, -self._hop // 2 :]], dim=1)
