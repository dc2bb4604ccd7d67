"""The harmonic filter as `nacli/dsp/pitch_filter.py` has it, through which gradients flow."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nacli.dsp.pitch_filter import MARGIN, find_periods, low_pass


class PitchFilter(nn.Module):
    """Clips are whole streams: what is before and after them is silence. Periods and strengths are
    found, not learned. Has no weights."""

    def __init__(self, hop: int) -> None:
        super().__init__()
        self._hop = hop
        self._lead = -(-MARGIN // hop) * hop
        self.taps: Tensor
        taps = torch.from_numpy(low_pass()).float()
        self.register_buffer("taps", taps.view(1, 1, -1), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        """Samples [B, F * hop] to as many."""
        padded = nn.functional.pad(pcm, (self._lead, self._lead)).unsqueeze(1)
        low = nn.functional.conv1d(padded, self.taps, padding="same").squeeze(1)
        return pcm + self._change(low, -1) + self._change(low, 1)

    def _change(self, low: Tensor, side: int) -> Tensor:
        """What averaging with the sound a period before (`side` -1) or after it changes."""
        rows = low.detach().cpu().double().numpy()
        places = np.arange(self._lead, low.shape[1] - self._lead + 1, self._hop)
        found = [find_periods(row, places, side) for row in rows]
        shifts = torch.from_numpy(np.stack([shift for shift, _ in found])).to(low.device)
        strengths = torch.from_numpy(np.stack([strength for _, strength in found])).to(low)
        at = torch.from_numpy(places[:-1, None] + np.arange(self._hop)).to(low.device)
        own = low[:, at]
        start, end = (
            strengths[:, part, None] / 4 * (self._at(low, at + shifts[:, part, None]) - own)
            for part in (slice(None, -1), slice(1, None))
        )
        ramp = torch.arange(self._hop, device=low.device) / self._hop
        return (start + ramp * (end - start)).flatten(1)

    @staticmethod
    def _at(low: Tensor, places: Tensor) -> Tensor:
        """Samples [B, F, hop] of each row [B, T] at its own places."""
        return low.gather(1, places.flatten(1)).view(places.shape)
