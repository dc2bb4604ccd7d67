"""The adaptive filter as a stage of the decoder, for the channels of one stream."""

from __future__ import annotations

import numpy as np

from nacli.adaptive_filter.network import FilterNetwork
from nacli.adaptive_filter.sizes import DELAY, HOP, LEVEL_WINDOWS, NEIGHBOURS, REACH
from nacli.adaptive_filter.windows import filter_windows
from nacli.networks.numpy_engine.layers import State
from nacli.types import Floats, Integers

BLOCK = 75
"""Hops that are filtered at a time, so that intermediate values stay in the cache."""


def context(network: FilterNetwork | None) -> int:
    """Return the number of hops before a hop on which its output depends; it also depends on itself
    and on the DELAY hops after it.

    The half hop before it is part of its windows, each convolution adds windows, and the levels of
    a window are relative to those of windows before it, whose sound starts a hop earlier.
    """
    if network is None:
        return 0
    half_hops = 1 + network.blocks * (network.kernel - 1) + LEVEL_WINDOWS + NEIGHBOURS + 2
    return -(-half_hops // 2) - DELAY


class AdaptiveFilter:
    """The filter of one stream at 24 kHz. Its output is delayed by `DELAY` hops."""

    DELAY = DELAY

    def __init__(self, network: FilterNetwork | None, channels: int, hop: int) -> None:
        """Without a network, the sound is only delayed. Raises `ValueError` for a network and hops
        other than those of its training."""
        if network is not None and hop != HOP:
            raise ValueError(f"the adaptive filter has hops of {HOP} samples, not {hop}")
        self._late: Floats = np.zeros((channels, DELAY * hop), dtype=np.float32)
        self._channels = [] if network is None else [_Channel(network) for _ in range(channels)]

    def process(self, pcm: Floats, features: Floats, counts: Integers) -> Floats:
        """Filter the next samples [C, F * hop], with the Decoder's features [C, F, features] and
        stage counts [C, F] of their frames; return as many samples, DELAY hops later."""
        if self._channels:
            rows = zip(self._channels, pcm, features, counts, strict=True)
            return np.stack([channel.process(*row) for channel, *row in rows])
        joined = np.concatenate([self._late, pcm], axis=1)
        self._late = joined[:, pcm.shape[1] :]
        return joined[:, : pcm.shape[1]]


class _Channel:
    """The filter of one channel. It sleeps in silence: it only keeps the latest inputs, from which
    its state is computed when sound comes."""

    def __init__(self, network: FilterNetwork) -> None:
        self._network = network
        self._state: State | None = State()
        self._hops = context(network) + DELAY
        self._pcm: Floats = np.zeros(0, dtype=np.float32)
        self._features: Floats = np.zeros((0, network.features), dtype=np.float32)
        self._counts: Integers = np.zeros(0, dtype=np.int32)

    def process(self, pcm: Floats, features: Floats, counts: Integers) -> Floats:
        """Filter the next samples [F * HOP], DELAY hops late."""
        output = np.zeros_like(pcm)
        for start in range(0, len(counts), BLOCK):
            hops = slice(start, start + BLOCK)
            samples = slice(start * HOP, (start + BLOCK) * HOP)
            block = pcm[samples], features[hops], counts[hops]
            if block[0].any() or self._pcm[-REACH * HOP :].any():
                output[samples] = filter_windows(self._network, *block, self._awake())
            else:
                self._state = None
            self._remember(*block)
        return output

    def _awake(self) -> State:
        """Return the state; after silence, it is that to which the latest inputs lead."""
        if self._state is None:
            self._state = State()
            past = self._pcm, self._features, self._counts
            filter_windows(self._network, *past, self._state)
        return self._state

    def _remember(self, pcm: Floats, features: Floats, counts: Integers) -> None:
        """Store the latest inputs."""
        self._pcm = np.concatenate([self._pcm, pcm])[-self._hops * HOP :]
        self._features = np.concatenate([self._features, features])[-self._hops :]
        self._counts = np.concatenate([self._counts, counts])[-self._hops :]
