"""The NumPy engine: it runs the two networks on the channels of streams, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nacli.config import ModelConfig
from nacli.networks.engines import runs_in_numpy
from nacli.networks.numpy_engine.decoder import Decoder
from nacli.networks.numpy_engine.encoder import Encoder
from nacli.networks.numpy_engine.layers import History
from nacli.networks.numpy_engine.weights import check_weights, float_weights
from nacli.types import Floats, Integers

BLOCK = 152
"""Frames of all channels that pass through the layers at a time. Longer inputs are split, so that
they need no more memory and matrix products stay in the cache."""


class NumpyNetworks:
    """The Encoder and Decoder networks, each of which is prepared when it first runs. Channels
    do not depend on each other; they share the products of layers on frames."""

    def __init__(self, config: ModelConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Raises `ValueError` where the tensors do not fit the configuration, or where it has
        layers that only the torch engine has."""
        if not runs_in_numpy(config):
            raise ValueError("the NumPy engine does not have all layers of the configuration")
        check_weights(config, tensors)
        self._config, self._tensors = config, tensors

    @cached_property
    def encoder(self) -> Encoder:
        """The Encoder network."""
        return Encoder(self._config, float_weights(self._tensors, "encoder."))

    @cached_property
    def decoder(self) -> Decoder:
        """The Decoder network."""
        return Decoder(self._config, float_weights(self._tensors, "decoder."))

    def new_history(self) -> History:
        """Return the state of a new stream."""
        return History()

    def analyze(self, pcm: Floats, history: History) -> tuple[Floats, Integers]:
        """Return latents [C, F, D] and gain indices [C, F] of samples [C, F * hop] at 24 kHz."""
        hop, encoder = self._config.hop, self.encoder
        history.open(len(pcm))
        blocks = list(_blocks(len(pcm), pcm.shape[1] // hop))
        samples = (pcm[:, block.start * hop : block.stop * hop] for block in blocks)
        coefficients = np.concatenate([encoder.coefficients(part, history) for part in samples])
        gains = encoder.gains(coefficients)
        latents = [encoder.latents(coefficients[b], gains[b], history) for b in blocks]
        return _by_channel(np.concatenate(latents)), _by_channel(gains)

    def synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> Floats:
        """Return samples [C, F * hop] at 24 kHz, decoded from latents [C, F, D], gain indices and
        stage counts [C, F]. Their delay is one hop plus the Decoder's look-ahead."""
        blocks = self._synthesize(latents, gains, counts, history)
        return np.concatenate([pcm for pcm, _ in blocks], axis=1)

    def synthesize_with_features(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> tuple[Floats, Floats]:
        """Return the samples of `synthesize`, and the Decoder's features [C, F, width] of the same
        frames: what its last layer makes coefficients of."""
        pcm, features = zip(*self._synthesize(latents, gains, counts, history), strict=True)
        return np.concatenate(pcm, axis=1), _by_channel(np.concatenate(features))

    def _synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield samples [C, F * hop] and features [F, C, width], block by block."""
        history.open(len(latents))
        latents, gains, counts = latents.swapaxes(0, 1), gains.swapaxes(0, 1), counts.swapaxes(0, 1)
        for b in _blocks(latents.shape[1], len(latents)):
            yield self.decoder(latents[b], gains[b], counts[b], history)


def _blocks(channels: int, frames: int) -> Iterator[slice]:
    """Yield slices that cover all `frames`, each of at most BLOCK frames of all channels
    together."""
    size = max(1, BLOCK // channels)
    for start in range(0, frames, size):
        yield slice(start, min(start + size, frames))


def _by_channel(frames: NDArray[Any]) -> NDArray[Any]:
    """Return the values [C, F, ...] of frames [F, C, ...]."""
    return np.ascontiguousarray(frames.swapaxes(0, 1))
