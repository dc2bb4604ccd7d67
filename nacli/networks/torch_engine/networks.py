"""The Encoder and Decoder networks: they turn samples into latents and gains, and back."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nacli.config import ModelConfig
from nacli.networks.gain_smoothing import smooth_gains
from nacli.networks.torch_engine.gains import GainScale
from nacli.networks.torch_engine.layers import (
    FeatureLayers,
    History,
    frame_layers,
    pair_layers,
    run,
    subframe_layers,
)
from nacli.networks.torch_engine.lookahead import Lookahead
from nacli.networks.torch_engine.transform import (
    compress,
    emphasis,
    expand,
    linear_from,
    mdct_basis,
    spread,
)
from nacli.networks.torch_engine.upsampling import upsampling


class Encoder(nn.Module):
    """The network that turns samples [B, F * hop] into latents [B, F, D] and gain indices [B, F].

    Frame f depends on samples up to the end of hop f; its transform covers hops f - 1 and f. Inside
    the network, all coefficients have a similar magnitude: each frame is divided by its gain and
    companded, and each coefficient is divided by its typical magnitude `band_scale` [hop]. Without
    this, slight leakage between bands would mask the weak high bands with the strong low bands.
    Latents have their original magnitudes again.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        samples, channels = config.strides[0], config.subframe_channels
        features = config.feature_channels
        self.features = FeatureLayers(1, features)
        polyphase = torch.randn(channels, samples, features) / math.sqrt(samples * features)
        polyphase[:samples] = 0
        polyphase[:samples, :, 0] = torch.eye(samples)
        self.down_samples = linear_from(polyphase.flatten(1))
        self.subframe = subframe_layers(config)
        self.pair = pair_layers(config)
        self.down_subframes = linear_from(spread(mdct_basis(config.hop), config))
        self.gain = GainScale(config)
        self.band_scale: Tensor
        self.register_buffer("band_scale", torch.ones(config.hop))
        self.project_in = linear_from(torch.eye(config.width, config.hop), bias=True)
        self.layers = frame_layers(config, config.encoder_blocks)
        weights = emphasis(config).diag()
        self.project_out = linear_from(weights @ torch.eye(config.latent_dim, config.width), True)

    def forward(self, pcm: Tensor, history: History) -> tuple[Tensor, Tensor]:
        """Return latents [B, F, D] and gain indices [B, F] of samples [B, F * hop]."""
        coefficients = self.transform(pcm, history)
        gains = _smoothed(self.gain.index(coefficients))
        return self.latents(coefficients, gains, history), gains

    def latents(self, coefficients: Tensor, gains: Tensor, history: History) -> Tensor:
        """Return the latents [B, F, D] of coefficients [B, F, hop] with the gains [B, F]."""
        shape = compress(
            coefficients / self.gain.amplitude(gains.clamp_min(1)), self.config.compand
        )
        x = self.project_in(shape / self.band_scale) + self.gain.features(gains, history)
        x = self.project_out(run(self.layers, x, history))
        return x * self.band_scale[: x.shape[-1]]

    def transform(self, pcm: Tensor, history: History) -> Tensor:
        """Apply the learned analysis transform: samples [B, F * hop] to coefficients
        [B, F, hop]."""
        samples, per_frame = self.config.strides
        x = self.features(pcm.unsqueeze(-1), history)
        x = self.down_samples(x.unflatten(1, (-1, samples)).flatten(2))
        x = run([*self.subframe, *self.pair], x, history)
        x = x.unflatten(1, (-1, per_frame)).flatten(2)
        joined = history.extend(self.down_subframes, x, 1)
        return self.down_subframes(torch.cat([joined[:, :-1], x], dim=-1))


class Decoder(nn.Module):
    """The network that turns latents [B, F, D], gain indices [B, F] and stage counts [B, F] into
    samples [B, F * hop].

    Its output is the encoder's input with a delay of one hop plus `config.lookahead` frames.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.band_scale: Tensor
        self.register_buffer("band_scale", torch.ones(config.hop))
        weights = (1 / emphasis(config)).diag()
        self.project_in = linear_from(torch.eye(config.width, config.latent_dim) @ weights, True)
        self.gain = GainScale(config)
        self.stage_feature = nn.Embedding(config.stages + 1, config.width)
        nn.init.zeros_(self.stage_feature.weight)
        self.lookahead = Lookahead(config)
        self.layers = frame_layers(config, config.decoder_blocks)
        self.project_out = linear_from(torch.eye(config.hop, config.width), bias=True)
        self.up_subframes = linear_from(spread(mdct_basis(config.hop), config).T.contiguous())
        self.pair = pair_layers(config)
        self.subframe = subframe_layers(config)
        self.up_samples = upsampling(config)
        self.features = FeatureLayers(config.feature_channels, 1)

    def forward(self, latents: Tensor, gains: Tensor, stages: Tensor, history: History) -> Tensor:
        """Return samples [B, F * hop] of latents [B, F, D], gains and stage counts [B, F]."""
        return self.decode(latents, gains, stages, history)[0]

    def decode(
        self, latents: Tensor, gains: Tensor, stages: Tensor, history: History
    ) -> tuple[Tensor, Tensor]:
        """Return the samples of `forward`, and features [B, F, width] of the same frames: the
        inputs of `project_out`."""
        coefficients, features = self.coefficients(latents, gains, stages, history)
        return self.inverse_transform(coefficients, history), features

    def coefficients(
        self, latents: Tensor, gains: Tensor, stages: Tensor, history: History
    ) -> tuple[Tensor, Tensor]:
        """Return the coefficients [B, F, hop], to which the inverse transform is applied, and the
        features [B, F, width] that they are made of."""
        latents = latents / self.band_scale[: latents.shape[-1]]
        latents, gains, stages, later = self.lookahead(latents, gains, stages, history)
        x = self.project_in(latents) + later
        x = x + self.gain.features(gains, history) + self.stage_feature(stages)
        features = run(self.layers, x, history)
        shape = expand(self.project_out(features) * self.band_scale, self.config.compand)
        return shape * self.gain.amplitude(gains), features

    def inverse_transform(self, coefficients: Tensor, history: History) -> Tensor:
        """Apply the learned synthesis transform: coefficients [B, F, hop] to samples
        [B, F * hop]."""
        per_frame = self.config.strides[1]
        x = self.up_subframes(coefficients)
        joined = history.extend(self.up_subframes, x, 1)
        first, second = joined[:, 1:].chunk(2, dim=-1)[0], joined[:, :-1].chunk(2, dim=-1)[1]
        x = (first + second).unflatten(2, (per_frame, -1)).flatten(1, 2)
        x = run([*self.pair, *self.subframe], x, history)
        return self.features(self.up_samples(x, history), history).squeeze(-1)


def _smoothed(gains: Tensor) -> Tensor:
    """Return smoothed gain indices [B, F], which have no gradient."""
    return torch.from_numpy(smooth_gains(gains.cpu().numpy().T).T).to(gains)
