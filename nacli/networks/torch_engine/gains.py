"""The gains of frames: each frame is divided by its gain, which the network gets as features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacli.config import GAIN_LEVELS, ModelConfig
from nacli.networks.torch_engine.layers import History


class GainScale(nn.Module):
    """The scale of gain indices: their amplitudes, and the features (the level and its change) that
    the network gets."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.floor, self.step = config.gain_floor_db, config.gain_step_db
        self.normalize = config.normalize
        self.feature = nn.Linear(2, config.width)
        nn.init.zeros_(self.feature.weight)
        nn.init.zeros_(self.feature.bias)

    def index(self, x: Tensor) -> Tensor:
        """Return the gain index [B, F] of each frame of transform coefficients [B, F, hop]."""
        rms = x.detach().square().mean(-1).sqrt()
        level = (20 * torch.log10(rms.clamp_min(1e-9)) - self.floor) / self.step
        return (torch.round(level) + 1).clamp(0, GAIN_LEVELS - 1).long()

    def amplitude(self, gains: Tensor) -> Tensor:
        """Return linear amplitudes [B, F, 1]. That of index 0 is exactly zero; all others are one
        where the configuration has no normalisation."""
        if not self.normalize:
            return (gains > 0).float().unsqueeze(-1)
        decibels = self.floor + self.step * (gains - 1)
        return (10 ** (decibels / 20) * (gains > 0)).unsqueeze(-1)

    def features(self, gains: Tensor, history: History) -> Tensor:
        """Return the level and its change since the previous frame, projected to [B, F, width]."""
        level = (gains.float() * self.step + self.floor + 40).unsqueeze(-1) / 20
        joined = history.extend(self, level, 1)
        return self.feature(torch.cat([level, level - joined[:, :-1]], dim=-1))
