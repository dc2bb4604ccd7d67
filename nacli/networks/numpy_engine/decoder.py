"""The Decoder network of one channel: latents, gains and stage counts to samples."""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.networks.numpy_engine.activations import expand
from nacli.networks.numpy_engine.gains import GainScale
from nacli.networks.numpy_engine.layers import State, frame_blocks, subframe_blocks
from nacli.networks.numpy_engine.samples import Upsampling
from nacli.networks.numpy_engine.weights import Weights
from nacli.types import Floats, Integers


class Decoder:
    """The network of `nacli.networks.torch_engine.Decoder`, with the scales of bands as part of the weights beside
    them, and all that it knows of a frame in one product."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config, self._gain = config, GainScale(config)
        scale = weights["band_scale"]
        own = weights.linear("project_in") / scale[: config.latent_dim, None]
        known = [own, *_lookahead(config, weights, scale), weights.linear("gain.feature")]
        self._project_in = np.concatenate(known)
        bias = weights["project_in.bias"] + weights["gain.feature.bias"]
        self._stages = weights["stage_feature.weight"] + bias
        self._layers = frame_blocks(weights, config.decoder_blocks)
        self._project_out = weights.linear("project_out") * scale
        self._bias_out = weights["project_out.bias"] * scale
        self._up_subframes = weights.linear("up_subframes")
        self._subframe = subframe_blocks(weights, config.subframe_blocks)
        self._up_samples = Upsampling(weights, config.strides[0])

    def __call__(self, latents: Floats, gains: Integers, counts: Integers, state: State) -> Floats:
        """Latents [F, D], gains and stage counts [F] to samples [F * hop]."""
        known, gains, counts = self._known(latents, gains, counts, state)
        x = np.concatenate([known, self._gain.features(gains, state)], axis=1) @ self._project_in
        x += self._stages[counts]
        for block in self._layers:
            x = block(x, state)
        shape = expand(x @ self._project_out + self._bias_out, self._config.compand)
        return self._sound(shape * self._gain.amplitude(gains), state)

    def _known(
        self, latents: Floats, gains: Integers, counts: Integers, state: State
    ) -> tuple[Floats, Integers, Integers]:
        """Latents [F, ...] with those of the frames after them, their levels against a frame's own,
        and their stages; and the gains and stage counts [F]: all as late as the Decoder looks
        ahead."""
        late, frames, dim = self._config.lookahead, len(latents), self._config.latent_dim
        if not late:
            return latents, gains, counts
        beside = np.stack([gains, counts], axis=1)
        joined = state.extend(self, np.concatenate([latents, beside], 1, dtype=np.float32), late)
        own = joined[:frames]
        parts = [own[:, :dim]]
        for later in (joined[n : n + frames] for n in range(1, late + 1)):
            levels, stages = later[:, [dim]] - own[:, [dim]], later[:, [dim + 1]]
            parts += [later[:, :dim], levels * np.float32(1 / 8), stages * np.float32(1 / 8)]
        gains, counts = own[:, dim:].astype(np.int32).T
        return np.concatenate(parts, axis=1), gains, counts

    def _sound(self, coefficients: Floats, state: State) -> Floats:
        """The learned synthesis transform: coefficients [F, hop] to samples [F * hop]."""
        first, second = np.split(coefficients @ self._up_subframes, 2, axis=1)
        x = first + state.extend((self, "overlap"), second, 1)[:-1]
        x = x.reshape(-1, self._config.subframe_channels)
        for block in self._subframe:
            x = block(x, state)
        return self._up_samples(x, state)


def _lookahead(config: ModelConfig, weights: Weights, scale: Floats) -> list[Floats]:
    """The weights of the frames after one, where the Decoder looks ahead. Latents come with their
    scale."""
    if not config.lookahead:
        return []
    rows = weights.linear("lookahead.layers.0").reshape(config.lookahead, -1, config.width)
    rows[:, : config.latent_dim] /= scale[: config.latent_dim, None]
    return [rows.reshape(-1, config.width)]
