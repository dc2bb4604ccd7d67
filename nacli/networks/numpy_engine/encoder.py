"""The Encoder network: it turns the samples of channels into latents and gains."""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.networks.gain_smoothing import smooth_gains
from nacli.networks.numpy_engine.activations import compress
from nacli.networks.numpy_engine.gains import GainScale
from nacli.networks.numpy_engine.layers import (
    History,
    State,
    frame_blocks,
    rows,
    subframe_blocks,
)
from nacli.networks.numpy_engine.samples import Downsampling
from nacli.networks.numpy_engine.weights import Weights
from nacli.types import Floats, Integers


class Encoder:
    """The network of `nacli.networks.torch_engine.Encoder`. The band scales are part of the weights
    of the adjacent layers."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self._config, self._gain = config, GainScale(config)
        self._down_samples = Downsampling(weights, config.strides[0])
        self._subframe = subframe_blocks(weights, config.subframe_blocks)
        halves = np.split(weights["down_subframes.weight"], 2)
        self._down_previous, self._down_current = halves
        scale = weights["band_scale"]
        shape = weights["project_in.weight"] / scale[:, None]
        self._project_in = np.concatenate([shape, weights["gain.feature.weight"]])
        self._bias_in = weights["project_in.bias"] + weights["gain.feature.bias"]
        self._layers = frame_blocks(weights, config.encoder_blocks)
        scale = scale[: config.latent_dim]
        self._project_out = weights["project_out.weight"] * scale
        self._bias_out = weights["project_out.bias"] * scale

    def coefficients(self, pcm: Floats, history: History) -> Floats:
        """Apply the learned analysis transform: samples [C, F * hop] to coefficients
        [F, C, hop]."""
        channels = zip(pcm, history.channels, strict=True)
        x = np.stack([self._subframes(*channel) for channel in channels], axis=1)
        y = rows(x) @ self._down_current
        y += rows(history.frames.extend(self, x, 1)[:-1]) @ self._down_previous
        return y.reshape(*x.shape[:2], -1)

    def _subframes(self, pcm: Floats, state: State) -> Floats:
        """Return the sub-frames of each frame [F, channels] of one channel's samples."""
        x = self._down_samples(pcm, state)
        for block in self._subframe:
            x = block(x, state)
        return x.reshape(-1, len(self._down_current))

    def gains(self, coefficients: Floats) -> Integers:
        """Return the smoothed gain indices [F, C] of coefficients [F, C, hop]."""
        return smooth_gains(self._gain.index(coefficients))

    def latents(self, coefficients: Floats, gains: Integers, history: History) -> Floats:
        """Return latents [F, C, D] of coefficients [F, C, hop] that are divided by these gains
        [F, C]."""
        state = history.frames
        amplitude = self._gain.amplitude(np.maximum(gains, 1))
        shape = compress(coefficients / amplitude, self._config.compand)
        inputs = np.concatenate([shape, self._gain.features(gains, state)], axis=2)
        x = rows(inputs) @ self._project_in
        x += self._bias_in
        x = x.reshape(*gains.shape, -1)
        for block in self._layers:
            x = block(x, state)
        return (rows(x) @ self._project_out + self._bias_out).reshape(*gains.shape, -1)
