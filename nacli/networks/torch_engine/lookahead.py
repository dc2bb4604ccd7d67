"""Frames that come next tell the Decoder what a frame is: it waits for some of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.torch_engine.layers import History


class Lookahead(nn.Module):
    """Delays the Decoder's input by `config.lookahead` frames, and says what lies in them.

    Layers stay causal, and streams of any blocks stay alike: it is their input that is late. The
    first frames of a stream are silence. What comes next counts for nothing before training.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.frames = config.lookahead
        self.layers = nn.ModuleList()
        if self.frames:
            inputs = self.frames * (config.latent_dim + 2)
            layer = nn.Linear(inputs, config.width, bias=False)
            nn.init.zeros_(layer.weight)
            self.layers.append(layer)

    def forward(
        self, latents: Tensor, gains: Tensor, stages: Tensor, history: History
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Latents [B, F, D], gains and stage counts [B, F], all so many frames late, and features
        [B, F, width] of the frames after each: their latents, levels against its own, and stages.
        """
        if not self.frames:
            return latents, gains, stages, latents.new_zeros(())
        beside = torch.stack([gains, stages], -1).to(latents)
        joined = history.extend(self, torch.cat([latents, beside], -1), self.frames)
        windows = joined.unfold(1, self.frames + 1, 1).mT[:, -latents.shape[1] :]  # [B, F, n, D]
        now, later = windows[:, :, 0], windows[:, :, 1:]
        levels = (later[..., -2:-1] - now[:, :, None, -2:-1]) / 8
        known = torch.cat([later[..., :-2], levels, later[..., -1:] / 8], -1)
        delayed, (gain, count) = now[..., :-2], now[..., -2:].long().unbind(-1)
        return delayed, gain, count, self.layers[0](known.flatten(2))
