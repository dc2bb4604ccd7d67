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
from nacli.networks.numpy_engine.layers import State
from nacli.networks.numpy_engine.weights import Weights, check_weights
from nacli.types import Floats, Integers

BLOCK = 150
"""Frames that pass through the layers at a time. Longer inputs are split, so that they need no more
memory and matrix products stay in the cache."""


class History:
    """The state of a stream: one `State` per channel."""

    def __init__(self) -> None:
        self._channels: list[State] = []

    def copy(self) -> History:
        """Return an independent state that continues from the same point."""
        copied = History()
        copied._channels = [state.copy() for state in self._channels]
        return copied

    def channels(self, count: int) -> list[State]:
        """Return the states of all channels; `count` is the same in each call."""
        self._channels = self._channels or [State() for _ in range(count)]
        return self._channels


class NumpyNetworks:
    """The Encoder and Decoder networks, each of which is prepared when it first runs. Channels
    do not depend on each other."""

    def __init__(self, config: ModelConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Raises `ValueError` where the tensors do not fit the configuration, or where it has
        layers that only the torch engine has."""
        if not runs_in_numpy(config):
            raise ValueError("the NumPy engine does not have all layers of the configuration")
        check_weights(config, tensors)
        self._config, self._weights = config, Weights(tensors)

    @cached_property
    def encoder(self) -> Encoder:
        """The Encoder network."""
        return Encoder(self._config, self._weights.under("encoder."))

    @cached_property
    def decoder(self) -> Decoder:
        """The Decoder network."""
        return Decoder(self._config, self._weights.under("decoder."))

    def new_history(self) -> History:
        """Return the state of a new stream."""
        return History()

    def analyze(self, pcm: Floats, history: History) -> tuple[Floats, Integers]:
        """Return latents [C, F, D] and gain indices [C, F] of samples [C, F * hop] at 24 kHz."""
        channels = zip(pcm, history.channels(len(pcm)), strict=True)
        latents, gains = zip(*(self._analyze(*channel) for channel in channels), strict=True)
        return np.stack(latents), np.stack(gains)

    def _analyze(self, pcm: Floats, state: State) -> tuple[Floats, Integers]:
        """Return latents [F, D] and gains [F] of one channel's samples [F * hop]."""
        hop, encoder = self._config.hop, self.encoder
        blocks = list(_blocks(len(pcm) // hop))
        samples = (pcm[block.start * hop : block.stop * hop] for block in blocks)
        coefficients = np.concatenate([encoder.coefficients(part, state) for part in samples])
        gains = encoder.gains(coefficients)
        latents = [encoder.latents(coefficients[b], gains[b], state) for b in blocks]
        return np.concatenate(latents), gains

    def synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> Floats:
        """Return samples [C, F * hop] at 24 kHz, decoded from latents [C, F, D], gain indices and
        stage counts [C, F]. Their delay is one hop plus the Decoder's look-ahead."""
        channels = zip(latents, gains, counts, history.channels(len(latents)), strict=True)
        parts = (self._synthesize(*channel) for channel in channels)
        return np.stack([np.concatenate([pcm for pcm, _ in blocks]) for blocks in parts])

    def synthesize_with_features(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> tuple[Floats, Floats]:
        """Return the samples of `synthesize`, and the Decoder's features [C, F, width] of the same
        frames: what its last layer makes coefficients of."""
        channels = zip(latents, gains, counts, history.channels(len(latents)), strict=True)
        parts = [zip(*self._synthesize(*channel), strict=True) for channel in channels]
        pcm, features = zip(*(map(np.concatenate, blocks) for blocks in parts), strict=True)
        return np.stack(pcm), np.stack(features)

    def _synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, state: State
    ) -> Iterator[tuple[Floats, Floats]]:
        """Yield one channel's samples [F * hop] and features [F, width], block by block."""
        for b in _blocks(len(latents)):
            yield self.decoder(latents[b], gains[b], counts[b], state)


def _blocks(frames: int) -> Iterator[slice]:
    """Yield slices of at most BLOCK frames that cover all `frames`."""
    for start in range(0, frames, BLOCK):
        yield slice(start, min(start + BLOCK, frames))
