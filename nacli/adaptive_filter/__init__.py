"""The adaptive filter behind the Decoder. Without a network, it only delays."""

from __future__ import annotations

import numpy as np

from nacli.tensor_file import Tensors
from nacli.timing import ADAPTIVE_FILTER_DELAY
from nacli.types import Floats, Integers


class FilterNetwork:
    """The network that sets the filter."""

    def __init__(self, tensors: Tensors) -> None:
        raise ValueError("this version has no network of the adaptive filter")


def context(network: FilterNetwork | None) -> int:
    """Return the number of hops before a hop on which its output depends."""
    return 0


class AdaptiveFilter:
    """The adaptive filter of one stream at the coded rate, delayed by `DELAY` hops."""

    DELAY = ADAPTIVE_FILTER_DELAY

    def __init__(self, network: FilterNetwork | None, channels: int, hop: int) -> None:
        self._past: Floats = np.zeros((channels, self.DELAY * hop), dtype=np.float32)

    def process(self, pcm: Floats, features: Floats, counts: Integers) -> Floats:
        """Return samples [C, F * hop], DELAY hops later."""
        joined = np.concatenate([self._past, pcm], axis=1)
        self._past = joined[:, pcm.shape[1] :]
        return joined[:, : pcm.shape[1]]
