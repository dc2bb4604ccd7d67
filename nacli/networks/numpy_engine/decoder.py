"""The Decoder network: it turns the latents, gains and stage counts of channels into samples."""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.networks.numpy_engine.activations import expand
from nacli.networks.numpy_engine.gains import GainScale
from nacli.networks.numpy_engine.layers import (
    History,
    State,
    frame_blocks,
    rows,
    subframe_blocks,
)
from nacli.networks.numpy_engine.samples import Upsampling
from nacli.networks.numpy_engine.weights import Weights
from nacli.types import Floats, Integers


class Decoder:
    """The network of `nacli.networks.torch_engine.Decoder`.

    The band scales are part of the weights of the adjacent layers, and the input layers (latents,
    look-ahead, gain features) are one matrix product.
    """

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config, self._gain = config, GainScale(config)
        scale = weights["band_scale"]
        latents = weights["project_in.weight"] / scale[: config.latent_dim, None]
        later = _lookahead_weights(config, weights, scale)
        self._project_in = np.concatenate([latents, *later, weights["gain.feature.weight"]])
        bias = weights["project_in.bias"] + weights["gain.feature.bias"]
        self._stages = weights["stage_feature.weight"] + bias
        self._layers = frame_blocks(weights, config.decoder_blocks)
        self._project_out = weights["project_out.weight"] * scale
        self._bias_out = weights["project_out.bias"] * scale
        self._up_subframes = weights["up_subframes.weight"]
        self._subframe = subframe_blocks(weights, config.subframe_blocks)
        self._up_samples = Upsampling(weights, config.strides[0])

    def __call__(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> tuple[Floats, Floats]:
        """Return samples [C, F * hop], decoded from latents [F, C, D], gains and stage counts
        [F, C], and features [F, C, width] of the same frames: the inputs of the last layer on
        frames."""
        state = history.frames
        inputs, gains, counts = self._with_lookahead(latents, gains, counts, state)
        inputs = np.concatenate([inputs, self._gain.features(gains, state)], axis=2)
        x = (rows(inputs) @ self._project_in).reshape(*gains.shape, -1)
        x += self._stages[counts]
        for block in self._layers:
            x = block(x, state)
        shape = expand(rows(x) @ self._project_out + self._bias_out, self._config.compand)
        coefficients = shape.reshape(*gains.shape, -1) * self._gain.amplitude(gains)
        return self._inverse_transform(coefficients, history), x

    def _with_lookahead(
        self, latents: Floats, gains: Integers, counts: Integers, state: State
    ) -> tuple[Floats, Integers, Integers]:
        """Delay the inputs by the Decoder's look-ahead and describe the frames that follow.

        Returns:
            latents [F, C, D * (1 + L) + 2 * L]: of each frame, then for each of the L frames after
            it their latents, gain difference and stage count; and gains and stage counts [F, C].
        """
        lookahead, frames, dim = self._config.lookahead, len(latents), self._config.latent_dim
        if not lookahead:
            return latents, gains, counts
        side = np.stack([gains, counts], axis=2)
        inputs = np.concatenate([latents, side], 2, dtype=np.float32)
        joined = state.extend(self, inputs, lookahead)
        delayed = joined[:frames]
        parts = [delayed[..., :dim]]
        for later in (joined[n : n + frames] for n in range(1, lookahead + 1)):
            difference, stages = later[..., [dim]] - delayed[..., [dim]], later[..., [dim + 1]]
            parts += [later[..., :dim], difference * np.float32(1 / 8), stages * np.float32(1 / 8)]
        gains, counts = np.moveaxis(delayed[..., dim:].astype(np.int32), 2, 0)
        return np.concatenate(parts, axis=2), gains, counts

    def _inverse_transform(self, coefficients: Floats, history: History) -> Floats:
        """Apply the learned synthesis transform: coefficients [F, C, hop] to samples
        [C, F * hop]."""
        halves = (rows(coefficients) @ self._up_subframes).reshape(*coefficients.shape[:2], -1)
        first, second = np.split(halves, 2, axis=2)
        x = first + history.frames.extend((self, "overlap"), second, 1)[:-1]
        channels = zip(x.swapaxes(0, 1), history.channels, strict=True)
        return np.stack([self._samples(*channel) for channel in channels])

    def _samples(self, x: Floats, state: State) -> Floats:
        """Return one channel's samples [F * hop] of the sub-frames of each frame [F, channels]."""
        x = x.reshape(-1, self._config.subframe_channels)
        for block in self._subframe:
            x = block(x, state)
        return self._up_samples(x, state)


def _lookahead_weights(config: ModelConfig, weights: Weights, scale: Floats) -> list[Floats]:
    """Return the weights of the look-ahead layer [inputs, width], divided by the band scales; an
    empty list where the Decoder has no look-ahead."""
    if not config.lookahead:
        return []
    rows = weights["lookahead.layers.0.weight"].reshape(config.lookahead, -1, config.width)
    rows[:, : config.latent_dim] /= scale[: config.latent_dim, None]
    return [rows.reshape(-1, config.width)]
