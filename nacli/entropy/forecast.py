"""What codes would take, while they are still being chosen: for encoders that weigh bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from nacli.entropy.context import Context, Order, quantize_sums
from nacli.entropy.integer_network import LIMIT, Network
from nacli.types import Floats, Indices, Integers

GROUP = 256
"""Indices that fixed tables give at a time, so that long packets need no more memory."""
MOST_BITS = 20.0
"""That a code is said to take; the coder knows no more than 24."""


class Forecast(ABC):
    """Bits of the next code of one channel of a packet, group by group in the order of coding.

    A frame may have several candidates, W of them, each with its own codes so far. What a model has
    to know of these is a `state` [M, W, ...] that the caller keeps.
    """

    @abstractmethod
    def groups(self) -> Iterator[Indices]:
        """Indices that do not wait for each other, one group after the other."""

    @abstractmethod
    def begin(self, frames: Indices) -> Integers:
        """Start with frames [M] of a group; returns the state of the one candidate without codes,
        [M, 1, ...]."""

    @abstractmethod
    def bits(self, rows: Indices, stage: int, state: Integers) -> Floats:
        """Bits [R, W, size] of every code of a stage, for some of the rows of `begin`."""

    @abstractmethod
    def extend(self, state: Integers, stage: int, codes: Integers) -> Integers:
        """The state [R, W, ...] when codes [R, W] of a stage have been added."""

    @abstractmethod
    def settle(self, codes: Integers) -> None:
        """Take what the codes [M, N] of the frames of `begin` turned out to be."""


class StaticForecast(Forecast):
    """The same for all frames: a table of bits [N, size]."""

    def __init__(self, bits: Floats, frames: int) -> None:
        self._bits, self._frames = bits, frames

    def groups(self) -> Iterator[Indices]:
        for start in range(0, self._frames, GROUP):
            yield np.arange(start, min(start + GROUP, self._frames))

    def begin(self, frames: Indices) -> Integers:
        return np.zeros((len(frames), 1), dtype=np.int32)

    def bits(self, rows: Indices, stage: int, state: Integers) -> Floats:
        return np.broadcast_to(self._bits[stage], (*state.shape, self._bits.shape[1]))

    def extend(self, state: Integers, stage: int, codes: Integers) -> Integers:
        return state

    def settle(self, codes: Integers) -> None:
        pass


class LearnedForecast(Forecast):
    """By the learned model: a candidate's state is the sum of its vectors."""

    def __init__(self, network: Network, order: Order, context: Context, counts: Integers) -> None:
        self._network, self._order, self._context = network, order, context
        self._counts, self._period = counts, len(order.ranks)

    def groups(self) -> Iterator[Indices]:
        yield from self._order.groups(len(self._counts))

    def begin(self, frames: Indices) -> Integers:
        self._group = frames
        inputs = self._context.frame_inputs(frames)
        self._sums = self._network.frame_sums(inputs, frames % self._period)
        return self._context.nothing(frames)[:, None]

    def bits(self, rows: Indices, stage: int, state: Integers) -> Floats:
        count, width, dim = state.shape
        left = np.minimum(4 * (self._counts[self._group[rows]] - stage), LIMIT)
        sums = quantize_sums(state).reshape(-1, dim)
        own = np.concatenate([sums, left.repeat(width)[:, None]], axis=1, dtype=np.float32)
        logits = self._network.logits(self._sums[rows].repeat(width, axis=0), own, stage)
        return _bits(logits).reshape(count, width, logits.shape[1])

    def extend(self, state: Integers, stage: int, codes: Integers) -> Integers:
        return state + self._context.vectors(stage, codes)

    def settle(self, codes: Integers) -> None:
        counts = self._counts[self._group]
        for stage in range(int(counts.max(initial=0))):
            used = np.flatnonzero(counts > stage)
            self._context.add(self._group[used], stage, codes[used, stage])


def _bits(logits: Floats) -> Floats:
    """Of logits [M, size], in sixteenths, near enough to choose by."""
    logits *= np.float32(1 / 16)
    most = logits.max(1, keepdims=True)
    total = np.log2(np.exp2(logits - most).sum(1, keepdims=True)) + most
    np.subtract(total, logits, out=logits)
    return np.minimum(logits, MOST_BITS, out=logits)
