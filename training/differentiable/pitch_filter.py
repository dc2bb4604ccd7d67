"""The pitch filter of `nacli/dsp/pitch_filter.py` with gradients.

Periods, strengths and the low-pass filter come from there; only the filtering is done in torch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nacli.dsp.periods import MARGIN, find_periods, low_pass
from nacli.dsp.pitch_filter import NEIGHBOUR_WEIGHT


class PitchFilter(nn.Module):
    """Filters clips that are whole streams: silence comes before and after them.

    Periods and strengths are measured, so no gradient passes through them. The module has no
    weights.
    """

    def __init__(self, hop: int) -> None:
        super().__init__()
        self._hop = hop
        self._lead = -(-MARGIN // hop) * hop
        self.taps: Tensor
        taps = torch.from_numpy(low_pass()).float()
        self.register_buffer("taps", taps.view(1, 1, -1), persistent=False)

    def forward(self, pcm: Tensor) -> Tensor:
        """Return the filtered samples [B, F * hop]."""
        padded = nn.functional.pad(pcm, (self._lead, self._lead)).unsqueeze(1)
        low = nn.functional.conv1d(padded, self.taps, padding="same").squeeze(1)
        return pcm + self._change(low, 0) + self._change(low, 1)

    def _change(self, low: Tensor, side: int) -> Tensor:
        """Return the change [B, F * hop] by averaging with the sound one period before (`side` 0)
        or after (1). In each hop, the change of one position fades into that of the next."""
        rows = low.detach().cpu().double().numpy()
        positions = np.arange(self._lead, low.shape[1] - self._lead + 1, self._hop)
        measured = [[x[:, side] for x in find_periods(row, positions)] for row in rows]
        shifts = torch.from_numpy(np.stack([shift for shift, _ in measured])).to(low.device)
        strengths = torch.from_numpy(np.stack([strength for _, strength in measured])).to(low)
        at = torch.from_numpy(positions[:-1, None] + np.arange(self._hop)).to(low.device)
        own = low[:, at]
        start, end = (
            NEIGHBOUR_WEIGHT
            * strengths[:, part, None]
            * (self._gather(low, at + shifts[:, part, None]) - own)
            for part in (slice(None, -1), slice(1, None))
        )
        ramp = torch.arange(self._hop, device=low.device) / self._hop
        return (start + ramp * (end - start)).flatten(1)

    @staticmethod
    def _gather(low: Tensor, positions: Tensor) -> Tensor:
        """Return the samples [B, F, hop] of each row [B, T] at its own positions."""
        return low.gather(1, positions.flatten(1)).view(positions.shape)
