"""The Decoder's look-ahead: its output for a frame also depends on a few frames after it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.torch_engine.layers import History


class Lookahead(nn.Module):
    """A delay of the Decoder's inputs by `config.lookahead` frames, and a linear layer that gives
    the network features of these frames.

    All other layers stay causal, because only their input is delayed; the first delayed frames of a
    stream are silent. Before training, the features are zero.
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
        """Delay the inputs of the Decoder and describe the frames that follow.

        Returns:
            delayed latents [B, F, D], gains and stage counts [B, F], and features [B, F, width],
            which are made of the latents, gain differences and stage counts of the frames after
            each frame.
        """
        if not self.frames:
            return latents, gains, stages, latents.new_zeros(())
        side = torch.stack([gains, stages], -1).to(latents)
        joined = history.extend(self, torch.cat([latents, side], -1), self.frames)
        windows = joined.unfold(1, self.frames + 1, 1).mT[:, -latents.shape[1] :]  # [B, F, n, D]
        now, later = windows[:, :, 0], windows[:, :, 1:]
        differences = (later[..., -2:-1] - now[:, :, None, -2:-1]) / 8
        inputs = torch.cat([later[..., :-2], differences, later[..., -1:] / 8], -1)
        delayed, (gain, count) = now[..., :-2], now[..., -2:].long().unbind(-1)
        return delayed, gain, count, self.layers[0](inputs.flatten(2))
