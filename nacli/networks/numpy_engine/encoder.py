"""The Encoder network of one channel: it turns samples into latents and gains."""

from __future__ import annotations

import numpy as np

from nacli.config import ModelConfig
from nacli.networks.gain_smoothing import smooth_gains
from nacli.networks.numpy_engine.activations import compress
from nacli.networks.numpy_engine.gains import GainScale
from nacli.networks.numpy_engine.layers import State, frame_blocks, subframe_blocks
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
        halves = np.split(weights.linear("down_subframes"), 2)
        self._down_previous, self._down_current = halves
        scale = weights["band_scale"]
        shape = weights.linear("project_in") / scale[:, None]
        self._project_in = np.concatenate([shape, weights.linear("gain.feature")])
        self._bias_in = weights["project_in.bias"] + weights["gain.feature.bias"]
        self._layers = frame_blocks(weights, config.encoder_blocks)
        scale = scale[: config.latent_dim]
        self._project_out = weights.linear("project_out") * scale
        self._bias_out = weights["project_out.bias"] * scale

    def coefficients(self, pcm: Floats, state: State) -> Floats:
        """Apply the learned analysis transform: samples [F * hop] to coefficients [F, hop]."""
        x = self._down_samples(pcm, state)
        for block in self._subframe:
            x = block(x, state)
        x = x.reshape(-1, len(self._down_current))
        y = x @ self._down_current
        y += state.extend(self, x, 1)[:-1] @ self._down_previous
        return y

    def gains(self, coefficients: Floats) -> Integers:
        """Return the smoothed gain indices [F] of coefficients [F, hop]."""
        return smooth_gains(self._gain.index(coefficients)[:, None])[:, 0]

    def latents(self, coefficients: Floats, gains: Integers, state: State) -> Floats:
        """Return latents [F, D] of coefficients [F, hop] that are divided by these gains [F]."""
        amplitude = self._gain.amplitude(np.maximum(gains, 1))
        shape = compress(coefficients / amplitude, self._config.compand)
        inputs = np.concatenate([shape, self._gain.features(gains, state)], axis=1)
        x = inputs @ self._project_in
        x += self._bias_in
        for block in self._layers:
            x = block(x, state)
        return x @ self._project_out + self._bias_out
