"""The networks in NumPy: same weights and same blocks as in torch."""

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
"""Frames that pass through the layers at a time, however many come: long packets need no more
memory, and the products stay in the cache."""


class History:
    """The state of a stream: that of each of its channels."""

    def __init__(self) -> None:
        self._channels: list[State] = []

    def copy(self) -> History:
        """Another stream that goes on from the same place."""
        copied = History()
        copied._channels = [state.copy() for state in self._channels]
        return copied

    def channels(self, count: int) -> list[State]:
        """Those of so many channels, always the same number."""
        self._channels = self._channels or [State() for _ in range(count)]
        return self._channels


class NumpyNetworks:
    """Encoder and Decoder, each prepared when it first runs. Channels do not depend on each
    other."""

    def __init__(self, config: ModelConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Raises `ValueError` where the tensors do not fit the configuration, or it has layers that
        only torch has."""
        if not runs_in_numpy(config):
            raise ValueError("the NumPy engine does not have all layers of the configuration")
        check_weights(config, tensors)
        self._config, self._weights = config, Weights(tensors)

    @cached_property
    def encoder(self) -> Encoder:
        return Encoder(self._config, self._weights.under("encoder."))

    @cached_property
    def decoder(self) -> Decoder:
        return Decoder(self._config, self._weights.under("decoder."))

    def new_history(self) -> History:
        """The state of a stream that is about to start."""
        return History()

    def analyze(self, pcm: Floats, history: History) -> tuple[Floats, Integers]:
        """Samples [C, F * hop] at 24 kHz to latents [C, F, D] and gains [C, F]."""
        rows = zip(pcm, history.channels(len(pcm)), strict=True)
        latents, gains = zip(*(self._analyze(*row) for row in rows), strict=True)
        return np.stack(latents), np.stack(gains)

    def _analyze(self, pcm: Floats, state: State) -> tuple[Floats, Integers]:
        hop, encoder = self._config.hop, self.encoder
        parts = list(_blocks(len(pcm) // hop))
        samples = (pcm[part.start * hop : part.stop * hop] for part in parts)
        coefficients = np.concatenate([encoder.coefficients(part, state) for part in samples])
        gains = encoder.gains(coefficients)
        latents = [encoder.latents(coefficients[part], gains[part], state) for part in parts]
        return np.concatenate(latents), gains

    def synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, history: History
    ) -> Floats:
        """Latents [C, F, D], gains and stage counts [C, F] to samples [C, F * hop], one hop late
        and as many more as the Decoder looks ahead."""
        rows = zip(latents, gains, counts, history.channels(len(latents)), strict=True)
        return np.stack([self._synthesize(*row) for row in rows])

    def _synthesize(
        self, latents: Floats, gains: Integers, counts: Integers, state: State
    ) -> Floats:
        parts = _blocks(len(latents))
        blocks = (self.decoder(latents[part], gains[part], counts[part], state) for part in parts)
        return np.concatenate(list(blocks))


def _blocks(frames: int) -> Iterator[slice]:
    for start in range(0, frames, BLOCK):
        yield slice(start, min(start + BLOCK, frames))
